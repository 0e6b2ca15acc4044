"""Rephrasing on a corpus: candidates among what a recipe keeps, and answers checked against their sources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts import Facts
from tamis.analytics.outcome import Outcome
from tamis.analytics.rephrase import STYLES, Guards, Nominee, Rewrite, nominate, read_rewrites, requests
from tamis.analytics.study import Study
from tamis.data.errors import CorpusError, RecipeError
from tamis.data.schema import at_path

MOST = 100_000


def candidates(
    facts: Facts,
    outcome: Outcome | None,
    *,
    quality: str,
    relevance: str | None = None,
    count: int = 100,
    styles: Sequence[str] = tuple(STYLES),
) -> tuple[Nominee, ...]:
    """Return the kept documents that deserve a rewrite: relevant, good, and of concepts that have few documents.

    Args:
        facts: of the corpus.
        outcome: what the recipe keeps; None for everything.
        quality: a numeric column, higher is better.
        relevance: another one, None when there is none.
        count: how many.
        styles: to suggest in turn.

    Raises:
        RecipeError: a column is unknown or not numeric, or the count is outside 1 to 100,000.
    """
    if not 1 <= count <= MOST:
        raise RecipeError("Number of documents to rephrase", value=count, allowed=f"1 to {MOST:,}")
    for name in (quality, relevance):
        if name is not None and not facts.info(name).numeric:
            raise RecipeError(
                "Column is not numeric", value=name, allowed=[info.name for info in facts.named(numeric=True)]
            )
    rows = np.arange(facts.n) if outcome is None else np.flatnonzero(outcome.kept)
    fits = facts.numbers(relevance)[rows] if relevance else np.zeros(len(rows))
    return nominate(
        facts.ids.take(pa.array(rows)).to_pylist(),
        rows,
        relevance=fits,
        quality=facts.numbers(quality)[rows],
        shortage=_shortage(facts, rows),
        count=count,
        styles=styles,
    )


def _shortage(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the equal share of a document's concept over what the concept has, float64 (m,); 1 without concepts."""
    name = next((column for column in ("concept", "cluster") if column in facts.columns), None)
    if name is None or not len(rows):
        return np.ones(len(rows))
    _, codes, sizes = np.unique(facts.whole(name)[rows], return_inverse=True, return_counts=True)
    return np.asarray(len(rows) / len(sizes) / sizes[codes], dtype=np.float64)


def request_lines(study: Study, nominees: Sequence[Nominee], *, model: str, max_tokens: int = 2048) -> bytes:
    """Return the requests for a model as JSONL in the chat-completions batch form; they quote the documents.

    Args:
        study: the corpus.
        nominees: from ``candidates``.
        model: name the endpoint knows.
        max_tokens: of an answer.
    """
    return requests(nominees, _texts(study, [item.row for item in nominees]), model=model, max_tokens=max_tokens)


def checked_rewrites(study: Study, lines: Iterable[str], *, guards: Guards | None = None) -> tuple[Rewrite, ...]:
    """Return the answers of a batch, each checked against the document it rewrites.

    Args:
        study: the corpus that the requests were made from.
        lines: JSONL answers in the batch form.
        guards: what must hold.

    Raises:
        CorpusError: a line is not an answer, or names a document that is not in the corpus.
    """
    answers = [line for line in lines if line.strip()]
    parents = sorted({_parent(line, number) for number, line in enumerate(answers, start=1)})
    places = pc.index_in(pa.array(parents, pa.string()), study.facts.ids)
    known = [(name, row) for name, row in zip(parents, places.to_pylist(), strict=True) if row is not None]
    texts = _texts(study, [row for _, row in known])
    sources = {name: text for (name, _), text in zip(known, texts, strict=True)}
    return read_rewrites(answers, sources, guards=guards)


def _parent(line: str, number: int) -> str:
    try:
        return str(json.loads(json.loads(line)["custom_id"])[0])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CorpusError(f"Line {number} is not an answer of a batch", value=line[:100]) from error


def _texts(study: Study, rows: Sequence[int]) -> list[str]:
    if not rows:
        return []
    table = study.corpus.fetch(study.documents, np.asarray(rows, dtype=np.int64))
    return [text or "" for text in at_path(table, study.corpus.roles.text).to_pylist()]
