"""A concept that people taught, as it is kept: its classifier, how well it learnt, what to label next, its drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.effect.holdout_curve import Calibration, CurvePoint, ReliabilityBin
from tamis.analytics.effect.label_classifier import Examples, Informative, next_to_label, train_classifier
from tamis.analytics.operators.relevance import EmbeddingClassifier
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.likeness import Vectors
from tamis.analytics.study.extrapolation import Interval
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.hashing import mix_keys
from tamis.data.progress import NullProgress, Progress

VERSION = 1
DRIFTED = 0.05
"""Distance of the chance that a new document scores higher from one half, from which on scores are said to drift."""


@dataclass(frozen=True)
class TaughtConcept:
    """What a teaching left; it is stored as JSON.

    Attributes:
        name: of the concept, for people.
        model: digest of the scorer.
        vectors: which vectors of the corpus it reads.
        tier: of these vectors, for people.
        likes, unlikes: different examples it learnt from.
        repeated: examples left out because an equal one is there.
        curve: average precision of held-out examples by number of labels.
        calibration: whether its probabilities are what they say.
        next: documents whose labels would teach most, the best first; rows are those of the corpus it was taught on,
            see ``next_in``.
    """

    name: str
    model: str
    vectors: Vectors
    tier: str
    likes: int
    unlikes: int
    repeated: int
    curve: tuple[CurvePoint, ...]
    calibration: Calibration
    next: tuple[Informative, ...]

    @property
    def chance(self) -> float:
        """Return the average precision of a ranking by chance: the share of the class among the labels."""
        return self.likes / (self.likes + self.unlikes)

    def rule(self, min_probability: float = 0.5) -> EmbeddingClassifier:
        """Return the rule that keeps documents of at least this probability."""
        return EmbeddingClassifier(
            model=self.model,
            target=self.name,
            min_probability=min_probability,
            vectors="precise" if self.vectors == "precise" else None,
        )

    def next_in(self, study: Study) -> tuple[Informative, ...]:
        """Return what to label next with its rows in a corpus that may have grown; what is gone is left out."""
        places = pc.index_in(pa.array([each.id for each in self.next], pa.string()), study.facts.ids).to_pylist()
        return tuple(
            replace(each, row=place) for each, place in zip(self.next, places, strict=True) if place is not None
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaughtConcept:
        """Read a stored concept.

        Raises:
            SettingError: it is none of this version.
        """
        if value.get("version") != VERSION:
            raise SettingError("This is not a taught concept", value=value.get("version"), fix="teach it again")
        fields = {name: each for name, each in value.items() if name != "version"}
        bins = tuple(
            ReliabilityBin(each["predicted"], Interval(**each["observed"])) for each in value["calibration"]["bins"]
        )
        fields["curve"] = tuple(CurvePoint(**point) for point in value["curve"])
        fields["calibration"] = Calibration(**{**value["calibration"], "bins": bins})
        fields["next"] = tuple(Informative(**each) for each in value["next"])
        return cls(**fields)


def teach(
    study: Study, like: Examples, unlike: Examples, *, name: str, most: int = 10, progress: Progress | None = None
) -> TaughtConcept:
    """Teach a concept, score every document with it, and say what to label next.

    Args:
        study: a corpus with embeddings.
        like, unlike: the examples.
        name: of the concept.
        most: documents to propose for labelling.
        progress: where to report.

    Raises:
        SettingError: as ``train_classifier``.
    """
    watch = progress or NullProgress()
    watch.step("learning", 3, "parts")
    found = train_classifier(study, like, unlike, name=name)
    watch.advance()
    likes = int(found.examples.like.sum())
    concept = TaughtConcept(
        name=name, model=found.model, vectors=found.vectors, tier=found.tier, likes=likes,
        unlikes=len(found.examples) - likes, repeated=found.examples.repeated, curve=found.curve,
        calibration=found.calibration, next=next_to_label(study, found, most=most),
    )  # fmt: skip
    watch.advance()
    study.measure(Recipe().with_operator(concept.rule()), progress=watch)
    return concept


def concept_drift(
    study: Study,
    rules: Sequence[EmbeddingClassifier],
    new: NDArray[np.bool_],
    *,
    progress: Progress | None = None,
) -> dict[str, ScoreDrift]:
    """Return the drift of each taught concept by its name, in the order of the rules; what is missing is measured.

    Args:
        study: the grown corpus.
        rules: of the concepts; of several with one name the first counts.
        new: bool (n,), the new documents, in facts order.
        progress: where to report.

    Raises:
        RecipeError: the corpus cannot have such scores.
    """
    named: dict[str, EmbeddingClassifier] = {}
    for rule in rules:
        named.setdefault(rule.target or rule.model[:12], rule)
    recipe = Recipe()
    for rule in named.values():
        recipe = recipe.with_operator(rule)
    study.measure(recipe, progress=progress)
    found = {name: ConceptScores.of(study, rule, new=new).drift for name, rule in named.items()}
    return {name: drift for name, drift in found.items() if drift is not None}


def unlabelled(study: Study, like: Examples, *, count: int) -> Examples:
    """Return documents by keyed hash, none of the examples among them, to stand for what is not like them."""
    keys = study.facts.keys
    order = np.lexsort((np.arange(len(keys)), mix_keys(keys, seed=0, salt="counterexamples")))
    chosen = order[~np.isin(order, np.array(like.rows, dtype=np.int64))][:count]
    return Examples(rows=tuple(np.sort(chosen).tolist()))


@dataclass(frozen=True)
class ScoreDrift:
    """How the scores of new documents lie against those of old ones; exact.

    Attributes:
        old, new: documents with a score.
        old_median, new_median: probability.
        higher: chance that a new document scores higher than an old one, a tie counting half.
    """

    old: int
    new: int
    old_median: float
    new_median: float
    higher: float

    @property
    def drifts(self) -> bool:
        """Return whether the scores differ enough to say so."""
        return abs(self.higher - 0.5) >= DRIFTED

    @property
    def sentence(self) -> str:
        """Return the drift in words."""
        end = (
            "The new documents are of another kind: label some of them and teach again."
            if self.drifts
            else "No drift to speak of."
        )
        return (
            f"{self.new:,} new documents against {self.old:,} old ones, exact: median probability"
            f" {self.new_median:.2f} to {self.old_median:.2f}; a new one scores higher than an old one with chance"
            f" {self.higher:.0%}. {end}"
        )


@dataclass(frozen=True, eq=False)
class ConceptScores:
    """The probabilities a taught concept gives to the documents of a corpus.

    Attributes:
        probability: float64 (n,), in facts order, NaN for documents without an embedding.
        new: bool (n,), documents of files that the last analysis did not have; None where the corpus did not grow.
    """

    probability: NDArray[np.float64]
    new: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, study: Study, rule: EmbeddingClassifier, *, new: NDArray[np.bool_] | None = None) -> ConceptScores:
        """Read the measured scores of a rule.

        Raises:
            RecipeError: they are not measured.
        """
        [measure] = rule.measures()
        scores = np.asarray(study.evidence.array(measure, rule.column), dtype=np.float64)
        return cls(1 / (1 + np.exp(-np.clip(scores, -500, 500))), new)

    @cached_property
    def _ascending(self) -> NDArray[np.float64]:
        return np.sort(self.probability[~np.isnan(self.probability)])

    def at_least(self, probability: float) -> int:
        """Return how many documents have at least this probability: what the rule keeps of all documents."""
        return int(len(self._ascending) - np.searchsorted(self._ascending, probability, side="left"))

    def shares(self, edges: Sequence[float], *, new: bool) -> NDArray[np.float64]:
        """Return the share of the old or the new documents between edges, float64 (edges - 1,)."""
        own = self.probability if self.new is None else self.probability[self.new == new]
        counts = np.histogram(own[~np.isnan(own)], bins=np.asarray(edges))[0]
        return np.asarray(counts / max(int(counts.sum()), 1), dtype=np.float64)

    @cached_property
    def drift(self) -> ScoreDrift | None:
        """Return how new scores lie against old ones, None where one part has none."""
        if self.new is None:
            return None
        old, new = (
            np.sort(part[~np.isnan(part)]) for part in (self.probability[~self.new], self.probability[self.new])
        )
        if not len(old) or not len(new):
            return None
        below = (np.searchsorted(old, new, side="left") + np.searchsorted(old, new, side="right")) / 2
        return ScoreDrift(
            len(old), len(new), float(np.median(old)), float(np.median(new)), float(below.mean() / len(old))
        )
