"""The kept documents of a shard as training reads them: with edited texts, or as messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.editor import Editor, edit_columns
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.signals.audit_tokens import listed_tools
from tamis.analytics.signals.chat_template import Message, messages_of
from tamis.data.corpus import Corpus
from tamis.data.curated import RankedBatch
from tamis.data.documents import Documents
from tamis.data.parts import Parts
from tamis.data.paths import path_of
from tamis.data.schema import at_path
from tamis.data.shards import Shard

_ID = "document"


def text_steps(recipe: Recipe) -> tuple[Step, ...]:
    """Return the active steps of a recipe that edit texts."""
    return tuple(step for step in recipe.active if isinstance(step.operator, TextOperator))


def is_chat(corpus: Corpus) -> bool:
    """Return whether the documents of a corpus are conversations, which have messages."""
    return corpus.shape.kind not in ("text", "template")


@dataclass(frozen=True, eq=False)
class ShardRows:
    """Where the kept documents of each shard are.

    Attributes:
        kept: bool (documents,), in source order.
        bounds: int64 (shards + 1,), the first document of each shard in source order.
        place: int64 (documents,) in facts order, number of each kept document in source order; -1 for others.
    """

    kept: NDArray[np.bool_]
    bounds: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, corpus: Corpus, documents: Documents, kept: NDArray[np.bool_]) -> ShardRows:
        """Return the places of the kept documents, bool (documents,) in facts order."""
        rows = documents.facts_rows
        shards = documents.shard[rows]
        place = np.full(documents.n, -1, dtype=np.int64)
        place[rows[kept[rows]]] = np.arange(int(kept.sum()))
        return cls(kept[rows], np.searchsorted(shards, np.arange(len(corpus.shards()) + 1)), place)

    def of_shard(self, shard: Shard) -> NDArray[np.bool_]:
        """Return which documents of a shard are kept, bool (documents of it,)."""
        return self.kept[self.bounds[shard.index] : self.bounds[shard.index + 1]]

    def firsts(self) -> NDArray[np.int64]:
        """Return the number of the first kept document of each shard, int64 (shards + 1,)."""
        return np.concatenate([[0], np.cumsum(self.kept)])[self.bounds]


def kept_texts(corpus: Corpus, shard: Shard, kept: NDArray[np.bool_], steps: Sequence[Step]) -> Iterator[pa.Array]:
    """Yield the edited texts of the kept documents of a shard, large_string without NULL, in source order.

    Args:
        corpus: the corpus.
        shard: one of its shards.
        kept: bool (documents of the shard,).
        steps: text steps.
    """
    if corpus.shape.kind != "text":
        for parts, _ in kept_parts(corpus, shard, kept, steps):
            yield corpus.shape.join(parts).fill_null("")
        return
    first = 0
    for texts in corpus.document_texts(shard):
        some = texts.filter(pa.array(kept[first : first + len(texts)])).cast(pa.large_string())
        first += len(texts)
        for step in steps:
            assert isinstance(step.operator, TextOperator)
            some = step.operator.edit(some)
        yield some


def kept_parts(
    corpus: Corpus, shard: Shard, kept: NDArray[np.bool_], steps: Sequence[Step]
) -> Iterator[tuple[Parts, list[Any]]]:
    """Yield the parts of the kept documents of a shard with edited texts, and the declared tools of each.

    Args:
        corpus: of any shape but text.
        shard: one of its shards.
        kept: bool (documents of the shard,).
        steps: text steps.
    """
    tools = corpus.shape.columns.get("tools")
    heads = dict.fromkeys(corpus.head(path) for path in [*corpus.shape.paths, *filter(None, [tools])])
    columns = [path_of(corpus.schema, (head,)) for head in heads]
    first = 0
    for batch in corpus.batches(shard, columns=columns):
        batch = batch.rename_columns(list(heads))
        parts = corpus.parts(batch)
        sound = parts.reasons.is_null().to_numpy(zero_copy_only=False)
        chosen = np.flatnonzero(sound)[kept[first : first + int(sound.sum())]]
        first += int(sound.sum())
        some = batch.take(pa.array(chosen))
        # An edit may empty a text; what is a document was decided before.
        own = corpus.parts(_edited(some, steps, corpus)) if steps else parts.take(chosen)
        stated = [None] * len(chosen) if tools is None else at_path(some, tools).to_pylist()
        yield own, [listed_tools(value) for value in stated]


def _edited(batch: pa.RecordBatch, steps: Sequence[Step], corpus: Corpus) -> pa.RecordBatch:
    """Return rows with edited texts."""
    name = max([_ID, *(f"{column}_" for column in batch.schema.names)], key=len)
    numbers = np.arange(batch.num_rows)
    whole = batch.append_column(name, pa.array(numbers).cast(pa.string()))
    (edited,) = edit_columns(iter([RankedBatch(numbers, whole)]), Editor(steps), corpus, name)
    return edited.batch


def kept_conversations(
    corpus: Corpus, shard: Shard, kept: NDArray[np.bool_], steps: Sequence[Step]
) -> Iterator[list[tuple[list[Message], Any]]]:
    """Yield the kept conversations of a shard in batches: edited messages and declared tools of each."""
    for parts, tools in kept_parts(corpus, shard, kept, steps):
        yield [(messages_of(parts, row), tools[row]) for row in range(len(parts))]
