"""Plain Python references of the signals: slow, obvious, one definition each. The kernels must equal them."""

from __future__ import annotations

import re
from collections import Counter

from tamis.analytics.characters import SYMBOL_MARKS, SYMBOL_RANGES, TERMINAL_POINTS

TERMINAL = tuple(chr(point) for point in TERMINAL_POINTS)
SYMBOLS = set(SYMBOL_MARKS) | set(TERMINAL) | {chr(x) for a, b in SYMBOL_RANGES for x in range(a, b)}
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
        "non_ascii_share": share(sum(ord(c) > 127 for c in text), len(text)),
        "replacement_chars": text.count("\ufffd"),
    }
