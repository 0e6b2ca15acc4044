"""Duplicates in plain, slow Python: what the compiled code must agree with."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Mapping, Sequence

from tamis.analytics.text.characters import UNSPACED_RANGES

ORDERED_MARKS = 32


def normal_text(text: str, convention: str = "words-1") -> str:
    """Return the normalised form of a convention."""
    apart, fold = "ZP" if convention == "words-1" else "ZPS", convention == "folded-1"
    points = [point for character in text for point in _decomposed(character) if not _is_invisible(point)]
    words: list[str] = []
    joined, alone = False, False
    for point in _ordered(points):
        category = unicodedata.category(point)
        if fold and category == "Mn":
            continue
        point = "0" if fold and category == "Nd" else point
        if fold and joined and point == "0" and words[-1].endswith("0"):
            continue
        if category[0] in apart or category == "Cc":
            joined = alone = False
            continue
        letter_alone = category[0] == "L" and any(low <= ord(point) <= high for low, high in UNSPACED_RANGES)
        mark = category[0] == "M"
        if joined and (mark or not (alone or letter_alone)):
            words[-1] += point
        else:
            words.append(point)
            alone = False
        joined = True
        alone = letter_alone or (alone and mark)
    return " ".join(words) if words else text


def _decomposed(character: str) -> str:
    folded = unicodedata.normalize("NFD", character).casefold()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", folded).casefold())


def _is_invisible(point: str) -> bool:
    code = ord(point)
    selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F
    return unicodedata.category(point) == "Cf" or selector


def _ordered(points: list[str]) -> list[str]:
    """Sort each run of combining marks by class, in pieces of 32, stable."""
    result: list[str] = []
    run: list[str] = []
    for point in [*points, "\x00"]:
        if unicodedata.combining(point) and len(run) < ORDERED_MARKS:
            run.append(point)
            continue
        result += sorted(run, key=unicodedata.combining)
        run = [point] if unicodedata.combining(point) else []
        if not run:
            result.append(point)
    return result[:-1]


def siphash128(data: bytes, *, key: bytes = bytes(range(16))) -> tuple[int, int]:
    """Return SipHash-2-4 with 128 bits of output as two little-endian words."""
    mask = (1 << 64) - 1
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ 0xEE, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def left(x: int, b: int) -> int:
        return ((x << b) | (x >> (64 - b))) & mask

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = left(v[1], 13) ^ v[0]
            v[0] = left(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = left(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = left(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = left(v[1], 17) ^ v[2]
            v[2] = left(v[2], 32)

    whole = len(data) // 8 * 8
    words = [int.from_bytes(data[k : k + 8], "little") for k in range(0, whole, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    for word in words:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(4)
    low = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return low, v[0] ^ v[1] ^ v[2] ^ v[3]


def shingle_set(text: str, *, unit: str = "word", n: int = 5) -> frozenset[tuple[str, ...]]:
    """Return the shingles of a text; a text with fewer than n units has one."""
    normal = normal_text(text)
    units = [word for word in normal.split(" ") if word] if unit == "word" else list(normal)
    return frozenset(tuple(units[k : k + n]) for k in range(max(1, len(units) - n + 1)))


def similarity(one: frozenset[tuple[str, ...]], two: frozenset[tuple[str, ...]], *, metric: str = "jaccard") -> float:
    """Return Jaccard similarity or containment of two sets."""
    whole = len(one | two) if metric == "jaccard" else min(len(one), len(two))
    return len(one & two) / whole


def greedy_star(
    order: Sequence[int], alike: Mapping[int, set[int]], copies: Mapping[int, int]
) -> tuple[set[int], dict[int, set[int]]]:
    """Return who is kept, and for each dropped document the kept documents that dropped it."""
    kept: list[int] = []
    reasons: dict[int, set[int]] = {}
    for document in order:
        matches = {other for other in kept if other in alike[document]}
        if len(matches) >= copies[document]:
            reasons[document] = matches
        else:
            kept.append(document)
    return set(kept), reasons


def edited(text: str, *, share: float, seed: int) -> str:
    """Return a text with a share of its words replaced."""
    drawn = random.Random(seed)
    words = text.split()
    return " ".join(f"edit{drawn.randrange(10**6)}" if drawn.random() < share else word for word in words)
