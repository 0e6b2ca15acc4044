"""Measure the effect of a recipe: its selection against random ones of the same size, by nine figures, with intervals.

The headline is the bits per byte that a small language model, trained on the selection, needs for target texts it has
never seen. It is proxy evidence: models of this size agree with large ones in most but not all comparisons. Results are
kept in the store by everything they depend on, so what was measured once is there at once.

Attribution measures the recipe without each step in turn, at the same budget.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.bench import DEDUP, RANDOM, RECIPE, Bench, Trial, random_copies, run_trials, selection_bytes
from tamis.analytics.effect.composition import Coverage, composition, coverage, diversity, issue_shifts, repetition
from tamis.analytics.effect.label_probe import (
    MOST_DOCUMENTS,
    MOST_VECTORS,
    ProbeCurve,
    ProbeData,
    probe_curve,
    vector_features,
    word_features,
)
from tamis.analytics.effect.purpose import UNIT_OF_PICTURES, EffectStudy
from tamis.analytics.effect.result import Effect, TrialPoint
from tamis.analytics.effect.verdict import Difference, compare, text_error
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import RecipeError, SettingError
from tamis.data.progress import NullProgress, Progress
from tamis.data.store import ArtifactKey

EFFECT_VERSION = 1
PROXY = "a trigram model, not a large one: proxy evidence"
MIXED_BY = ("source", "lang", "language", "label", "cluster")


def evaluate_effect(bed: EffectStudy, recipe: Recipe, *, progress: Progress | None = None) -> Effect:
    """Measure a recipe, or return the stored result.

    Args:
        bed: the study with its target and protocol, see ``EffectStudy.open``.
        recipe: what to measure.
        progress: counts training sets and probes; may cancel.

    Raises:
        RecipeError: the recipe keeps no training candidate, or as ``plan.evaluate``.
    """
    watch = progress or NullProgress()
    copies = bed.copies(recipe, progress=watch)
    key = effect_key(bed, copies)
    found = bed.study.workspace.store.find(key)
    if found is None:
        with bed.study.workspace.store.writer(key) as out:
            effect = measure_effect(bed, copies, progress=watch)
            out.write_json("effect", effect.to_json())
            found = out.commit(rows=effect.documents)
    return replace(Effect.from_json(found.json("effect")), recipe=recipe.digest, title=recipe.title)


def effect_key(bed: EffectStudy, copies: NDArray[np.int32]) -> ArtifactKey:
    """Return the key of a measured effect: it depends on the selected documents, not on the rules."""
    return ArtifactKey(
        "effect",
        EFFECT_VERSION,
        bed.study.corpus.text_fingerprint,
        {
            **bed.params,
            "facts": bed.study.facts.digest,
            "copies": hashlib.sha256(np.ascontiguousarray(copies, dtype="<i4").data).hexdigest(),
        },
        bed.upstream,
    )


def measure_effect(bed: EffectStudy, copies: NDArray[np.int32], *, progress: Progress | None = None) -> Effect:
    """Measure a selection; see ``evaluate_effect``."""
    watch = progress or NullProgress()
    bench, facts = bed.bench, bed.study.facts
    size = selection_bytes(bench, copies)
    if size == 0:
        raise RecipeError(
            "The recipe keeps no document that may be trained on", value=int((copies > 0).sum()), fix="loosen a rule"
        )
    budget = min(bench.protocol.budget_bytes, size)
    trials, texts = ((), ()) if bed.pictures else _text_trials(bed, copies, budget, watch)
    watch.step("probe", 40, "probes")
    probe = _probe(bed, copies, watch)
    watch.step("coverage", 2, "references")
    covered = tuple(found for of in ("target", "corpus") if (found := _coverage(bed, copies, of, budget)) is not None)
    return Effect(
        recipe="",
        title="",
        target=bed.name,
        target_digest=bed.target.digest if bed.target else "",
        documents=int(np.count_nonzero(copies)),
        budget_bytes=budget,
        selection_bytes=size,
        differences=(
            *texts,
            *((probe.difference,) if probe is not None and bed.pictures else ()),
            *(item.difference for item in covered),
        ),
        trials=tuple(_point(trial) for trial in trials),
        coverage=covered,
        diversity=diversity(bench, bed.vectors, copies, budget=budget),
        probe=probe,
        compositions=tuple(composition(facts, copies, name) for name in MIXED_BY if name in facts.columns),
        issues=issue_shifts(facts, copies),
        repetition=repetition(facts, copies),
        cleaning=bench.cleaning,
        protocol=bench.protocol,
        notes=_notes(bed, size, budget, probed=probe is not None),
        unit=UNIT_OF_PICTURES if bed.pictures else "bytes",
    )


def _text_trials(
    bed: EffectStudy, copies: NDArray[np.int32], budget: int, progress: Progress
) -> tuple[tuple[Trial, ...], tuple[Difference, ...]]:
    """Return all training sets, measured by language models, and their comparisons."""
    progress.step("training sets", 3 * bed.bench.protocol.draws, "sets")
    ours = run_trials(bed.bench, copies, name=RECIPE, budget=budget, progress=progress)
    random, dedup = (random_trials(bed, budget, deduplicated=each, progress=progress) for each in (False, True))
    return (*ours, *random, *dedup), text_differences(bed.bench, ours, random, dedup)


def text_differences(
    bench: Bench, ours: Sequence[Trial], random: Sequence[Trial], dedup: Sequence[Trial]
) -> tuple[Difference, ...]:
    """Return the comparisons of language-model figures, the headline first."""
    found = []
    if bench.has_target:
        for against, others in ((RANDOM, random), (DEDUP, dedup)):
            error = text_error(
                [trial.target_bits for trial in ours], [trial.target_bits for trial in others], bench.unseen.bytes
            )
            found.append(
                compare(
                    "target bits per byte",
                    against,
                    [trial.target or 0.0 for trial in ours],
                    [trial.target or 0.0 for trial in others],
                    lower_is_better=True,
                    text_error=error,
                    proxy=PROXY,
                )
            )
        found.append(
            compare(
                "divergence of the target",
                RANDOM,
                [trial.match or 0.0 for trial in ours],
                [trial.match or 0.0 for trial in random],
                lower_is_better=True,
                proxy="hashed word pairs, not meaning",
            )
        )
    found.append(
        compare(
            "general bits per byte",
            RANDOM,
            [trial.general for trial in ours],
            [trial.general for trial in random],
            lower_is_better=True,
            proxy="what is lost of the corpus; never the verdict",
        )
    )
    return tuple(found)


def random_trials(
    bed: EffectStudy, budget: int, *, deduplicated: bool, progress: Progress | None = None
) -> tuple[Trial, ...]:
    """Return the random draws of a budget, measured on the first call and then read from the store."""
    store, name = bed.study.workspace.store, DEDUP if deduplicated else RANDOM
    params = {**bed.params, "budget": budget, "name": name}
    key = ArtifactKey("effect_random", EFFECT_VERSION, bed.study.corpus.text_fingerprint, params, bed.upstream)
    found = store.find(key)
    if found is None:
        with store.writer(key) as out:
            copies = random_copies(bed.bench, deduplicated=deduplicated)
            trials = run_trials(bed.bench, copies, name=name, budget=budget, progress=progress)
            out.write_json("trials", [asdict(_point(trial)) for trial in trials])
            out.write_array("bits", np.array([trial.target_bits for trial in trials]))
            found = out.commit(rows=len(trials))
    bits = found.array("bits")
    return tuple(Trial(**item, target_bits=own) for item, own in zip(found.json("trials"), bits, strict=True))


def _point(trial: Trial) -> TrialPoint:
    return TrialPoint(trial.name, trial.seed, trial.documents, trial.bytes, trial.target, trial.general, trial.match)


def _coverage(bed: EffectStudy, copies: NDArray[np.int32], of: str, budget: int) -> Coverage | None:
    if bed.vectors is None:
        return None
    references = bed.target_vectors if of == "target" else bed.vectors[bed.bench.holdout]
    if references is None:
        return None
    return coverage(bed.bench, bed.vectors, references, copies, of=of, budget=budget)


def _probe(bed: EffectStudy, copies: NDArray[np.int32], progress: Progress) -> ProbeCurve | None:
    labels = bed.labels
    if labels is None:
        return None
    bench = bed.bench
    usable, features, most = bench.bytes > 0, word_features(bench.words), MOST_DOCUMENTS
    if bed.pictures:
        if bed.vectors is None:
            return None
        usable, features, most = np.asarray(bed.vectors.any(axis=1)), vector_features(bed.vectors), MOST_VECTORS
    data = ProbeData.of(features, bench.keys, labels, bed.group, usable=usable, most=most)
    if data is None:
        return None
    return probe_curve(data, copies, column=bed.label_column, draws=bench.protocol.draws, progress=progress)


def _notes(bed: EffectStudy, size: int, budget: int, *, probed: bool) -> tuple[str, ...]:
    """Return notes for the reader of the figures."""
    cleaning, notes = bed.bench.cleaning, []
    if bed.pictures:
        notes.append(
            "Pictures are measured by a linear probe of their labels on the vectors of the analysis, and by coverage."
            if probed
            else "There is no linear probe: it needs vectors, and two labels or more of 5 pictures each."
        )
    elif bed.target is None:
        notes.append("There is no target, so there is no verdict: choose what the corpus is for.")
    if cleaning.corpus_documents:
        notes.append(
            f"{cleaning.corpus_documents:,} documents of the corpus share at least {bed.protocol.overlap:.0%} of their "
            "13-grams with the test half of the target; no training set has them."
        )
    if cleaning.test_texts:
        notes.append(
            f"{cleaning.test_texts:,} test texts are not scored because the corpus holds much of them; "
            f"{cleaning.scored_texts:,} are."
        )
    if size > budget:
        unit = UNIT_OF_PICTURES if bed.pictures else "bytes"
        notes.append(f"The selection has {size:,} {unit}; draws of {budget:,} {unit} stand for it.")
    if bed.vectors is None:
        notes.append("There are no embeddings, so coverage is not measured.")
    return tuple(notes)


Contribution = Literal["helps", "harms", "no measurable effect"]


@dataclass(frozen=True)
class StepEffect:
    """The contribution of one step.

    Attributes:
        step: its id.
        operator: its name.
        difference: target bits per byte (general ones without a target) of the recipe without the step minus those of
            the whole recipe; above 0 the step helps.
        documents_without: documents kept without the step.
    """

    step: str
    operator: str
    difference: Difference
    documents_without: int

    @property
    def verdict(self) -> Contribution:
        """Return the verdict on the step; below two standard deviations there is no measurable effect."""
        if self.difference.low <= 0.0 <= self.difference.high:
            return "no measurable effect"
        return "helps" if self.difference.mean > 0 else "harms"


def leave_one_out(bed: EffectStudy, recipe: Recipe, *, progress: Progress | None = None) -> tuple[StepEffect, ...]:
    """Return the contribution of every active step, in order.

    Every variant is drawn at the budget of the whole recipe with the same seeds, so the draws are paired.

    Raises:
        RecipeError: as ``plan.evaluate``.
        SettingError: the corpus holds pictures.
    """
    if bed.pictures:
        raise SettingError(
            "Steps are left out one by one for texts only", value=bed.study.corpus.name,
            fix="switch steps of pictures off in turn, and measure the recipe again",
        )  # fmt: skip
    watch = progress or NullProgress()
    bench = bed.bench
    whole = bed.copies(recipe, progress=watch)
    budget = min(bench.protocol.budget_bytes, selection_bytes(bench, whole))
    watch.step("steps left out", (len(recipe.active) + 1) * bench.protocol.draws, "sets")
    ours = run_trials(bench, whole, name="recipe", budget=budget, progress=watch)
    figure = "target bits per byte" if bench.has_target else "general bits per byte"
    found = []
    for step in recipe.active:
        copies = bed.copies(recipe.replaced(step.id, enabled=False), progress=watch)
        size = selection_bytes(bench, copies)
        others = run_trials(bench, copies, name=step.id, budget=min(budget, size), progress=watch)
        error = 0.0
        if bench.has_target:
            error = text_error(
                [trial.target_bits for trial in others], [trial.target_bits for trial in ours], bench.unseen.bytes
            )
        values = [[_cost(trial) for trial in part] for part in (others, ours)]
        draws = max(len(part) for part in values)
        difference = compare(
            figure,
            "the whole recipe",
            np.resize(values[0], draws).tolist(),
            np.resize(values[1], draws).tolist(),
            lower_is_better=True,
            text_error=error,
        )
        found.append(StepEffect(step.id, step.operator.name, difference, int(np.count_nonzero(copies))))
    return tuple(found)


def _cost(trial: Trial) -> float:
    return trial.general if trial.target is None else trial.target
