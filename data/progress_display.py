"""Displays of progress: a bar in a terminal or a notebook, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from html import escape
from typing import IO, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from tamis.data.progress import NullProgress, Progress, ProgressState, TrackedProgress

SECONDS_BETWEEN = 30.0
"""Seconds between two lines of one step in a log."""
Shown = Progress | Literal[False] | None
"""Where to report: to a given receiver, nowhere (False), or to the display of the environment (None)."""


def choose_progress(progress: Shown = None) -> AbstractContextManager[Progress]:
    """Return the progress to report to; a display that Tamis chooses stays hidden when there is no work."""
    if progress is False:
        return nullcontext(NullProgress())
    if progress is not None:
        return nullcontext(progress)
    if in_notebook():
        return notebook_bar()
    return bar(Console(stderr=True, highlight=False))


def in_notebook() -> bool:
    """Say whether the code runs in a notebook kernel, whose front end shows HTML."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


@contextmanager
def bar(console: Console) -> Iterator[TrackedProgress]:
    """Show the progress of work done in this process: a bar on a terminal, lines elsewhere."""
    if not console.is_terminal:
        with step_lines(console.file) as lines:
            yield lines
        return
    display = rich_bar(console)
    tasks: list[TaskID] = []

    def listen(state: ProgressState) -> None:
        if not tasks:
            display.start()
            tasks.append(display.add_task("", total=1.0, left=""))
        display.update(tasks[0], completed=state.fraction, description=state.step, left=time_left(state))

    try:
        yield TrackedProgress(listen)
        for task in tasks:
            display.update(task, completed=1.0, left="")
    finally:
        if tasks:
            display.stop()


@contextmanager
def notebook_bar() -> Iterator[TrackedProgress]:
    """Show the progress in the output of the running cell, replaced in place."""
    # Late: IPython, which is there in a notebook.
    from IPython.display import HTML, display

    handles: list[Any] = []

    def show(state: ProgressState, after: str) -> None:
        text = HTML(_html(state, after))
        if handles:
            handles[0].update(text)
        else:
            handles.append(display(text, display_id=True))

    tracked = TrackedProgress(lambda state: show(state, time_left(state)))
    yield tracked
    if handles:
        show(replace(tracked.state, fraction=1.0), f"after {tracked.state.elapsed:.0f} s")


def _html(state: ProgressState, after: str) -> str:
    caption = f"{escape(state.step)} {state.fraction:.0%} {escape(after)}".strip()
    return f'<progress max="1" value="{state.fraction:.4f}"></progress> <span>{caption}</span>'


@contextmanager
def step_lines(stream: IO[str]) -> Iterator[TrackedProgress]:
    """Write one line when a step begins, and one every half minute after that, for logs."""
    lines = Lines()

    def listen(state: ProgressState) -> None:
        if lines.is_due(state):
            print(f"tamis: {state.step}, {state.fraction:.0%} done{within(state)}", file=stream, flush=True)

    yield TrackedProgress(listen)


class Lines:
    """Chooses the states that a log shows: a new step, and half a minute after the last one shown."""

    def __init__(self) -> None:
        self._shown: ProgressState | None = None

    def is_due(self, state: ProgressState) -> bool:
        """Say whether to show this state; it counts as shown then."""
        last = self._shown
        due = last is None or state.step != last.step or state.elapsed - last.elapsed >= SECONDS_BETWEEN
        if due:
            self._shown = state
        return due


def within(state: ProgressState) -> str:
    """Return how far the running step is as words after others, empty at its beginning."""
    return f", {state.done:,} of {state.total:,} {state.unit}" if state.done and state.total else ""


def rich_bar(console: Console) -> RichProgress:
    """Return the terminal bar, not yet started."""
    return RichProgress(
        TextColumn("  {task.description:<34}"),
        BarColumn(bar_width=36),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=False,
    )


def time_left(state: ProgressState) -> str:
    """Return the time left as words, empty while unknown."""
    return "" if state.eta is None else f"about {state.eta:.0f} s left"
