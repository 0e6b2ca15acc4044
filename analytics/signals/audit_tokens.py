"""Tokens of conversations under a chat template: all of them, those under loss, and those a context length cuts.

The tokens under loss are those of what the assistant says. Pieces of text before and after its turns are tokenised
apart, as when a model is trained on them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.audit_tools import declared_tools
from tamis.analytics.signals.chat_template import compiled, messages_of, rendered_pieces, template_text
from tamis.analytics.signals.token_counter import PACKAGED, count, tokenizer_path
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256
from tamis.data.message import compact, json_list
from tamis.data.parts import CONVENTION, Parts
from tamis.data.shards import Shard

KIND = "chat_tokens"
VERSION = 1
NAMES = ("template_tokens", "loss_tokens", "cut_share", "cut_loss_share")
"""All tokens; those under loss; the share of each that lies after the context length."""
_SCHEMA = pa.schema(list(zip(NAMES, (pa.int32(), pa.int32(), pa.float32(), pa.float32()), strict=True)))


def chat_tokens_measure(template: str, tokenizer: str, context: int, *, column: str) -> Measure:
    """Return the measure of tokens under a template; see ``chat_template.template_text`` and ``tokenizer_path``.

    ``column`` is one of ``NAMES``, an underscore and a digest.
    """
    return Measure(KIND, (("context", context), ("template", template), ("tokenizer", tokenizer)), column=column)


def chat_token_table(parts: Parts, tools: pa.Array | None, *, template: str, tokenizer: str, context: int) -> pa.Table:
    """Return ``NAMES`` of the rows of ``parts``, NULL where the template refuses a conversation.

    Args:
        parts: of sound rows, whole.
        tools: the column of declared tools, (n,), None if there is none.
        template: Jinja text.
        tokenizer: see ``tokenizer_path``.
        context: most tokens that training reads of a conversation.
    """
    run = compiled(template)
    texts: list[str] = []
    said: list[bool] = []
    starts = [0]
    refused = np.zeros(len(parts), dtype=np.bool_)
    for row in range(len(parts)):
        stated = None if tools is None else listed_tools(tools[row].as_py())
        pieces = rendered_pieces(run, messages_of(parts, row), stated)
        refused[row] = pieces is None
        for text, mine in pieces or ():
            texts.append(text)
            said.append(mine)
        starts.append(len(texts))
    tokens = count(pa.array(texts, pa.large_string()), tokenizer).tokens(tokenizer).astype(np.int64)
    values = np.full((len(parts), len(NAMES)), np.nan)
    for row in np.flatnonzero(~refused).tolist():
        span = slice(starts[row], starts[row + 1])
        values[row] = _cut(tokens[span], np.array(said[span], dtype=np.bool_), context)
    columns = [
        pa.array(np.where(refused, 0, values[:, at]).astype(field.type.to_pandas_dtype()), mask=refused)
        for at, field in enumerate(_SCHEMA)
    ]
    return pa.table(columns, schema=_SCHEMA)


def listed_tools(value: Any) -> list[Any] | None:
    """Return declared tools as a template reads them, None if there are none."""
    if not declared_tools(value):
        return None
    return json_list(value) if isinstance(value, str) else [json.loads(compact(item)) for item in value]


def _cut(tokens: NDArray[np.int64], said: NDArray[np.bool_], context: int) -> tuple[float, float, float, float]:
    """Return ``NAMES`` of one conversation from the tokens of its pieces."""
    ends = np.cumsum(tokens)
    beyond = np.minimum(np.maximum(ends - context, 0), tokens)
    total, loss = int(tokens.sum()), int(tokens[said].sum())
    return total, loss, beyond.sum() / max(total, 1), beyond[said].sum() / max(loss, 1)


def _step(measure: Measure) -> StepSpec:
    asked = dict(measure.params)
    text, tokenizer, context = template_text(str(asked["template"])), str(asked["tokenizer"]), int(asked["context"])
    compiled(text)
    path = tokenizer_path(tokenizer)

    def counted(shard: Shard, given: PieceInput) -> pa.Table:
        return pa.concat_tables([_SCHEMA.empty_table(), *_tables(shard, given)]).combine_chunks()

    def _tables(shard: Shard, given: PieceInput) -> Iterator[pa.Table]:
        tools = given.corpus.shape.columns.get("tools")
        for parts, further in given.corpus.document_parts(shard, columns=() if tools is None else (tools,)):
            given.check()
            column = None if tools is None else further.column(0)
            yield chat_token_table(parts, column, template=text, tokenizer=tokenizer, context=context)
            given.advance(len(parts))

    def run(context_: StepContext) -> None:
        if context_.corpus.shape.kind in ("text", "template"):
            raise SettingError(
                "Only conversations have tokens under a chat template", value=context_.corpus.shape.words,
                fix="open the corpus with --shape conversation:",
            )  # fmt: skip
        tools = context_.corpus.shape.columns.get("tools")
        rows = RowByRow(columns=() if tools is None else (tools,))
        context_.fill(shard_work(context_.corpus, counted, rows_of=rows))
        context_.out.commit(rows=context_.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=VERSION,
        upstream=("documents",),
        params={
            "context": context,
            "template": sha256(text.encode()).hexdigest(),
            "tokenizer": tokenizer if tokenizer in PACKAGED else path.name,
            "sha256": file_sha256(path),
            "parts": CONVENTION,
        },
        title="Counting tokens under a chat template",
        estimate=lambda size: Estimate(1 + size.documents * 3e-4 + size.bytes / 5e6, size.documents * 8),
        run=run,
    )


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.float64]:
    column = load_column(artifact, documents, name.rpartition("_")[0]).cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


MEASURES.register(MeasureKind(KIND, "Tokens under a chat template", step=_step, read=_read))
