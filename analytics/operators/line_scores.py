"""How much each line of a text reads like prose, and how much of a document lines below a threshold are.

A line scores letters * w / (w + 3) * ending * case, each factor in [0, 1]:

- letters: the share of letters and marks among its characters that are not white space;
- w: its words with a letter or digit between white space, two characters of a script without spaces being a word;
- ending: 1 after a mark that ends a sentence, else 0.7;
- case: 1 up to half of the letters in upper case, falling to 0 where all are.

A line of prose scores above 0.5, a heading or a label 0.1 to 0.35, menus, counters and numbers less. The factors are
those of published line rules (C4: closed lines and words; RefinedWeb: upper case, numbers, counters and single words),
which decide by one after the other; the score puts them on one scale. Blank lines have no score.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.boilerplate import Passages
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, text_column_step
from tamis.analytics.steps.step import Estimate, StepSpec
from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import ALNUM, ALPHA, MARK, SPACE, TERMINAL, UNSPACED, UPPER

KIND = "line_loss"
OPEN = 0.7
"""The factor of a line that does not end in a mark that ends a sentence."""


def line_scores(passages: Passages) -> NDArray[np.float64]:
    """Return the score of each line, float64 (p,) in [0, 1], NaN for a blank one."""
    block = Block.decode(passages.edges, passages.data)
    scores = np.full(len(passages), np.nan)
    _score(block.classes, block.starts, scores)
    return scores


@njit(cache=True, nogil=True)
def _score(classes, starts, scores):  # type: ignore[no-untyped-def]
    for line in range(len(starts) - 1):
        shown, letters, upper, cased, words, unspaced = 0, 0, 0, 0, 0, 0
        counted, closed = False, False
        for i in range(starts[line], starts[line + 1]):
            kind = classes[i]
            if (kind & SPACE) != 0:
                counted = False
                continue
            shown += 1
            closed = (kind & TERMINAL) != 0
            if (kind & (ALPHA | MARK)) != 0:
                letters += 1
            if (kind & ALPHA) != 0:
                cased += 1
                upper += 1 if (kind & UPPER) != 0 else 0
            if (kind & UNSPACED) != 0:
                unspaced += 1
            elif (kind & ALNUM) != 0 and not counted:
                words += 1
                counted = True
        if shown == 0:
            continue
        size = words + unspaced / 2.0
        case = min(1.0, 2.0 - 2.0 * upper / cased) if cased > 0 else 1.0
        scores[line] = letters / shown * size / (size + 3.0) * (1.0 if closed else OPEN) * case


def loss(texts: pa.Array, below: float) -> pa.Array:
    """Return the share of each text's characters (as UTF-8 bytes) in lines that score less, float32 (n,).

    Blank lines do not count; NULL where there are no others.
    """
    passages = Passages.of(texts, unit="line")
    scores = line_scores(passages)
    sizes = passages.sizes * ~np.isnan(scores)
    whole = np.bincount(passages.owners, sizes, len(texts))
    lost = np.bincount(passages.owners, sizes * (scores < below), len(texts))
    share = np.divide(lost, whole, out=np.zeros(len(texts)), where=whole > 0)
    return pa.array(share.astype(np.float32), mask=whole == 0)


def loss_measure(below: float, *, column: str) -> Measure:
    """Return the measure of ``loss``."""
    return Measure(KIND, (("below", below),), column=column)


def _step(measure: Measure) -> StepSpec:
    below = float(dict(measure.params)["below"])
    return text_column_step(
        measure, lambda texts: loss(texts, below), pa.float32(), title="Scoring lines",
        estimate=lambda size: Estimate(0.1 + size.bytes / 30e6, size.documents * 4),
    )  # fmt: skip


MEASURES.register(MeasureKind(KIND, "Text in lines of low quality", step=_step))
