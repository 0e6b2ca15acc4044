"""Rephrasing: choice of documents and styles, requests for a model, and checks of the rewritten texts.

High relevance and high quality in scarce concepts come first (BeyondWeb, arXiv 2508.10975: rephrase good seeds, keep
styles varied, match the style of use). Requests are JSONL in the chat-completions batch form; answers come back as
JSONL of the same form and keep their parent, style and model.

Rephrasing on a corpus: candidates among the kept documents, and answers checked against their sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.sampling import standardise
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.study.study import Study
from tamis.analytics.text.ngram_overlap import Grams
from tamis.analytics.text.word_stream import WordHashes
from tamis.data.errors import CorpusError, RecipeError, SettingError
from tamis.data.hashing import canonical_json

_RULES = (
    " Keep every fact, name and number; add nothing that the text does not say. Answer with the rewritten text only."
)
_WORKED = (
    " Take every given number from the text; what follows from them may be computed. Answer with the problems and their"
    " solutions only."
)


@dataclass(frozen=True)
class Style:
    """One way to rewrite.

    Attributes:
        instruction: what the model is told.
        least_length: least UTF-8 bytes of the answer as a share of the source's; None for that of ``Guards``.
        new_numbers: whether an answer may have numbers that the source does not have, such as results.
    """

    instruction: str
    least_length: float | None = None
    new_numbers: bool = False


STYLES: Mapping[str, Style] = {
    "plain": Style("Rewrite the text in plain, clear prose." + _RULES),
    "encyclopedic": Style("Rewrite the text as a neutral encyclopedia article." + _RULES),
    "question-answer": Style("Rewrite the text as questions with complete answers." + _RULES),
    "conversation": Style("Rewrite the text as a conversation between a learner and an expert." + _RULES),
    "summary": Style("Summarise the text in a few complete sentences." + _RULES, least_length=0.05),
    "table": Style(
        "Arrange what the text says as one Markdown table with a heading for every column, and one sentence that"
        " introduces it." + _RULES,
        least_length=0.1,
    ),
    "faq": Style(
        "Rewrite the text as a list of frequently asked questions under headings, from the general to the particular,"
        " each with a short answer." + _RULES
    ),
    "tutorial": Style(
        "Rewrite the text as a tutorial: what one will be able to do, what one needs, then numbered steps." + _RULES
    ),
    "dialogue": Style(
        "Rewrite the text as a dialogue of two people with names who work on the subject and disagree at first, in the"
        " form of a script." + _RULES
    ),
    "maths": Style(
        "Make word problems of what the text says, each with a solution step by step." + _WORKED, new_numbers=True
    ),
}
"""The styles by name."""

DEFAULT_STYLES = ("plain", "encyclopedic", "question-answer", "conversation", "summary")
"""Those that alternate where none is named."""


@dataclass(frozen=True)
class Nominee:
    """A document to rewrite.

    Attributes:
        row: facts row.
        id: of the document.
        style: the suggested style.
        score: priority, higher first.
    """

    row: int
    id: str
    style: str
    score: float


@dataclass(frozen=True)
class Guards:
    """Conditions on a rewritten text.

    Attributes:
        least_length, most_length: bytes as a share of the source's; a style may allow less.
        most_copied: share of 13-grams taken over word for word.
        least_numbers: share of the rewrite's numbers that occur in the source.
    """

    least_length: float = 0.3
    most_length: float = 3.0
    most_copied: float = 0.5
    least_numbers: float = 0.9


@dataclass(frozen=True)
class Rewrite:
    """An imported answer.

    Attributes:
        parent: id of the source document.
        style, model: of the rewrite.
        text: the rewritten text.
        fault: why it is refused, empty when it passes.
    """

    parent: str
    style: str
    model: str
    text: str
    fault: str


def nominate(
    ids: Sequence[str],
    rows: NDArray[np.int64],
    *,
    relevance: NDArray[np.float64],
    quality: NDArray[np.float64],
    shortage: NDArray[np.float64],
    count: int,
    styles: Sequence[str] = DEFAULT_STYLES,
) -> tuple[Nominee, ...]:
    """Return the documents to rewrite, the best first, styles in turn; ties by row.

    Args:
        ids: of the candidates.
        rows: int64 (n,), their facts rows.
        relevance, quality: float64 (n,), higher is better; NaN counts as the lowest.
        shortage: float64 (n,), quota over supply of each document's concept; scarce concepts are above 1.
        count: how many.
        styles: to choose from.

    Raises:
        SettingError: unknown style.
    """
    unknown = [style for style in styles if style not in STYLES]
    if unknown or not styles:
        raise SettingError("Unknown style", value=unknown, allowed=STYLES)
    parts = [standardise(values) for values in (relevance, quality)]
    parts.append(standardise(np.log(np.maximum(shortage, 1e-6))))
    filled = [np.where(np.isnan(part), np.nanmin(part, initial=0.0), part) for part in parts]
    score = np.sum(filled, axis=0)
    order = np.lexsort((rows, -score))[:count]
    return tuple(
        Nominee(int(rows[k]), ids[int(k)], styles[place % len(styles)], float(score[k]))
        for place, k in enumerate(order)
    )


def requests(nominees: Sequence[Nominee], texts: Sequence[str], *, model: str, max_tokens: int = 2048) -> bytes:
    """Return JSONL requests in the chat-completions batch form, one per nominee; ``custom_id`` holds id and style."""
    lines = []
    for nominee, text in zip(nominees, texts, strict=True):
        messages = [
            {"role": "system", "content": STYLES[nominee.style].instruction},
            {"role": "user", "content": text},
        ]
        lines.append(
            canonical_json(
                {
                    "custom_id": json.dumps([nominee.id, nominee.style], ensure_ascii=False),
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": {"model": model, "max_tokens": max_tokens, "messages": messages},
                }
            )
        )
    return b"".join(line + b"\n" for line in lines)


def read_rewrites(
    lines: Iterable[str], sources: Mapping[str, str], *, guards: Guards | None = None
) -> tuple[Rewrite, ...]:
    """Return the answers of a batch, each checked against its source.

    Args:
        lines: JSONL answers in the batch form.
        sources: texts of the source documents by id.
        guards: what must hold.

    Raises:
        CorpusError: a line is not an answer, or names no known document or style; the message gives its number.
    """
    rules, found = guards or Guards(), []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parent, style, model, text = _answer(line, number)
        if parent not in sources or style not in STYLES:
            raise CorpusError(f"Line {number} answers an unknown request", value=[parent, style])
        found.append(Rewrite(parent, style, model, text, fault(sources[parent], text, style, rules)))
    return tuple(found)


def _answer(line: str, number: int) -> tuple[str, str, str, str]:
    """Return parent, style, model and text of one line; a request that failed has an empty text."""
    try:
        value: Any = json.loads(line)
        parent, style = json.loads(value["custom_id"])
        body = (value.get("response") or {}).get("body") or {}
        choices = body.get("choices") or []
        text = str(choices[0]["message"]["content"] or "") if choices else ""
        return str(parent), str(style), str(body.get("model", "")), text
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CorpusError(f"Line {number} is not an answer of a batch", value=line[:100]) from error


def fault(source: str, text: str, style: str, guards: Guards) -> str:
    """Return why a rewrite is refused, empty when it passes."""
    if not text.strip():
        return "no answer"
    asked = STYLES[style]
    least = guards.least_length if asked.least_length is None else asked.least_length
    ratio = len(text.encode()) / max(len(source.encode()), 1)
    if not least <= ratio <= guards.most_length:
        return f"length is {ratio:.2f} of the source"
    old, new = (WordHashes.of(pa.array([part], pa.large_string())) for part in (source, text))
    copied = float(Grams.of(old.hashes, old.starts).share(new.hashes, new.starts)[0])
    if copied > guards.most_copied:
        return f"{copied:.0%} of its 13-grams are copied"
    numbers = _numbers(text)
    if not asked.new_numbers and numbers and len(numbers & _numbers(source)) < guards.least_numbers * len(numbers):
        return "numbers that the source does not have: " + ", ".join(sorted(numbers - _numbers(source))[:5])
    return ""


def _numbers(text: str) -> set[str]:
    plain = "".join(mark if mark.isdigit() else " " for mark in text)
    return {part for part in plain.split() if len(part) > 1}


def rewrites_table(rewrites: Sequence[Rewrite]) -> pa.Table:
    """Return the rewrites that pass as rows of a corpus: ``text``, ``parent_id``, ``style``, ``model``."""
    good = [item for item in rewrites if not item.fault]
    return pa.table(
        {
            "text": pa.array([item.text for item in good], pa.large_string()),
            "parent_id": pa.array([item.parent for item in good], pa.string()),
            "style": pa.array([item.style for item in good], pa.string()),
            "model": pa.array([item.model for item in good], pa.string()),
        }
    )


MOST = 100_000


def candidates(
    facts: Facts,
    outcome: Outcome | None,
    *,
    quality: str,
    relevance: str | None = None,
    count: int = 100,
    styles: Sequence[str] = DEFAULT_STYLES,
) -> tuple[Nominee, ...]:
    """Return the kept documents to rewrite: relevant, good, and of concepts that have few documents.

    Args:
        facts: of the corpus.
        outcome: of the recipe whose kept documents count; None for all documents.
        quality: a numeric column, higher is better.
        relevance: another numeric column, or None.
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


def check_rewrites(study: Study, lines: Iterable[str], *, guards: Guards | None = None) -> tuple[Rewrite, ...]:
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
    return [text or "" for text in study.corpus.texts_of(table).to_pylist()]
