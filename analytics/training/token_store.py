"""The tokens of kept documents with their edited texts, made once per shard of the corpus and read from disk.

One artifact per recipe's selection, text steps, tokenizer and template. Its parts are arrays that are mapped into
memory: a reader holds what it reads. A stopped run goes on at the first shard without its parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.recipe.recipe import Step, params_of
from tamis.analytics.steps.engine import PieceInput, Work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.training.conversations import level_turns, mask_answers, render
from tamis.analytics.training.encoded import Encoded, Tokenizer
from tamis.analytics.training.kept_rows import ShardRows, kept_conversations, kept_texts
from tamis.analytics.training.packing import NEVER, TOKEN
from tamis.analytics.training.shard_store import ShardStore
from tamis.analytics.training.token_chunks import cut_levels
from tamis.analytics.training.tokenizer import load_tokenizer
from tamis.data.hashing import digest
from tamis.data.shards import Shard

VERSION = 1
"""Raised whenever the same documents give other tokens, places or levels."""
ARRAYS = ("ids", "starts", "offsets", "levels", "sizes", "mask")
_BATCH_BYTES = 8 << 20


@dataclass(frozen=True)
class Tokenization:
    """How documents become tokens.

    Attributes:
        tokenizer: its name.
        begin, end: ids put before and after every document, None for none.
        template: Jinja text for conversations, None for texts.
        steps: text steps.
    """

    tokenizer: str
    begin: int | None = None
    end: int | None = None
    template: str | None = None
    steps: tuple[Step, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """Return what decides the tokens of a text as plain values; the tokenizer by its content."""
        template = None if self.template is None else hashlib.sha256(self.template.encode()).hexdigest()
        return {
            "tokenizer": load_tokenizer(self.tokenizer).sha256,
            "begin": self.begin,
            "end": self.end,
            "template": template,
            "edits": edits_of(self.steps),
        }

    @property
    def arrays(self) -> tuple[str, ...]:
        """Return the names of the arrays of a shard."""
        return ARRAYS if self.template is not None else ARRAYS[:-1]


def edits_of(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return text steps as plain values, without their names."""
    return [{"operator": step.operator.name, "params": params_of(step.operator)} for step in steps]


def mask_digest(kept: NDArray[np.bool_]) -> str:
    """Return the sha256 of which documents are kept, bool (documents,) in facts order."""
    return hashlib.sha256(np.packbits(kept).tobytes() + str(len(kept)).encode()).hexdigest()


def token_step(rows: ShardRows, kept: NDArray[np.bool_], how: Tokenization) -> StepSpec:
    """Return the step that makes the tokens of kept documents.

    Args:
        rows: where they are.
        kept: bool (documents,) in facts order.
        how: how they become tokens.
    """
    plain = {**how.plain, "kept": mask_digest(kept)}

    def run(context: StepContext) -> None:
        work = Work(
            context.corpus.shards(),
            lambda shard: tuple(f"{name}-{shard.part}" for name in how.arrays),
            lambda shard, given: _make(shard, given),
            lambda shard: shard.rows,
            common=how,
            own=rows.of_shard,
        )
        context.fill(work)
        context.out.commit(rows=int(kept.sum()), facts={"tokenizer": how.tokenizer})

    return StepSpec(
        name=f"training-tokens-{digest(plain)[:12]}",
        version=VERSION,
        upstream=("documents",),
        params=plain,
        title="Making the tokens of kept documents",
        estimate=lambda size: Estimate(1 + size.bytes / 20e6, size.bytes * 2),
        run=run,
    )


def _make(shard: Shard, given: PieceInput) -> Mapping[str, NDArray[Any]]:
    """Return the arrays of a shard, by part."""
    how: Tokenization = given.common
    tokenizer = load_tokenizer(how.tokenizer)
    parts: list[dict[str, NDArray[Any]]] = [_arrays(Encoded(*_nothing()), np.zeros(0, np.int64), None, None)]
    if how.template is None:
        for texts in _small(kept_texts(given.corpus, shard, given.own, how.steps)):
            given.check()
            parts.append(_of_texts(texts, tokenizer, how))
    else:
        for conversations in kept_conversations(given.corpus, shard, given.own, how.steps):
            given.check()
            parts.append(_of_conversations(conversations, tokenizer, how))
    narrow = np.uint16 if tokenizer.vocabulary <= 1 << 16 else np.uint32
    joined = {name: np.concatenate([part[name] for part in parts]) for name in how.arrays if name != "offsets"}
    lengths = np.concatenate([np.diff(part["offsets"]) for part in parts])
    joined |= {"ids": joined["ids"].astype(narrow), "offsets": np.concatenate([[0], np.cumsum(lengths)])}
    return {f"{name}-{shard.part}": joined[name] for name in how.arrays}


