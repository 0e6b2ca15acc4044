"""Preference pairs: how alike the two answers are, and where the pairs of one prompt contradict one another.

Similarity is that of ``near_dedup``: Jaccard of the sets of word 5-grams of the normalised texts. Prompts and answers
count as the same if their normalised texts are (``text.normal_form``), by 128-bit hashes. A pair is contradictory if
the pairs of its prompt, read as arrows from the chosen to the rejected answer, lead in a circle through it; a reversed
pair makes the shortest one. Circles are the strongly connected components of that graph.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tamis.analytics.duplicates.exact import TextHashes
from tamis.analytics.duplicates.shingles import Shingles, similarities
from tamis.analytics.signals.preference_signals import PAIR_SIGNALS, STEP
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.normal_form import CONVENTION
from tamis.data.parts import CHOSEN, REJECTED, Parts
from tamis.data.parts import CONVENTION as PARTS
from tamis.data.shards import Shard

VERSION = 1
GRAM = 5
_HASHED = ("prompt", "chosen", "rejected")
_KEYS = tuple(f"{side}_{word}" for side in _HASHED for word in ("low", "high"))


_SCHEMA = pa.schema([(signal.name, signal.arrow_type) for signal in PAIR_SIGNALS])
_OWN = tuple(signal.name for signal in PAIR_SIGNALS[:5])


def pair_table(parts: Parts) -> pa.Table:
    """Return the signals of single pairs, and the hashes that find the same prompts and answers, (n,) rows.

    A row without both sides has NULL signals.
    """
    both = np.logical_and(
        *(np.bincount(parts.rows[parts.role == side], minlength=len(parts)) > 0 for side in (CHOSEN, REJECTED))
    )
    chosen, rejected, prompt = (parts.scope(name).join() for name in ("chosen", "rejected", "prompt"))
    sizes = [pc.utf8_length(side).to_numpy(zero_copy_only=False).astype(np.float64) for side in (chosen, rejected)]
    values = {
        "chosen_equals_rejected": pc.equal(chosen, rejected).to_numpy(zero_copy_only=False).astype(np.float64),
        "chosen_rejected_similarity": _similarity(chosen, rejected).astype(np.float64),
        "chosen_rejected_length_ratio": np.divide(
            sizes[0], sizes[1], out=np.full(len(parts), np.nan), where=sizes[1] > 0
        ),
        "chosen_chars": sizes[0],
        "rejected_chars": sizes[1],
    }
    signals = {name: SIGNALS[name].column(np.where(both, values[name], np.nan)) for name in _OWN}
    hashes = np.column_stack([TextHashes.of(side).norm for side in (prompt, chosen, rejected)])
    # A row without both sides prefers nothing: its arrow leads nowhere.
    hashes[~both, 4:] = hashes[~both, 2:4]
    keys = {name: np.ascontiguousarray(hashes[:, at]) for at, name in enumerate(_KEYS)}
    return pa.table({**signals, **keys, "both": both})


def _similarity(left: pa.Array, right: pa.Array) -> NDArray[np.float32]:
    sides = []
    for texts in (left, right):
        sets = Shingles.of(texts, unit="word", n=GRAM).sorted()
        sides.append((sets.starts[:-1], sets.starts[1:], sets.hashes))
    rows = np.arange(len(left))
    return similarities((rows, rows), sides[0], sides[1], metric="jaccard")


def find_contradictions(keys: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which pairs are part of a circle, bool (n,), and how many pairs reverse each, int64 (n,).

    Args:
        keys: uint64 (n, 6), hashes of prompt, chosen and rejected answer, two words each.
    """
    n = len(keys)
    nodes = _numbered(np.vstack([keys[:, :4], keys[:, [0, 1, 4, 5]]]))
    chosen, rejected = nodes[:n], nodes[n:]
    count = int(nodes.max(initial=-1)) + 1
    graph = coo_array((np.ones(n, dtype=np.int8), (chosen, rejected)), shape=(count, count))
    _, component = connected_components(graph.tocsr(), directed=True, connection="strong") if count else (0, nodes)
    proper = chosen != rejected
    arrows, reversed_ = chosen * count + rejected, rejected * count + chosen
    known, sizes = np.unique(arrows, return_counts=True)
    place = np.minimum(np.searchsorted(known, reversed_), max(len(known) - 1, 0))
    found = proper & (known[place] == reversed_) if n else proper
    flips = np.where(found, sizes[place], 0) if n else np.zeros(0, dtype=np.int64)
    return proper & (component[chosen] == component[rejected]), flips.astype(np.int64)


def _numbered(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return a number for each row, the same for equal rows, int64 (m,)."""
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    new = np.concatenate([[False], (ordered[1:] != ordered[:-1]).any(axis=1)])[: len(order)]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def preference_step() -> StepSpec:
    """Return the step that compares the sides of every preference pair, and the pairs of every prompt.

    Its parts hold ``PAIR_SIGNALS`` in source order; memory is 150 bytes a pair.
    """

    def paired(shard: Shard, given: PieceInput) -> pa.Table:
        return _joined(pair_table(parts) for parts, _ in _checked(shard, given))

    def run(context: StepContext) -> None:
        shards: Sequence[Shard] = context.corpus.shards()
        context.fill(shard_work(context.corpus, paired, part=_pair_part, rows_of=RowByRow("pair")))
        parts = [context.out.read_table(_pair_part(shard)) for shard in shards]
        keys = [np.column_stack([part.column(name).to_numpy() for name in _KEYS]) for part in parts]
        both = np.concatenate([part.column("both").to_numpy() for part in parts])
        contradictory, flips = find_contradictions(np.concatenate(keys))
        first = 0
        for shard, part in zip(shards, parts, strict=True):
            span = slice(first, first + part.num_rows)
            found = {"contradictory_preference": contradictory[span], "flips": flips[span]}
            columns = [
                SIGNALS[name].column(np.where(both[span], found[name], np.nan)) if name in found else part.column(name)
                for name in _SCHEMA.names
            ]
            context.out.write_table(shard.part, pa.table(columns, schema=_SCHEMA))
            context.out.drop_part(_pair_part(shard), keep=True)
            first += part.num_rows
        context.out.commit(rows=context.documents.n, facts={"signals": [signal.key for signal in PAIR_SIGNALS]})

    return StepSpec(
        name=STEP,
        version=VERSION,
        upstream=("documents",),
        params={
            "signals": [signal.key for signal in PAIR_SIGNALS],
            "parts": PARTS,
            "convention": CONVENTION,
            "unicode": unicodedata.unidata_version,
        },
        title="Comparing preference pairs",
        estimate=lambda size: Estimate(0.5 + size.bytes / 40e6 + size.documents * 4e-6, size.documents * 25),
        run=run,
    )


def _checked(shard: Shard, given: PieceInput) -> Iterable[tuple[Parts, pa.RecordBatch]]:
    for found in given.corpus.document_parts(shard):
        given.check()
        yield found


def _joined(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables([pair_table(Parts.of([])), *tables]).combine_chunks()


def _pair_part(shard: Shard) -> str:
    return f"pairs-{shard.index:05d}"
