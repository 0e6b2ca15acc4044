"""A page that waits a known time, to try the clock of ``bench_pages`` on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dashboard import browser, free_port, wait_for

from benchmarks.bench_pages import Clock

SCRIPT = """
import time
import streamlit as st
if st.button("once"):
    time.sleep(0.5)
if st.button("twice"):
    time.sleep(0.5)
    st.session_state.again = True
    st.rerun()
if st.session_state.pop("again", False):
    time.sleep(0.5)
st.write("done")
"""


def timed_waits(folder: Path) -> tuple[float, float, float]:
    """Return the seconds that the clock counts for half a second, for twice half a second, and for nothing."""
    (folder / "page.py").write_text(SCRIPT, "utf-8")
    port = free_port()
    options = ["--server.port", str(port), "--server.headless", "true", "--browser.gatherUsageStats", "false"]
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "page.py"), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        with browser() as chromium:
            page = chromium.new_page()
            clock = Clock(page)
            page.goto(f"http://127.0.0.1:{port}")
            page.get_by_text("done").wait_for()
            for name in ("once", "twice"):
                clock.time(name, page.get_by_role("button", name=name).click)
            clock.time("nothing", lambda: None)
    finally:
        process.terminate()
        process.wait(timeout=20)
    return clock.times["once"][0], clock.times["twice"][0], clock.times["nothing"][0]
