"""Where in a text a signal's value comes from: the characters to highlight when a document is shown.

Plain Python, for the few documents on screen. Signals that describe a text as a whole (entropy, compression,
perplexity, lengths) have no spans.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pyarrow as pa

from tamis.analytics.signals.c4 import POLICY
from tamis.analytics.signals.gopher import STOP_WORDS
from tamis.analytics.signals.nemo import BOILERPLATE, BULLETS
from tamis.analytics.signals.pii import find_pii
from tamis.analytics.signals.refinedweb import COUNTERS
from tamis.analytics.signals.shape import CODE_MARKS
from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import (
    CONTROL,
    DECIMAL,
    DIGIT,
    EMOJI,
    MARK,
    MARKUP,
    TERMINAL_POINTS,
    UNSPACED,
    character_classes,
)
from tamis.analytics.text.conventions import CONVENTIONS, Convention

Span = tuple[int, int]
Finder = Callable[[str], Iterable[Span]]

_TERMINAL = tuple(chr(point) for point in TERMINAL_POINTS)
_ELLIPSES = ("...", "…")
_CLOSED = (".", "?", "!", '"', "'")
_COUNTER = re.compile(rf"^\W*\d[\d,.]*[kmb]?\s+(?:{'|'.join(COUNTERS)})\W*$", re.I)
_MOJIBAKE = re.compile(r"[ÂÃâ€][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]+")


def spans(text: str, signal_name: str) -> list[Span]:
    """Return the spans that a signal's value comes from, by position, without overlap.

    Args:
        text: a document.
        signal_name: a signal; columns of another word convention (``spacy_...``) use its words.

    Returns:
        (begin, end) code points of the text; empty if the signal has no spans, or none in this text.
    """
    by = next(
        (c for c in CONVENTIONS.values() if c.prefix and signal_name.startswith(c.prefix)), CONVENTIONS["unicode"]
    )
    name = signal_name.removeprefix(by.prefix)
    gram = re.fullmatch(r"(rw_|rps_)?(top|duplicate)_(\d+)gram_share", name)
    if gram:
        n = int(gram[3])
        found = _top_gram(text, by, n) if gram[2] == "top" else _repeated_grams(text, by, n, every=gram[1] is not None)
        return merge_spans(found)
    if name in _BY_WORDS:
        return merge_spans(_BY_WORDS[name](text, by))
    finder = _FINDERS.get(name.removeprefix("after_c4_"))
    return merge_spans(finder(text)) if finder is not None else []


def merge_spans(found: Iterable[Span]) -> list[Span]:
    """Sort spans, join those that overlap or touch, and leave out empty ones."""
    result: list[Span] = []
    for begin, end in sorted(span for span in found if span[1] > span[0]):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result


def _words(text: str, by: Convention) -> list[tuple[str, int, int]]:
    words = by.split(Block.of(pa.array([text], type=pa.large_string())))
    return [(text[b:e], int(b), int(e)) for b, e in zip(words.begin, words.end, strict=True)]


def _words_where(text: str, by: Convention, *, test: Callable[[str], bool]) -> Iterator[Span]:
    return ((begin, end) for word, begin, end in _words(text, by) if test(word))


def _longest_words(text: str, by: Convention) -> Iterator[Span]:
    words = _words(text, by)
    most = max((end - begin for _, begin, end in words), default=0)
    return ((begin, end) for _, begin, end in words if end - begin == most)


def _top_gram(text: str, by: Convention, n: int) -> Iterator[Span]:
    words = _words(text, by)
    grams = [tuple(word for word, _, _ in words[i : i + n]) for i in range(len(words) - n + 1)]
    if grams:
        top = Counter(grams).most_common(1)[0][0]
        yield from ((words[i][1], words[i + n - 1][2]) for i, gram in enumerate(grams) if gram == top)


def _repeated_grams(text: str, by: Convention, n: int, *, every: bool) -> Iterator[Span]:
    """Yield n-grams that occurred before, without overlap; with ``every`` all copies of repeated n-grams."""
    words = _words(text, by)
    grams = ["".join(word for word, _, _ in words[i : i + n]) for i in range(len(words) - n + 1)]
    counts = Counter(grams)
    seen: set[str] = set()
    i = 0
    while i < len(grams):
        again = counts[grams[i]] > 1 if every else grams[i] in seen
        if again:
            yield words[i][1], words[i + n - 1][2]
        seen.add(grams[i])
        i += n if again and not every else 1


def _of_class(text: str, bits: int) -> Iterator[Span]:
    table = character_classes()
    return ((i, i + 1) for i, character in enumerate(text) if table[ord(character)] & bits)


def _characters(text: str, *, test: Callable[[str], bool]) -> Iterator[Span]:
    return ((i, i + 1) for i, character in enumerate(text) if test(character))


def _matches(text: str, *, pattern: re.Pattern[str]) -> Iterator[Span]:
    return (match.span() for match in pattern.finditer(text))


def _lines(text: str, *, test: Callable[[str], bool], every_break: bool = False) -> Iterator[Span]:
    """Yield lines, without their ends, for which ``test`` holds."""
    at = 0
    for line in text.splitlines(keepends=True) if every_break else text.split("\n"):
        content = line.splitlines()[0] if every_break and line.splitlines() else line
        if test(content):
            yield at, at + len(content)
        at += len(line) + (0 if every_break else 1)


def _repeats(text: str, *, separator: str, every: bool = False) -> Iterator[Span]:
    """Yield lines or paragraphs that repeat an earlier one; with ``every`` all copies of repeated ones."""
    pieces, at = [], 0
    for part in re.split(f"({separator})", text):
        if not re.fullmatch(separator, part):
            pieces.append((part.strip() if every else part, at, at + len(part)))
        at += len(part)
    counts = Counter(piece for piece, _, _ in pieces if piece)
    seen: set[str] = set()
    for piece, begin, end in pieces:
        if piece and (counts[piece] > 1 if every else piece in seen):
            yield begin, end
        seen.add(piece)


def _pii(text: str, *, kind: str | None) -> Iterator[Span]:
    return ((f.begin, f.end) for f in find_pii(text) if kind in (None, f.kind))


def _is_code(line: str) -> bool:
    filled = "".join(line.split())
    marks = sum(character in CODE_MARKS and not character.isalnum() for character in filled)
    return len(filled) > 1 and (filled[-1] in ";{}" or 5 * marks > len(filled))


def _is_removed(line: str) -> bool:
    upper = sum(map(str.isupper, line)) > 0.5 * len(line)
    return bool(line.strip()) and (upper or line.isdigit() or len(line.split()) < 2 or bool(_COUNTER.match(line)))


def _breaks_c4(line: str, *, words: int = 3, terminal: bool = True) -> bool:
    line = line.strip()
    opened = terminal and (not line.endswith(_CLOSED) or line.endswith("..."))
    banned = ("lorem ipsum", "javascript", "{", *POLICY)
    return bool(line) and (opened or len(line.split()) < words or any(phrase in line.lower() for phrase in banned))


def _is_bullet(line: str, marks: tuple[str, ...]) -> bool:
    return line.strip().startswith(marks)


def _trails(line: str) -> bool:
    return line.rstrip().endswith(_ELLIPSES)


def _is_open(line: str, ends: tuple[str, ...]) -> bool:
    return bool(line.strip()) and not line.strip().endswith(ends)


_phrases = re.compile("|".join(re.escape(phrase) for phrase in BOILERPLATE), re.I)
_URLS = re.compile(r"https?://[^\s<>\"]+")

_BY_WORDS: dict[str, Callable[[str, Convention], Iterable[Span]]] = {
    "alpha_word_share": partial(_words_where, test=lambda word: not any(map(str.isalpha, word))),
    "stop_words": partial(_words_where, test=lambda word: word in STOP_WORDS),
    "longest_word": _longest_words,
    "n_words": partial(_words_where, test=lambda word: not all(character_classes()[ord(c)] & MARKUP for c in word)),
}

_FINDERS: dict[str, Finder] = {
    "digit_share": partial(_of_class, bits=DIGIT),
    "decimal_share": partial(_of_class, bits=DECIMAL),
    "upper_share": partial(_characters, test=str.isupper),
    "space_share": partial(_matches, pattern=re.compile(r"\s{2,}")),
    "nemo_space_share": partial(_matches, pattern=re.compile(r"\s{2,}")),
    "non_alnum_share": partial(_characters, test=lambda c: not c.isalnum() and not c.isspace()),
    "mark_share": partial(_characters, test=lambda c: not c.isalnum() and not c.isspace()),
    "special_char_share": partial(
        _characters, test=lambda c: not c.isalpha() and not character_classes()[ord(c)] & MARK and not c.isspace()
    ),
    "nemo_non_alnum_share": partial(_matches, pattern=re.compile(r"[^a-zA-Z0-9\s?!,.]+")),
    "non_ascii_share": partial(_characters, test=lambda c: ord(c) > 127),
    "unspaced_share": partial(_of_class, bits=UNSPACED),
    "control_chars": partial(_of_class, bits=CONTROL),
    "replacement_chars": partial(_matches, pattern=re.compile("\ufffd+")),
    "pictographs": partial(_of_class, bits=EMOJI),
    "mojibake": partial(_matches, pattern=_MOJIBAKE),
    "bracket_share": partial(_characters, test=lambda c: c in "{}⟨⟩[]()"),
    "rps_curly_bracket_share": partial(_characters, test=lambda c: c in "{}"),
    "hash_word_ratio": partial(_matches, pattern=re.compile("#+")),
    "ellipsis_word_ratio": partial(_matches, pattern=re.compile(r"\.\.\.|…")),
    "split_symbol_word_share": partial(_matches, pattern=re.compile(r"(?<!\S)(?:#|\.\.\.|…|\[…\]|\[\.\.\.\])(?!\S)")),
    "rw_symbol_word_ratio": partial(_matches, pattern=re.compile(r"#|\.\.\.|\. \. \.|…")),
    "rps_symbol_word_ratio": partial(_matches, pattern=re.compile(r"#|\.\.\.|…")),
    "rps_upper_word_share": partial(_matches, pattern=re.compile(r"\b[A-Z][A-Z0-9_]*\b")),
    "url_share": partial(_matches, pattern=_URLS),
    "n_urls": partial(_matches, pattern=_URLS),
    "nemo_boilerplate_share": partial(_matches, pattern=_phrases),
    "bullet_line_share": partial(_lines, test=partial(_is_bullet, marks=("•", "-")), every_break=True),
    "nemo_bullet_line_share": partial(_lines, test=partial(_is_bullet, marks=tuple(BULLETS))),
    "rw_bullet_line_share": partial(_lines, test=partial(_is_bullet, marks=("●", "•", "*", "-"))),
    "ellipsis_line_share": partial(_lines, test=_trails, every_break=True),
    "nemo_ellipsis_line_share": partial(_lines, test=_trails),
    "rw_ellipsis_line_share": partial(_lines, test=_trails),
    "rps_ellipsis_line_share": partial(_lines, test=_trails),
    "terminal_line_share": partial(_lines, test=partial(_is_open, ends=_TERMINAL)),
    "nemo_open_line_share": partial(_lines, test=partial(_is_open, ends=_CLOSED)),
    "short_line_share": partial(_lines, test=lambda line: bool(line.strip()) and len(line) <= 30),
    "longest_line": partial(_lines, test=lambda line: len(line) > 1000, every_break=True),
    "repeated_line_char_share": partial(_repeats, separator="\n"),
    "duplicate_line_share": partial(_repeats, separator="\n+"),
    "duplicate_line_char_share": partial(_repeats, separator="\n+"),
    "duplicate_paragraph_share": partial(_repeats, separator="\n{2,}"),
    "duplicate_paragraph_char_share": partial(_repeats, separator="\n{2,}"),
    "nemo_distinct_line_share": partial(_repeats, separator="\n"),
    "nemo_distinct_line_char_share": partial(_repeats, separator="\n"),
    "nemo_distinct_paragraph_share": partial(_repeats, separator="\n\n"),
    "nemo_distinct_paragraph_char_share": partial(_repeats, separator="\n\n"),
    "rw_duplicate_line_share": partial(_repeats, separator="\n", every=True),
    "rw_duplicate_line_char_share": partial(_repeats, separator="\n", every=True),
    "rw_duplicate_paragraph_share": partial(_repeats, separator="\n\n", every=True),
    "rw_duplicate_paragraph_char_share": partial(_repeats, separator="\n\n", every=True),
    "rw_removed_word_share": partial(_lines, test=_is_removed),
    "code_line_share": partial(_lines, test=_is_code, every_break=True),
    "c4_line_share": partial(_lines, test=_breaks_c4, every_break=True),
    "c4_sentences": partial(_lines, test=_breaks_c4, every_break=True),
    "c4_any_end_line_share": partial(_lines, test=partial(_breaks_c4, terminal=False), every_break=True),
    "c4_any_end_sentences": partial(_lines, test=partial(_breaks_c4, terminal=False), every_break=True),
    "c4_tfds_line_share": partial(_lines, test=partial(_breaks_c4, words=5), every_break=True),
    "c4_tfds_sentences": partial(_lines, test=partial(_breaks_c4, words=5), every_break=True),
    "pii_findings": partial(_pii, kind=None),
    **{
        f"pii_{name}": partial(_pii, kind=kind)
        for kind, name in {
            "secret": "secrets",
            "email": "emails",
            "card": "cards",
            "ip": "ips",
            "phone": "phones",
        }.items()
    },
    **{
        f"{v}_lorem_ipsum": partial(_matches, pattern=re.compile("lorem ipsum", re.I))
        for v in ("c4", "c4_any_end", "c4_tfds")
    },
    **{f"{v}_curly_bracket": partial(_characters, test=lambda c: c == "{") for v in ("c4", "c4_any_end", "c4_tfds")},
}
