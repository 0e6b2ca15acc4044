"""Plain Python references of the signals: slow, obvious, one definition each. The kernels must equal them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

from tamis.analytics.signals.c4 import POLICY
from tamis.analytics.text.characters import (
    EMOJI_RANGES,
    NOT_SENTENCE_POINTS,
    SYMBOL_MARKS,
    SYMBOL_RANGES,
    TERMINAL_POINTS,
    UNSPACED_RANGES,
)

TERMINAL = tuple(chr(point) for point in TERMINAL_POINTS)
SYMBOLS = set(SYMBOL_MARKS) | set(TERMINAL) | {chr(x) for a, b in SYMBOL_RANGES for x in range(a, b)}
STOPS_OF_SENTENCES = {chr(point) for point in TERMINAL_POINTS if point not in NOT_SENTENCE_POINTS}
STOPS = {"the", "be", "to", "of", "and", "that", "have", "with"}

Values = dict[str, float | None]


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def quality(text: str, words: list[str]) -> Values:
    plain = [word for word in words if any(character not in SYMBOLS for character in word)]
    return {
        "n_words": len(plain),
        "n_word_tokens": len(words),
        "mean_word_length": share(sum(map(len, plain)), len(plain)),
        "hash_word_ratio": share(text.count("#"), len(words)),
        "ellipsis_word_ratio": share(text.count("...") + text.count("…"), len(words)),
        "alpha_word_share": share(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "stop_words": len(STOPS & set(words)),
        "longest_word": max(map(len, words), default=0),
        "newline_word_ratio": share(text.count("\n"), len(words)),
    }


def lines(text: str) -> Values:
    whole = text.splitlines()
    filled = [line for line in text.split("\n") if line.strip()]
    return {
        "n_lines": len(whole),
        "bullet_line_share": share(sum(line.lstrip().startswith(("•", "-")) for line in whole), len(whole)),
        "ellipsis_line_share": share(sum(line.rstrip().endswith(("...", "…")) for line in whole), len(whole)),
        "n_filled_lines": len(filled),
        "terminal_line_share": share(sum(line.endswith(TERMINAL) for line in filled), len(filled)),
        "short_line_share": share(sum(len(line) <= 30 for line in filled), len(filled)),
        "repeated_line_char_share": share(duplicates(filled)[1], len(text.replace("\n", ""))) if filled else None,
    }


def duplicates(pieces: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count = characters = 0
    for piece in pieces:
        if piece in seen:
            count, characters = count + 1, characters + len(piece)
        seen.add(piece)
    return count, characters


def repetition(text: str, words: list[str]) -> Values:
    values: Values = {}
    for name, pieces in (("paragraph", re.split(r"\n{2,}", text.strip())), ("line", re.split(r"\n+", text))):
        count, characters = duplicates(pieces)
        values[f"duplicate_{name}_share"] = share(count, len(pieces)) if text else None
        values[f"duplicate_{name}_char_share"] = share(characters, len(text))
    for n in (2, 3, 4):
        grams = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
        top = Counter(grams).most_common(1)
        values[f"top_{n}gram_share"] = len(top[0][0]) * top[0][1] / len(text) if top else None
    for n in range(5, 11):
        values[f"duplicate_{n}gram_share"] = share(repeated(words, n), len(text))
    return values


def repeated(words: list[str], n: int) -> int:
    seen: set[str] = set()
    length = i = 0
    while i < len(words) - n + 1:
        gram = "".join(words[i : i + n])
        if gram in seen:
            length, i = length + len(gram), i + n
        else:
            seen.add(gram)
            i += 1
    return length


def characters(text: str) -> Values:
    letters = sum(c.isalpha() for c in text)
    upper, lower = sum(c.isupper() for c in text), sum(c.islower() for c in text)
    return {
        "n_chars": len(text),
        "alpha_share": share(letters, len(text)),
        "digit_share": share(sum(c.isdigit() for c in text), len(text)),
        "upper_share": share(upper, upper + lower),
        "space_share": share(sum(c.isspace() for c in text), len(text)),
        "non_alnum_share": share(sum(not c.isalnum() and not c.isspace() for c in text), len(text)),
        "mark_share": share(sum(unicodedata.category(c)[0] in "PS" for c in text), len(text)),
        "non_ascii_share": share(sum(ord(c) > 127 for c in text), len(text)),
        "unspaced_share": share(sum(c.isalpha() and within(c, UNSPACED_RANGES) for c in text), letters),
        "control_chars": sum(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in text),
        "replacement_chars": text.count("\ufffd"),
        "pictographs": sum(within(c, EMOJI_RANGES) for c in text),
        "mojibake": mojibake(text),
    }


def within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


def mojibake(text: str) -> int:
    """Characters whose UTF-8 bytes were read as Windows-1252, counted from the left without overlap."""
    tail = "[\x80-\xbf" + "".join(set(bytes(range(0x80, 0xA0)).decode("cp1252", "ignore"))) + "]"
    return len(re.findall(f"[\xc2-\xdf]{tail}|[\xe0-\xef]{tail}{{2}}|[\xf0-\xf4]{tail}{{3}}", text))


def c4(text: str, split: Callable[[str], list[str]]) -> Values:
    """C4's three variants, and FineWeb's lines of what the one without terminal marks leaves."""
    values: Values = {}
    total = len(text.splitlines())
    for name, words, terminal in (("c4", 3, True), ("c4_any_end", 3, False), ("c4_tfds", 5, True)):
        ended, _ = closed_c4_lines(text, words_per_line=words, terminal=terminal)
        _, kept = closed_c4_lines(text, words_per_line=words, terminal=terminal, to_the_end=True)
        values[f"{name}_lorem_ipsum"] = float(ended == "lorem_ipsum")
        values[f"{name}_curly_bracket"] = float(ended == "curly_bracket")
        values[f"{name}_line_share"] = share(len(kept), total)
        values[f"{name}_sentences"] = sum(len(sentence_ends(line, split(line))) for line in kept)
        if name == "c4_any_end":
            left = "\n".join(kept).strip()
            rest = lines(left) | {"newline_word_ratio": share(left.count("\n"), len(split(left)))}
            wanted = ("n_filled_lines", "terminal_line_share", "short_line_share", "repeated_line_char_share")
            values |= {f"after_c4_{key}": rest[key] for key in (*wanted, "newline_word_ratio")}
    return values


def sentence_ends(text: str, words: list[str]) -> list[int]:
    """Where each sentence of a text ends, by spaCy's sentencizer on words and the white-space tokens between them."""
    tokens: list[tuple[str, int]] = []
    at = 0
    for word in words:
        begin = text.index(word, at)
        tokens += white_space_token(text, at, begin)
        tokens.append((word, begin + len(word)))
        at = begin + len(word)
    tokens += white_space_token(text, at, len(text))
    ends: list[int] = []
    closed = False
    for place, (token, _) in enumerate(tokens):
        stop = len(token) == 1 and token in STOPS_OF_SENTENCES
        if closed and not stop and not all(unicodedata.category(character)[0] == "P" for character in token):
            ends.append(tokens[place - 1][1])
            closed = False
        closed = closed or stop
    return [*ends, len(text)] if tokens else []


def white_space_token(text: str, at: int, begin: int) -> list[tuple[str, int]]:
    """The white space between two words as a token; a single space belongs to the word before it."""
    gap = text[at:begin]
    if gap.startswith(" ") and at > 0:
        gap = gap[1:]
    return [(gap, begin)] if gap else []


def closed_c4_lines(
    text: str, *, words_per_line: int, terminal: bool, to_the_end: bool = False
) -> tuple[str, list[str]]:
    """C4's line rules: what ends the document ("" when nothing does), and the lines that stay until then."""
    kept = []
    for line in text.splitlines():
        line = line.strip()
        words = line.split()
        if any(len(word) > 1000 for word in words):
            continue
        line = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)
        if terminal and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(words) < words_per_line:
            continue
        lowered = line.lower()
        if "lorem ipsum" in lowered:
            if to_the_end:
                continue
            return "lorem_ipsum", kept
        if "javascript" in lowered:
            continue
        if "{" in line:
            if to_the_end:
                continue
            return "curly_bracket", kept
        if any(phrase in lowered for phrase in POLICY):
            continue
        kept.append(line)
    return "", kept