def _nothing() -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]]:
    return np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(1, np.int64)


def _small(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """Yield texts in batches of limited bytes, so that the memory of one encoding is bounded."""
    for texts in batches:
        offsets, _ = utf8_buffers(texts)
        first = 0
        while first < len(texts):
            last = int(np.searchsorted(offsets, offsets[first] + _BATCH_BYTES, side="right")) - 1
            last = min(max(last, first + 1), len(texts))
            yield texts.slice(first, last - first)
            first = last


def _of_texts(texts: pa.Array, tokenizer: Tokenizer, how: Tokenization) -> dict[str, NDArray[Any]]:
    encoded = tokenizer.encode(texts)
    offsets, data = utf8_buffers(texts)
    levels = cut_levels(data, offsets, encoded.offsets, encoded.starts)
    sizes = np.diff(offsets)
    return _arrays(*_bordered(encoded, sizes, levels, None, how))


def _of_conversations(conversations: Any, tokenizer: Tokenizer, how: Tokenization) -> dict[str, NDArray[Any]]:
    assert how.template is not None
    rendered = render(conversations, how.template, tokenizer)
    encoded = tokenizer.encode(rendered.texts, special=True)
    offsets, data = utf8_buffers(rendered.texts)
    levels = level_turns(cut_levels(data, offsets, encoded.offsets, encoded.starts), encoded, rendered)
    mask = mask_answers(encoded, rendered)
    return _arrays(*_bordered(encoded, np.diff(offsets), levels, mask, how, without=rendered.refused))


def _bordered(
    encoded: Encoded,
    sizes: NDArray[np.int64],
    levels: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    how: Tokenization,
    *,
    without: NDArray[np.bool_] | None = None,
) -> tuple[Encoded, NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return tokens with the special ones before and after each document, but for those ``without``."""
    rows = np.flatnonzero(~without) if without is not None else np.arange(len(sizes))
    ids, starts, added = encoded.ids, encoded.starts, np.zeros(len(sizes), dtype=np.int64)
    places: list[NDArray[np.int64]] = []
    if how.end is not None:
        places, values, at = [encoded.offsets[rows + 1]], [np.full(len(rows), how.end)], [sizes[rows]]
        added[rows] += 1
    else:
        values, at = [], []
    if how.begin is not None:
        # Of two at one place, the one that ends a document comes before the one that begins the next.
        places, values, at = [*places, encoded.offsets[rows]], [*values, np.full(len(rows), how.begin)], [*at, 0 * rows]
        added[rows] += 1
    if not places:
        return encoded, sizes, levels, mask
    where, owner = np.concatenate(places), np.concatenate([rows] * len(places))
    kind = np.repeat(np.arange(len(places))[::-1], len(rows))
    order = np.lexsort((kind, owner, where))
    where = where[order]
    ids = np.insert(ids, where, np.concatenate(values)[order].astype(np.uint32))
    starts = np.insert(starts, where, np.concatenate(at)[order].astype(np.uint32))
    levels = np.insert(levels, where, TOKEN)
    offsets = encoded.offsets + np.concatenate([[0], np.cumsum(added)])
    if how.begin is not None:
        after = offsets[rows] + 1
        levels[after[after < offsets[rows + 1]]] = NEVER
    mask = None if mask is None else np.insert(mask, where, 0)
    return Encoded(ids, starts, offsets), sizes, levels, mask


def _arrays(
    encoded: Encoded, sizes: NDArray[np.int64], levels: NDArray[np.uint8] | None, mask: NDArray[np.uint8] | None
) -> dict[str, NDArray[Any]]:
    empty = np.zeros(0, dtype=np.uint8)
    return {
        "ids": encoded.ids,
        "starts": encoded.starts,
        "offsets": encoded.offsets,
        "levels": empty if levels is None else levels,
        "sizes": sizes,
        "mask": empty if mask is None else mask,
    }


class TokenStore(ShardStore):
    """The tokens of kept documents, by facts row."""

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Return the tokens of every kept document, special ones included, int64 (kept,), in source order."""
        return self.joined_sizes("offsets")

    @cached_property
    def bytes(self) -> NDArray[np.int64]:
        """Return the bytes of every kept document's text, int64 (kept,), in source order."""
        return self.joined("sizes")

    def lengths_of(self, facts_rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tokens of documents by their facts rows, int64 (m,)."""
        return self.lengths[self.rows.place[facts_rows]]

    def byte_places(self, facts_rows: NDArray[np.int64], token: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the byte of a document's text where a token begins; of the one after the last, the end, int64 (p,)."""
        place = self.rows.place[facts_rows]
        out = self.bytes[place].copy()
        inside = np.flatnonzero(token < self.lengths[place])
        out[inside] = self.gather("starts", facts_rows[inside], token[inside], token[inside] + 1)
        return out
