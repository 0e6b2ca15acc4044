"""Answers of conversations: refusals, identities, language, truncation, repetition, length. Whole arrays at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.audit_turns import SPACE, as_bools, count_rows
from tamis.analytics.signals.language import detect
from tamis.analytics.signals.phrase_lists import PhraseList
from tamis.analytics.text.hash_table import add, find_stamped, mask_for
from tamis.analytics.text.ngram_overlap import hash_gram
from tamis.analytics.text.word_stream import WordHashes
from tamis.data.parts import ASSISTANT, CHOSEN, TEXT, USER, Parts

GRAM = 3
LEAST_CHARACTERS, MOST_CHARACTERS, CONFIDENCE = 40, 400, 0.8
LONG_ANSWER, LONG_LINE = 100, 40
FENCE = "```"
ENDED = "?!。！？….\"'”’»`"
"""A line that ends so is finished, open brackets or not."""
OPEN_MARKS = ",;:([{-–—/&"
OPENING, CLOSING = "([{", ")]}"
_STRIPPED = "".join(map(chr, filter(lambda point: chr(point).isspace(), range(0x3001))))
_CODE = r"(?s)```.*?(```|\z)"
_ITEM = rf"\A{SPACE}*([-*+•#|>]|[0-9]+[.)])"


@dataclass(frozen=True, eq=False)
class Exchanges:
    """The last answer of each row, and the question that it answers.

    Attributes:
        answers: large_string (n,), NULL where a row has no answer.
        questions: large_string (n,), the user's last turn before the answer, NULL where there is none.
        before: int64 (n,), code points of everything before the answer.
    """

    answers: pa.Array
    questions: pa.Array
    before: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Parts) -> Exchanges:
        """Return the exchanges of sound rows."""
        said = answer_parts(parts)
        asked = question_parts(parts, said)
        prompt = parts.scope("prompt")
        size = pc.utf8_length(prompt.texts).to_numpy(zero_copy_only=False).astype(np.int64)
        before = np.bincount(prompt.rows, size, len(parts)).astype(np.int64)
        return cls(_joined(parts, said), _joined(parts, asked), before)


def answer_parts(parts: Parts) -> NDArray[np.bool_]:
    """Say which parts are the text of a row's last answer, bool (p,)."""
    response = parts.kind == TEXT
    chosen = parts.role == CHOSEN
    turns = np.full(len(parts), -1, dtype=np.int64)
    mine = np.flatnonzero(parts.role == ASSISTANT)
    turns[parts.rows[mine]] = parts.turn[mine]
    compared = count_rows(parts.rows[chosen], len(parts)) > 0
    turns[compared] = -1
    return np.asarray(response & (chosen | ((parts.role == ASSISTANT) & (parts.turn == turns[parts.rows]))))


