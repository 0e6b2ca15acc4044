#!/usr/bin/env bash
# streamlit 1.67.0: after AppTest the process has another __main__, and processes that it spawns die.
#
# Expected: a script under test leaves the process that tests it as it was. Seen: sys.modules["__main__"] stays the module of the script,
# whose file is temporary; a process started by "spawn" runs that file first and ends with NameError, so a pool says BrokenProcessPool.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check streamlit==1.67.0 2>/dev/null
cd "$folder"
cat > main.py <<'PYTHON'
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context



def page() -> None:
    import streamlit

    streamlit.text("shown")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    import streamlit
    from streamlit.testing.v1 import AppTest

    main = sys.modules["__main__"]
    AppTest.from_function(page).run(timeout=60)
    same = sys.modules["__main__"] is main
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            worked = list(pool.map(abs, [-1])) == [1]
    except BrokenProcessPool:
        worked = False
    print("streamlit", streamlit.__version__, "| the same __main__:", same, "| a spawned process works:", worked)
    raise SystemExit(0 if not same and not worked else "AppTest leaves the process alone now")
PYTHON
"$folder/venv/bin/python" main.py 2>/dev/null
