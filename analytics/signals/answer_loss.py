"""What a causal language model says of answers: how much a prompt helps, and which of two answers is likelier.

Sources: Li et al. 2023, arXiv 2308.12032 (instruction-following difficulty: the mean loss of the answer after the
prompt, divided by that of the answer alone); Rafailov et al. 2023, arXiv 2305.18290 (log-likelihoods of chosen and
rejected answers).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.causal_model import (
    CausalModel,
    load_model,
    model_digest,
    model_path,
    one_thread,
    weight_bytes,
)
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.errors import SettingError
from tamis.data.parts import BLANK_LINE, CONVENTION, Parts
from tamis.data.shards import Shard

VERSION = 1
IFD, MARGIN = "ifd", "pair_margin"
Kind = Literal["ifd", "pair_margin"]
_DIGITS = 4
_NEEDS = {IFD: ("prompt", "response"), MARGIN: ("chosen", "rejected")}
_WORDS = {
    IFD: "prompts with answers: conversations, or prompt and response",
    MARGIN: "preference pairs: a chosen and a rejected answer",
}
_SCHEMA = pa.schema([("value", pa.float32())])


def answer_measure(kind: Kind, model: str, most: int, *, column: str) -> Measure:
    """Return the measure of ``difficulties`` or ``margins`` by a model, see ``model_path``, on ``most`` tokens."""
    return Measure(kind, (("model", model), ("most", most)), column=column)


def difficulties(parts: Parts, model: CausalModel, *, most: int) -> NDArray[np.float64]:
    """Return mean loss of each answer after its prompt / mean loss of the answer alone, float64 (n,), NaN without both.

    Below 1 the prompt helps; at 1 or above the answer is no easier to foresee with it.
    """
    found = np.full(len(parts), np.nan)
    for row, (prompt, answer) in enumerate(_texts(parts, "prompt", "response")):
        if prompt and answer:
            after, alone = (model.loss(each, answer, most=most)[0] for each in (prompt + BLANK_LINE, ""))
            found[row] = after / alone if alone > 0 else np.nan
    return np.round(found, _DIGITS)


def margins(parts: Parts, model: CausalModel, *, most: int) -> NDArray[np.float64]:
    """Return log-likelihood per token of the chosen less that of the rejected answer, float64 (n,), NaN without."""
    found = np.full(len(parts), np.nan)
    for row, (prompt, chosen, rejected) in enumerate(_texts(parts, "prompt", "chosen", "rejected")):
        before = prompt + BLANK_LINE if prompt else ""
        sides = [model.loss(before, each, most=most) for each in (chosen, rejected)]
        if all(tokens for _, tokens in sides):
            (ours, n), (theirs, m) = sides
            found[row] = theirs / m - ours / n
    return np.round(found, _DIGITS)


def _texts(parts: Parts, *scopes: str) -> list[tuple[str, ...]]:
    return list(zip(*(parts.scope(name).join().to_pylist() for name in scopes), strict=True))


_VALUES: dict[str, Callable[..., NDArray[np.float64]]] = {IFD: difficulties, MARGIN: margins}


def _step(measure: Measure) -> StepSpec:
    asked = dict(measure.params)
    path, most = model_path(str(asked["model"])), int(asked["most"])
    values = _VALUES[measure.kind]

    def scored(shard: Shard, given: PieceInput) -> pa.Table:
        found = []
        with one_thread():
            for parts, _ in given.corpus.document_parts(shard):
                for start in range(0, len(parts), 16):
                    given.check()
                    some = parts.take(np.arange(start, min(start + 16, len(parts))))
                    found.append(values(some, load_model(Path(path)), most=most))
                    given.advance(len(some))
        numbers = np.concatenate([np.empty(0), *found]).astype(np.float32)
        return pa.table([pa.array(numbers, mask=np.isnan(numbers))], schema=_SCHEMA)

    def run(context: StepContext) -> None:
        kind = context.corpus.shape.kind
        if kind in ("text", "template") or (measure.kind == MARGIN) != (kind == "preference"):
            raise SettingError(f"This measure reads {_WORDS[measure.kind]}", value=context.corpus.shape.words)
        load_model(path)
        context.fill(shard_work(context.corpus, scored, rows_of=RowByRow()))
        context.out.commit(rows=context.documents.n)

    # Two operations for a weight and token; answers are read twice.
    speed = 1.5e10 / max(weight_bytes(path), 1)
    return StepSpec(
        name=step_name(measure),
        version=VERSION,
        upstream=("documents",),
        params={"model": model_digest(path), "most": most, "parts": CONVENTION},
        title="Reading answers with a language model",
        estimate=lambda size: Estimate(20 + 2 * size.bytes / 4 / speed, size.documents * 4),
        run=run,
    )


for _kind, _title in ((IFD, "Instruction-following difficulty"), (MARGIN, "Likelihood of chosen against rejected")):
    MEASURES.register(MeasureKind(_kind, _title, step=_step))
