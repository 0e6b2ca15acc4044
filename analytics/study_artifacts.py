"""Artifacts of a study: those its analysis made, and further ones made when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tamis.analytics.pipeline import analyze, plan_steps
from tamis.analytics.step import StepSpec
from tamis.analytics.study import Study
from tamis.data.artifact import Artifact
from tamis.data.progress import Progress


def artifacts_of(
    study: Study, wanted: Sequence[StepSpec], *, progress: Progress | None = None
) -> Mapping[str, Artifact]:
    """Run what is missing of some steps and of all they are made from, and return the artifacts by step.

    Raises:
        Cancelled: a person stopped the work.
        TamisError: as the steps raise.
    """
    steps = study.evidence.steps_for(wanted)
    return analyze(study.corpus, study.workspace, steps=steps, progress=progress).artifacts


def found_artifact(study: Study, name: str, *, also: Sequence[StepSpec] = ()) -> Artifact | None:
    """Return the artifact of a step of the analysis, or of ``also``, or None when it has not been made."""
    steps = study.evidence.steps_for(also) if also else study.evidence.steps
    for planned in plan_steps(study.corpus, study.workspace, steps):
        if planned.spec.name == name:
            return study.workspace.store.find(planned.key)
    return None
