"""What an analysis still has to do, in the order in which it will, and when each step will be there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tamis.analytics.steps.pipeline import PlannedStep, running_order
from tamis.analytics.study.standard_analysis import LOOKED_AT_FIRST
from tamis.data.job import Job
from tamis.data.jobs import asked_first


@dataclass(frozen=True)
class Awaited:
    """A step that is not done.

    Attributes:
        name: of the step.
        title: for people.
        seconds: until it is done, as estimated; 0 when the estimate is over; None while nothing works on it.
        running: whether it runs now.
    """

    name: str
    title: str
    seconds: float | None
    running: bool


def awaited_steps(plan: Sequence[PlannedStep], job: Job | None, now: float) -> tuple[Awaited, ...]:
    """Return the steps that are not done, in the order in which they will be.

    The estimates of the plan give each step its share of the time that the job says is left, so they are scaled by
    what the running analysis has shown of this machine.

    Args:
        plan: of all steps.
        job: the job that works on them, None without one.
        now: seconds since the epoch.
    """
    asked = () if job is None else asked_first(job.folder)
    order = list(running_order(plan, (*asked, *LOOKED_AT_FIRST)))
    running = "" if job is None else job.progress.step
    order.sort(key=lambda step: step.spec.name != running)
    pace = None if job is None else _pace(order, job, now)
    found, until = [], 0.0
    for step in order:
        until += _left(step, job) * (pace or 0.0)
        seconds = None if pace is None else until
        found.append(Awaited(step.spec.name, step.spec.title, seconds, step.spec.name == running))
    return tuple(found)


def time_until(steps: Collection[str], awaited: Sequence[Awaited]) -> float | None:
    """Return the seconds until all of some steps are done, None while it is unknown."""
    found = [each.seconds for each in awaited if each.name in steps]
    known = [seconds for seconds in found if seconds is not None]
    return max(known, default=0.0) if len(known) == len(found) else None


def _left(step: PlannedStep, job: Job | None) -> float:
    """Return the estimated seconds of a step, of the running one those that are left."""
    seconds = max(step.estimate.seconds, 1e-3)
    if job is None or job.progress.step != step.spec.name or not job.progress.total:
        return seconds
    return seconds * (1.0 - min(job.progress.done / job.progress.total, 1.0))


def _pace(order: Sequence[PlannedStep], job: Job, now: float) -> float:
    """Return the seconds that a second of the plan takes."""
    planned = sum(_left(step, job) for step in order)
    left = job.time_left(now)
    return 1.0 if left is None or not planned else left / planned
