"""The edited texts of kept documents, and the messages of conversations, made once per shard and read from disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.recipe.recipe import Step
from tamis.analytics.signals.chat_template import messages_of
from tamis.analytics.steps.engine import PieceInput, Work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.training.data import MESSAGE
from tamis.analytics.training.kept_rows import ShardRows, is_chat, kept_parts, kept_texts
from tamis.analytics.training.shard_store import ShardStore
from tamis.analytics.training.token_store import edits_of, mask_digest
from tamis.data.hashing import digest
from tamis.data.shards import Shard

VERSION = 1
_TEXTS = ("text", "offsets")
_MESSAGES = ("messages", "message_offsets")


@dataclass(frozen=True)
class _StoredTexts:
    """What a shard's texts are made with."""

    steps: tuple[Step, ...]
    chat: bool

    @property
    def arrays(self) -> tuple[str, ...]:
        return (*_TEXTS, *_MESSAGES) if self.chat else _TEXTS


def text_step(rows: ShardRows, kept: NDArray[np.bool_], steps: tuple[Step, ...], *, chat: bool) -> StepSpec:
    """Return the step that makes the edited texts of kept documents.

    Args:
        rows: where they are.
        kept: bool (documents,) in facts order.
        steps: text steps.
        chat: whether the documents are conversations, see ``is_chat``.
    """
    how = _StoredTexts(steps, chat)
    plain = {"edits": edits_of(steps), "kept": mask_digest(kept), "messages": chat}

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
        context.out.commit(rows=int(kept.sum()))

    return StepSpec(
        name=f"training-texts-{digest(plain)[:12]}",
        version=VERSION,
        upstream=("documents",),
        params=plain,
        title="Reading the texts of kept documents",
        estimate=lambda size: Estimate(1 + size.bytes / 80e6, size.bytes),
        run=run,
    )


def _make(shard: Shard, given: PieceInput) -> Mapping[str, NDArray[Any]]:
    """Return the arrays of a shard, by part."""
    how: _StoredTexts = given.common
    texts: list[pa.Array] = [pa.array([], pa.large_string())]
    messages = [pa.array([], pa.large_string())]
    if is_chat(given.corpus):
        for parts, _ in kept_parts(given.corpus, shard, given.own, how.steps):
            given.check()
            texts.append(given.corpus.shape.join(parts).fill_null(""))
            said = [json.dumps(messages_of(parts, row), ensure_ascii=False) for row in range(len(parts))]
            messages.append(pa.array(said, pa.large_string()))
    else:
        for some in kept_texts(given.corpus, shard, given.own, how.steps):
            given.check()
            texts.append(some)
    found = {
        name: value
        for names, parts_ in ((_TEXTS, texts), (_MESSAGES, messages))
        for name, value in _flat(names, parts_)
    }
    return {f"{name}-{shard.part}": found[name] for name in how.arrays}


def _flat(names: Sequence[str], parts: Sequence[pa.Array]) -> list[tuple[str, NDArray[Any]]]:
    offsets, data = utf8_buffers(pa.concat_arrays(parts))
    return [(names[0], data[offsets[0] : offsets[-1]].copy()), (names[1], offsets - offsets[0])]


class TextStore(ShardStore):
    """The texts of kept documents, by facts row."""

    @cached_property
    def bytes(self) -> NDArray[np.int64]:
        """Return the bytes of every kept document's text, int64 (kept,), in source order."""
        return self.joined_sizes("offsets")

    @cached_property
    def _message_bytes(self) -> NDArray[np.int64]:
        return self.joined_sizes("message_offsets")

    def bytes_of(self, facts_rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bytes of documents by their facts rows, int64 (m,)."""
        return self.bytes[self.rows.place[facts_rows]]

    def texts(self, facts_rows: NDArray[np.int64]) -> pa.Array:
        """Return the texts of documents, large_string (m,)."""
        return self._strings("text", "offsets", facts_rows, self.bytes_of(facts_rows))

    def messages(self, facts_rows: NDArray[np.int64]) -> pa.Array:
        """Return the messages of conversations, list of ``MESSAGE`` (m,); calls of tools as JSON."""
        sizes = self._message_bytes[self.rows.place[facts_rows]]
        held = self._strings("messages", "message_offsets", facts_rows, sizes).to_pylist()
        return pa.array([[_plain(message) for message in json.loads(text)] for text in held], pa.list_(MESSAGE))

    def _strings(self, name: str, offsets: str, rows: NDArray[np.int64], sizes: NDArray[np.int64]) -> pa.Array:
        data = self.gather(name, rows, np.zeros(len(rows), dtype=np.int64), sizes, offsets=offsets)
        borders = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return pa.LargeStringArray.from_buffers(len(rows), pa.py_buffer(borders), pa.py_buffer(data))


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": None if calls is None else json.dumps(calls, ensure_ascii=False)}
