"""Runs programs one after the other in one process, because SDKs take seconds to load. Prints a line of JSON for each:
its path and its error. Runs in the SDKs' environments, without modules of these tests."""

import contextlib
import json
import runpy
import sys
import traceback

for path in sys.argv[1:]:
    wrong = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            runpy.run_path(path, run_name="__main__")
    except BaseException:  # also an exit
        wrong = traceback.format_exc()
    print(json.dumps([path, wrong]), flush=True)
