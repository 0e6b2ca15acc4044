"""The step that audits conversations, preference pairs and prompts; plain text has no such step."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from tamis.analytics.signals.audit_answers import answer_columns
from tamis.analytics.signals.audit_signals import AUDIT, STEP
from tamis.analytics.signals.audit_tools import tool_columns
from tamis.analytics.signals.audit_turns import turn_columns
from tamis.analytics.signals.language import model_params
from tamis.analytics.signals.phrase_lists import IDENTITY, REFUSALS, PhraseList, packaged_list, workspace_list
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.word_stream import CONVENTION as WORDS
from tamis.data.corpus import Corpus
from tamis.data.parts import CONVENTION, Parts
from tamis.data.shards import Shard

VERSION = 1
KINDS = ("conversation", "preference", "prompt")
"""Shapes that are audited."""
_SCHEMA = pa.schema([(signal.name, signal.arrow_type) for signal in AUDIT])


@dataclass(frozen=True)
class AuditLists:
    """The lists of phrases that an audit reads."""

    refusals: PhraseList
    identity: PhraseList

    @classmethod
    def packaged(cls) -> AuditLists:
        """Return the lists that come with the program."""
        return cls(packaged_list(REFUSALS), packaged_list(IDENTITY))

    @classmethod
    def of_workspace(cls, root: Path) -> AuditLists:
        """Return the lists of a workspace, packaged ones where it has none of its own.

        Raises:
            SettingError: a file of the workspace is no list of phrases.
        """
        return cls(workspace_list(root, REFUSALS), workspace_list(root, IDENTITY))


def audit_table(parts: Parts, kind: str, tools: pa.Array | None, lists: AuditLists) -> pa.Table:
    """Return the signals of the audit, one row for each row of ``parts``.

    Args:
        parts: of sound rows, whole.
        kind: of their shape, one of ``KINDS``.
        tools: the column of declared tools, (n,); None if there is none.
        lists: of phrases.
    """
    values = {
        **turn_columns(parts, kind),
        **tool_columns(parts, tools),
        **answer_columns(parts, lists.refusals, lists.identity),
    }
    return pa.table([signal.column(np.asarray(values[signal.name])) for signal in AUDIT], schema=_SCHEMA)


def audit_step(corpus: Corpus, lists: AuditLists) -> StepSpec:
    """Return the step that audits every document of a corpus whose shape is one of ``KINDS``."""
    kind, path = corpus.shape.kind, corpus.shape.columns.get("tools")
    columns = () if path is None else (path,)

    def audited(shard: Shard, given: PieceInput) -> pa.Table:
        found = [_SCHEMA.empty_table()]
        for parts, further in given.corpus.document_parts(shard, columns=columns):
            given.check()
            found.append(audit_table(parts, kind, further.column(0) if columns else None, lists))
        return pa.concat_tables(found).combine_chunks()

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, audited, rows_of=RowByRow(columns=columns)))
        context.out.commit(rows=context.documents.n, facts={"signals": [signal.key for signal in AUDIT]})

    return StepSpec(
        name=STEP,
        version=VERSION,
        upstream=("documents",),
        params={
            "signals": [signal.key for signal in AUDIT],
            "parts": CONVENTION,
            "words": WORDS,
            "lists": [lists.refusals.key, lists.identity.key],
            "language": model_params(),
            "unicode": unicodedata.unidata_version,
            "tools": path or "",
        },
        title="Auditing conversations",
        estimate=lambda size: Estimate(0.5 + size.documents * 90e-6 + size.bytes / 60e6, size.documents * 40),
        run=run,
    )
