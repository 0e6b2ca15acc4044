"""Review queues: the documents to review, in an order that everyone shares and that does not reveal decisions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.review.agreement import DROP, Votes
from tamis.analytics.study.documents import sample_rows
from tamis.analytics.study.scene import Scene
from tamis.data.errors import RecipeError
from tamis.data.hashing import digest, mix_keys

Kind = Literal["mixed", "dropped", "borderline", "kept", "disagreement", "selection"]
TITLES: dict[Kind, str] = {
    "mixed": "Kept and dropped, half and half",
    "dropped": "Dropped by a step",
    "borderline": "Nearest the threshold of a step",
    "kept": "Kept",
    "disagreement": "People disagree, or the recipe with them",
    "selection": "The selection",
}
NEEDS_STEP: tuple[Kind, ...] = ("dropped", "borderline")
MOST = 2000
SEARCHED = 2000
"""Most voted documents to look up one by one in the sorted ids; more need one pass over all ids."""


@dataclass(frozen=True)
class Queue:
    """The documents to review.

    Attributes:
        kind: rule of the choice.
        step: id of the step, for ``dropped`` and ``borderline``; ``dropped`` without one takes all dropped documents.
        size: most documents of the queue.
        seed: of the keyed hash that chooses and orders.
    """

    kind: Kind = "mixed"
    step: str = ""
    size: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise RecipeError("Unknown review queue", value=self.kind, allowed=get_args(Kind))
        if not 1 <= self.size <= MOST:
            raise RecipeError("Size of a review queue", value=self.size, allowed=f"1 to {MOST}")

    def digest(self, scene: Scene) -> str:
        """Return the digest of the queue on these documents: people with the same digest read the same documents."""
        return digest([asdict(self), scene.digest])[:16]


def queue_rows(scene: Scene, queue: Queue, votes: Votes) -> NDArray[np.int64]:
    """Return the facts rows of a queue in reading order, int64 (<= size,).

    The order is by keyed hash, so it does not reveal decisions; only ``borderline`` begins with the nearest.

    Raises:
        RecipeError: the queue needs a recipe, a step with a threshold, or a selection.
    """
    if queue.kind == "selection":
        if not scene.selection:
            raise RecipeError("Nothing is selected", fix="select documents on any page, then review them here")
        return sample_rows(scene, which="selected", n=queue.size, seed=queue.seed)
    outcome = scene.outcome
    if outcome is None or not outcome.steps:
        if queue.kind in ("kept", "mixed"):
            return sample_rows(scene, n=queue.size, seed=queue.seed)
        raise RecipeError("The recipe has no rules yet, so nothing is dropped", fix="review the kept documents")
    if queue.step and not outcome.number(queue.step):
        raise RecipeError(
            "The recipe has no such active step", value=queue.step, allowed=[step.id for step in outcome.steps]
        )
    if queue.kind == "borderline":
        return _borderline(scene, outcome, queue)
    if queue.kind == "disagreement":
        return _shuffled(scene, _disputed(scene, outcome, votes), queue)[: queue.size]
    if queue.kind == "mixed":
        half = queue.size // 2
        dropped = sample_rows(scene, which="dropped", n=half, seed=queue.seed)
        kept = sample_rows(scene, which="kept", n=queue.size - len(dropped), seed=queue.seed)
        return _shuffled(scene, np.concatenate([dropped, kept]), queue)
    step = queue.step if queue.kind == "dropped" and queue.step else None
    return sample_rows(
        scene, which="kept" if queue.kind == "kept" else "dropped", step=step, n=queue.size, seed=queue.seed
    )


def _shuffled(scene: Scene, rows: NDArray[np.int64], queue: Queue) -> NDArray[np.int64]:
    keys = mix_keys(scene.facts.keys[rows], seed=queue.seed, salt="review")
    return rows[np.lexsort((rows, keys))]


def _disputed(scene: Scene, outcome: Outcome, votes: Votes) -> NDArray[np.int64]:
    """Return the documents on which people disagree, or whose majority differs from the recipe."""
    rows = places(scene, votes)
    known = rows >= 0
    says = votes.consensus()
    against = np.zeros(len(rows), dtype=bool)
    against[known] = (says[known] >= 0) & ((says[known] == DROP) != (outcome.deciding[rows[known]] > 0))
    return np.sort(rows[known & (against | votes.disputed())])


def places(scene: Scene, votes: Votes) -> NDArray[np.int64]:
    """Return the facts row of each voted document, int64 (documents,), -1 for one that is not in the corpus."""
    return document_rows(scene.facts, votes.documents)


def document_rows(facts: Facts, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the facts row of each id, int64 (names,), -1 for one that is not in the corpus."""
    ids = facts.ids
    if len(names) > SEARCHED:
        found = pc.index_in(pa.array(names, pa.string()), ids)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    rows = [bisect_left(range(len(ids)), name, key=lambda row: ids[row].as_py()) for name in names]
    known = [row < len(ids) and ids[row].as_py() == name for row, name in zip(rows, names, strict=True)]
    return np.where(known, rows, -1).astype(np.int64)


def _borderline(scene: Scene, outcome: Outcome, queue: Queue) -> NDArray[np.int64]:
    """Return the documents nearest to the threshold of the step, nearest first."""
    rows, distance = _distances(scene, outcome, queue.step)
    near = np.isfinite(distance)
    rows, distance = rows[near], distance[near]
    keys = mix_keys(scene.facts.keys[rows], seed=queue.seed, salt="review")
    return rows[np.lexsort((keys, distance))[: queue.size]]


def _distances(scene: Scene, outcome: Outcome, step_id: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the documents a step judged and their distances to its threshold; not finite = unknown."""
    number = outcome.number(step_id)
    if not number:
        raise RecipeError("Choose a step", allowed=[step.id for step in outcome.steps])
    operator = outcome.steps[number - 1].operator
    if isinstance(operator, RowOperator):
        name = getattr(operator, "signal", None)
        if name is not None and scene.facts.info(name).numeric:
            reached = np.flatnonzero((outcome.deciding == 0) | (outcome.deciding >= number))
            passed = row_masks(scene.facts, [operator])[0][reached]
            return reached, to_other_side(scene.facts.numbers(name)[reached], passed)
    elif (trace := outcome.traces.get(step_id)) is not None:
        value, similarity = trace.decision.value, trace.decision.similarity
        if similarity is not None and not np.isnan(similarity).all():
            # The least similar of the dropped documents are nearest to being kept.
            return trace.rows, similarity.astype(np.float64)
        if value is not None and pa.types.is_floating(value.type):
            numbers = np.asarray(value.to_numpy(zero_copy_only=False), dtype=np.float64)
            return trace.rows, to_other_side(numbers, trace.decision.copies > 0)
    raise RecipeError(
        "This step has no threshold",
        value=step_id,
        fix="choose a step with a threshold, or the documents it dropped",
    )


def to_other_side(values: NDArray[np.float64], passed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each value to the nearest one with the other decision, (n,), inf without any."""
    distance = np.full(len(values), np.inf)
    for side in (True, False):
        mine = np.flatnonzero((passed == side) & np.isfinite(values))
        others = np.unique(values[(passed != side) & np.isfinite(values)])
        if not len(others) or not len(mine):
            continue
        place = np.searchsorted(others, values[mine])
        below = others[np.clip(place - 1, 0, len(others) - 1)]
        above = others[np.clip(place, 0, len(others) - 1)]
        distance[mine] = np.minimum(np.abs(values[mine] - below), np.abs(values[mine] - above))
    return distance
