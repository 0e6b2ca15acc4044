"""Processes that are killed at a moment that is counted, not timed.

A moment is right before or right after a file is flushed to disk or gets its final name: the ones between which a kill
can leave something new behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ALL = 0
"""Moment that never comes: the process ends by itself."""

_PRELUDE = """
import atexit, itertools, os, pathlib, signal, sys

fatal, moments = sys.argv.pop(1), itertools.count(1)

def _pass(name, place):
    if fatal in (str(next(moments)), f"{name} {place}"):
        os.kill(os.getpid(), signal.SIGKILL)

def _watched(call):
    def watched(*arguments, **options):
        place = arguments[-1]
        _pass("before", place)
        result = call(*arguments, **options)
        _pass("after", place)
        return result
    return watched

os.fsync, os.rename, os.replace = _watched(os.fsync), _watched(os.rename), _watched(os.replace)
atexit.register(lambda: print("moments", next(moments) - 1, flush=True))
"""


def run_until(moment: int | str, program: str, *arguments: Path) -> int:
    """Run a Python program and kill it at a moment; return how many moments it had, or 0 if it was killed.

    Args:
        moment: number of the moment, from 1; or ``before PATH`` or ``after PATH``, about the file's final name.
        program: its text; it sees the other arguments in ``sys.argv``.
    """
    command = [sys.executable, "-c", _PRELUDE + program, str(moment), *map(str, arguments)]
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if moment != ALL:
        assert done.returncode == -signal.SIGKILL, f"it ended before the moment {moment}: {done.stderr}"
        return 0
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])
