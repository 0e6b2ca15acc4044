"""Progress in the terminal, of work in this process and of a background job."""

from __future__ import annotations

from rich.console import Console

from tamis.data.errors import JobError
from tamis.data.jobs import Job
from tamis.data.progress_display import Lines, bar, rich_bar, time_left, within

__all__ = ["bar", "watch"]

DAY = 86_400.0


def watch(console: Console, job: Job) -> Job:
    """Show a background job until it ends: a bar in a terminal, lines elsewhere; Ctrl+C leaves it running.

    Raises:
        JobError: the job failed or was cancelled; the message says why.
    """
    ended = _watch_bar(console, job) if console.is_terminal else _watch_lines(console, job)
    if ended.state != "done":
        raise JobError(
            f"{ended.title or ended.id} {ended.state}: {ended.message}", fix=f"see {ended.folder / 'log.txt'}"
        )
    return ended


def _watch_bar(console: Console, job: Job) -> Job:
    with rich_bar(console) as display:
        task = display.add_task(job.title, total=1.0, left="")

        def seen(now: Job) -> None:
            display.update(
                task,
                completed=now.progress.fraction,
                description=now.progress.step or now.state,
                left=time_left(now.progress),
            )

        return job.wait(seconds=7 * DAY, seen=seen)


def _watch_lines(console: Console, job: Job) -> Job:
    """Print one line when a step begins, and one every half minute after that, for logs."""
    lines = Lines()

    def seen(now: Job) -> None:
        state = now.progress
        if lines.is_due(state):
            words = [f"{state.fraction:.0%} done{within(state)}", *filter(None, [time_left(state)])]
            console.print(f"  {state.step}: {', '.join(words)}", markup=False, highlight=False)

    return job.wait(seconds=7 * DAY, seen=seen)