def question_parts(parts: Parts, said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which parts are the text of the user's last turn before the answer ``said``, bool (p,)."""
    first = np.full(len(parts), -1, dtype=np.int64)
    answers = np.flatnonzero(said)[::-1]
    first[parts.rows[answers]] = parts.turn[answers]
    asked = (parts.role == USER) & (parts.kind == TEXT) & (parts.turn < first[parts.rows])
    turns = np.full(len(parts), -1, dtype=np.int64)
    mine = np.flatnonzero(asked)
    turns[parts.rows[mine]] = parts.turn[mine]
    return np.asarray(asked & (parts.turn == turns[parts.rows]))


def _joined(parts: Parts, mask: NDArray[np.bool_]) -> pa.Array:
    held = count_rows(parts.rows[mask], len(parts)) > 0
    return pc.if_else(pa.array(held), parts.select(mask).join(), pa.scalar(None, pa.large_string()))


def answer_columns(parts: Parts, refusals: PhraseList, identity: PhraseList) -> Mapping[str, NDArray[np.float64]]:
    """Return the columns of answers, float64 (n,) each, NaN where one does not apply; ``parts`` of sound rows."""
    exchanges = Exchanges.of(parts)
    return {
        "refusals": _phrases(parts, refusals),
        "foreign_identity": _phrases(parts, identity),
        "answer_language_differs": differs_in_language(exchanges.questions, exchanges.answers),
        "truncated_answer": are_truncated(exchanges.answers).astype(np.float64),
        "repeats_question": repeated_shares(exchanges.questions, exchanges.answers),
        "answer_prompt_ratio": _ratios(exchanges),
    }


def phrase_parts(parts: Parts) -> NDArray[np.int64]:
    """Return the parts in which phrases of answers are looked for, int64 (a,)."""
    return np.flatnonzero(np.isin(parts.role, (ASSISTANT, CHOSEN)) & (parts.kind == TEXT))


def _phrases(parts: Parts, phrases: PhraseList) -> NDArray[np.float64]:
    answers = phrase_parts(parts)
    found = phrases.found_in(parts.texts.take(pa.array(answers)))
    return count_rows(parts.rows[answers[found]], len(parts)).astype(np.float64)


def differs_in_language(questions: pa.Array, answers: pa.Array) -> NDArray[np.float64]:
    """Say where both are detected with confidence as different languages, float64 (n,), NaN where one is unsure."""
    found = np.full(len(questions), np.nan)
    sides = [pc.replace_substring_regex(side, _CODE, " ") for side in (questions, answers)]
    enough = pc.and_(*(pc.greater_equal(pc.utf8_length(side), LEAST_CHARACTERS) for side in sides))
    rows = np.flatnonzero(as_bools(pc.fill_null(enough, False)))
    if not len(rows):
        return found
    (asked, sure), (said, surer) = (detect(side.take(pa.array(rows)), characters=MOST_CHARACTERS) for side in sides)
    known = (np.nan_to_num(sure) >= CONFIDENCE) & (np.nan_to_num(surer) >= CONFIDENCE)
    differs = as_bools(pc.fill_null(pc.not_equal(asked, said), False))
    found[rows[known]] = differs[known]
    return found


def are_truncated(answers: pa.Array) -> NDArray[np.bool_]:
    """Say which answers seem cut off, bool (n,); see the signal ``truncated_answer``. NULL and empty ones do not."""
    texts = pc.utf8_rtrim(pc.fill_null(answers, ""), characters=_STRIPPED)
    fences = pc.count_substring(texts, FENCE).to_numpy(zero_copy_only=False) % 2 == 1
    long = pc.utf8_length(texts).to_numpy(zero_copy_only=False) >= LONG_ANSWER
    lines = pc.replace_substring_regex(texts, r"(?s)\A.*\n", "")
    wide = pc.utf8_length(lines).to_numpy(zero_copy_only=False) >= LONG_LINE
    item = as_bools(pc.match_substring_regex(lines, _ITEM))
    ends = pc.utf8_slice_codeunits(texts, -1).dictionary_encode()
    endings = ends.dictionary.to_pylist()
    codes = ends.indices.to_numpy(zero_copy_only=False)
    opened = np.array([is_open_end(mark) for mark in endings], dtype=np.bool_)[codes]
    ended = np.array([mark in ENDED for mark in endings], dtype=np.bool_)[codes]
    brackets = np.zeros(len(texts), dtype=np.int64)
    for marks, sign in ((OPENING, 1), (CLOSING, -1)):
        for mark in marks:
            brackets += sign * pc.count_substring(lines, mark).to_numpy(zero_copy_only=False)
    return np.asarray(fences | (long & ((wide & ~item & opened) | ((brackets > 0) & ~ended))))


def is_open_end(mark: str) -> bool:
    """Say whether a text that ends in this character is unfinished; Thai and Lao have no full stop."""
    if not mark or 0x0E00 <= ord(mark) < 0x0F00:
        return False
    return mark in OPEN_MARKS or unicodedata.category(mark)[0] in "LMN"


def repeated_shares(questions: pa.Array, answers: pa.Array) -> NDArray[np.float64]:
    """Return the share of each question's word 3-grams that are in its answer, float64 (n,), NaN where it has none."""
    asked, said = WordHashes.of(questions), WordHashes.of(answers)
    found = np.full(len(questions), np.nan)
    _shared_grams(asked.hashes, asked.starts, said.hashes, said.starts, GRAM, found)
    found[as_bools(answers.is_null())] = np.nan
    return found


def _ratios(exchanges: Exchanges) -> NDArray[np.float64]:
    size = pc.fill_null(pc.utf8_length(exchanges.answers), 0).to_numpy(zero_copy_only=False)
    there = as_bools(exchanges.answers.is_valid()) & (exchanges.before > 0)
    return np.where(there, size / np.maximum(exchanges.before, 1), np.nan)


@njit(cache=True, nogil=True)
def _shared_grams(asked, asked_starts, said, said_starts, n, found):  # type: ignore[no-untyped-def]
    keys, stamps = np.zeros(16, dtype=np.uint64), np.full(16, -1, dtype=np.int64)
    for row in range(len(asked_starts) - 1):
        grams = asked_starts[row + 1] - asked_starts[row] - n + 1
        if grams < 1:
            continue
        others = max(said_starts[row + 1] - said_starts[row] - n + 1, 0)
        mask = mask_for(others)
        if mask >= len(keys):
            keys, stamps = np.zeros(mask + 1, dtype=np.uint64), np.full(mask + 1, -1, dtype=np.int64)
        for i in range(others):
            first = said_starts[row] + i
            add(hash_gram(said, first, first + n), keys, stamps, row, mask)
        hits = 0
        for i in range(grams):
            first = asked_starts[row] + i
            slot = find_stamped(hash_gram(asked, first, first + n), keys, stamps, row, mask)
            hits += stamps[slot] == row
        found[row] = hits / grams
