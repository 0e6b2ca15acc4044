"""Progress in the terminal: of work done here, and of a background job watched from here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from tamis.data.errors import JobError
from tamis.data.jobs import Job
from tamis.data.progress import ProgressState, TrackedProgress

DAY = 86_400.0


def _display(console: Console) -> RichProgress:
    return RichProgress(
        TextColumn("  {task.description:<34}"),
        BarColumn(bar_width=36),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=False,
    )


def _left(state: ProgressState) -> str:
    return "" if state.eta is None else f"about {state.eta:.0f} s left"


@contextmanager
def bar(console: Console) -> Iterator[TrackedProgress]:
    """Show the progress of work done in this process."""
    with _display(console) as display:
        task = display.add_task("", total=1.0, left="")

        def listen(state: ProgressState) -> None:
            display.update(task, completed=state.fraction, description=state.step, left=_left(state))

        yield TrackedProgress(listen)
        display.update(task, completed=1.0, left="")


def watch(console: Console, job: Job) -> Job:
    """Show a background job until it ends. Leaving with Ctrl+C does not stop it.

    Raises:
        JobError: the job failed or was cancelled; the message says why.
    """
    with _display(console) as display:
        task = display.add_task(job.title, total=1.0, left="")

        def seen(now: Job) -> None:
            display.update(
                task,
                completed=now.progress.fraction,
                description=now.progress.step or now.state,
                left=_left(now.progress),
            )

        ended = job.wait(seconds=7 * DAY, seen=seen)
    if ended.state != "done":
        raise JobError(
            f"{ended.title or ended.id} {ended.state}: {ended.message}", fix=f"see {ended.folder / 'log.txt'}"
        )
    return ended
