#!/usr/bin/env bash
# numba 0.68.0: a cached kernel runs the old machine code of a kernel of another file that has changed.
#
# Expected: with cache=True a changed function is compiled again, also inside those that call it. Seen: the cache knows the one file that defines
# the caller; a new process still gives the result of the old callee.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check numba==0.68.0 numpy==2.4.6 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import pathlib
import subprocess
import sys

os.environ["NUMBA_CACHE_DIR"] = str(pathlib.Path("cache").absolute())
CALLEE = "from numba import njit\n\n@njit(cache=True)\ndef g(x):\n    return x + {}\n"
pathlib.Path("caller.py").write_text(
    "from numba import njit\nfrom callee import g\n\n@njit(cache=True)\ndef f(x):\n    return g(x)\n\nprint(f(1))\n"
)


def run(added):
    pathlib.Path("callee.py").write_text(CALLEE.format(added))
    return subprocess.run([sys.executable, "-B", "caller.py"], check=True, capture_output=True, text=True).stdout.strip()


first, second = run(1), run(100)
import numba

print("numba", numba.__version__, "| x + 1 gives", first, "| after the change to x + 100:", second)
assert first == "2" and second == "2", (first, second)
PYTHON
