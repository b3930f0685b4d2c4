"""Shares out a schedule among locust's users, each operation once, and ends the run after the last.

With --record, leaves how long everything took as JSON: {"took": {name: [milliseconds]}, "spans": {kind:
{"operations", "seconds"}}, "failures": number}.
"""

import itertools
import json
import time

from locust import events
from locust.exception import StopUser


class Turns:
    """One schedule. Users take from it in turn; its end is the end of each of them."""

    all = []

    def __init__(self, kind, operations, share):
        """So many of this schedule's operations come for each one that --operations says."""
        self.kind, self._share, self._endless = kind, share, operations
        self._operations = iter(())
        self._started = self._ended = None
        self._done = 0
        self._users = 0
        Turns.all.append(self)

    def begin(self, options):
        first = int(options.skip * self._share)
        count = int(options.operations * self._share) if options.operations else None
        self._operations = itertools.islice(self._endless(), first, count and first + count)

    def join(self):
        self._users += 1

    def leave(self, runner):
        """The last user to leave the last schedule stops the run."""
        self._users -= 1
        if not any(turns._users for turns in Turns.all):
            runner.quit()

    def next(self):
        self._started = self._started or time.monotonic()
        operation = next(self._operations, None)
        if operation is None:
            raise StopUser
        return operation

    def done(self):
        self._done += 1
        self._ended = time.monotonic()

    def span(self):
        """How many operations were done, and in what time, from the first one's start to the last one's end."""
        return {"operations": self._done, "seconds": (self._ended or 0) - (self._started or 0)}


@events.init_command_line_parser.add_listener
def add_options(parser):
    group = parser.add_argument_group("Schedule")
    group.add_argument("--operations", type=int, default=0, help="So many memory operations, then stop; 0: no end")
    group.add_argument("--skip", type=int, default=0, help="Leave out the first so many")
    group.add_argument("--record", default="", help="Where to leave all times, as JSON")


@events.test_start.add_listener
def begin(environment, **_):
    options = environment.parsed_options
    for turns in Turns.all:
        turns.begin(options)
    if options.record:
        record(environment, options.record)


def record(environment, path):
    """Keeps the exact times, which locust rounds, until the run ends."""
    took, failures = {}, []

    def keep(name, response_time, exception, **_):
        took.setdefault(name, []).append(response_time)
        if exception is not None:
            failures.append(f"{name}: {exception}")

    def write(**_):
        spans = {turns.kind: turns.span() for turns in Turns.all}
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"took": took, "spans": spans, "failures": failures}, file)

    environment.events.request.add_listener(keep)
    environment.events.quitting.add_listener(write)
