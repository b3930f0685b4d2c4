"""A shell that blocks run in. Its `larder` leaves a sidecar running once it listens, as a second terminal would;
whatever a block has started ends with it."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from blocks import Exceptions
from stage import free_port
from tree import LARDER, plain_environment

SERVES = """#!/usr/bin/env bash
kind=sidecar
case ${1-} in
    simulate) kind=provider ;;
    demo) exec @LARDER@ "$@" --once ;;
    run) exec env -u LARDER_LISTEN -u LARDER_ADMIN_LISTEN @LARDER@ "$@" ;;
    env|check|analyze|doctor|stats|tail|version|warm|purge|export|import|config|completions|man|help|-h|--help|-V|--version) exec @LARDER@ "$@" ;;
esac
# The one before was another way to say it.
if [ -e @WORK@/$kind ]; then kill "$(cat @WORK@/$kind)"; tail --pid="$(cat @WORK@/$kind)" -f /dev/null; fi
log=$(mktemp -p @WORK@)
@LARDER@ "$@" >"$log" 2>&1 </dev/null &
echo $! >@WORK@/$kind
for _ in {1..200}; do
    grep -q '^listening' "$log" && exit 0
    kill -0 $! 2>/dev/null || break
    sleep 0.05
done
cat "$log" >&2
exit 1
"""


class Shell:
    """One for each block, in a folder of its own."""

    def __init__(self, stage, folder):
        self._stage, self._folder = stage, pathlib.Path(folder)
        self._ports = {"5273": free_port(), "5274": free_port(), "9000": free_port()}
        serves = SERVES.replace("@LARDER@", LARDER).replace("@WORK@", str(self._folder))
        self._command("larder", serves)
        os.symlink(pathlib.Path(LARDER).parent / "larder-bench", self._folder / "bin/larder-bench")
        self._command("redis-cli", f'#!/bin/sh\nexec {shutil.which("redis-cli")} -p {stage.redis} "$@"\n')
        # Debian alone has no command of this name.
        self._command("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        for stub in Exceptions().stubs:
            self._command(stub, "#!/bin/sh\nexit 0\n")

    def run(self, text, files):
        """Runs a block; `files` are what it finds in its folder."""
        for name, content in files.items():
            (self._folder / name).write_bytes(content)
        command = ["bash", "-euo", "pipefail", "-c", self._here(text)]
        process = subprocess.Popen(
            command, cwd=self._folder, env=self._environment(text), start_new_session=True, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        try:
            said, _ = process.communicate(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 0, f"exit code {process.returncode}:\n{said}"

    def _here(self, text):
        for place in ("/var/lib/larder", "/etc/larder"):
            text = text.replace(place, str(self._folder))
        if _starts(text):
            for documented, here in self._ports.items():
                text = re.sub(rf"\b{documented}\b", str(here), text)
        return self._stage.here(text)

    def _environment(self, text):
        """Whoever starts a sidecar has it on ports that are free here; all others find the stage's."""
        named = self._stage.variables() | {"LARDER_UPSTREAM": f"http://{self._stage.provider}/v1"}
        proxy, admin = self._stage.proxy, self._stage.admin
        if _starts(text):
            proxy, admin = (f"127.0.0.1:{self._ports[port]}" for port in ("5273", "5274"))
            named |= {"LARDER_LISTEN": proxy, "LARDER_SIMULATE_LISTEN": f"127.0.0.1:{self._ports['9000']}"}
        named["LARDER_ADMIN_LISTEN"] = admin
        path = f"{self._folder / 'bin'}:{os.environ['PATH']}"
        return plain_environment() | named | {"PATH": path, "HOME": str(self._folder)}

    def _command(self, name, text):
        path = self._folder / ("" if "/" in name else "bin") / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def _starts(text):
    """Whether a block starts a sidecar or a provider of its own."""
    return re.search(r"^(?:\w+=\S+ )*larder(?: serve| simulate| -|\s*#|\s*&|\s*$)", text, re.M) is not None
