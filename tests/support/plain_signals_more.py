"""Plain Python references of the other conventions: NeMo, RefinedWeb, RedPajama-V2, data-juicer, vocabulary, shape."""

from __future__ import annotations

import math
import re
import string
import unicodedata
import zlib
from collections import Counter
from itertools import pairwise

from plain_signals import STOPS, Values, repeated, sentence_ends, share

from tamis.analytics.signals.lexical import STOP_WORDS_BY_LANGUAGE
from tamis.analytics.signals.nemo import BOILERPLATE
from tamis.analytics.signals.pii import find_pii
from tamis.analytics.signals.refinedweb import COUNTERS
from tamis.analytics.signals.shape import CODE_MARKS

URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*\(\),]|(?:%[0-9A-Fa-f]{2}))+")
ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
NEMO_BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")


def nemo(text: str) -> Values:
    words = text.split()
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = text.split("\n\n")
    hits = sum(any(phrase in p.lower() for phrase in BOILERPLATE[1:]) for p in paragraphs)
    addresses = URL.findall(text)
    return {
        "split_words": len(words),
        "split_mean_word_length": share(sum(map(len, words)), len(words)),
        "split_longest_word": max(map(len, words), default=0),
        "split_alpha_word_share": share(sum(any(c.isalpha() for c in w) for w in words), len(words)),
        "split_symbol_word_share": share(sum(w == "#" or w in ELLIPSES for w in words), len(words)),
        "split_stop_words": sum(w in STOPS for w in words),
        "nemo_non_alnum_share": share(len(text) - len(re.findall(r"[a-zA-Z0-9\n?!,.]", text)), len(text)),
        "decimal_share": share(sum(c.isdecimal() for c in text), len(text)),
        "nemo_space_share": share(sum(c in "\t\n\r\b " for c in text), len(text)),
        "bracket_share": share(sum(c in "{}⟨⟩[]()" for c in text), len(text)),
        "url_share": share(sum(map(len, addresses)), len(text)),
        "n_urls": len(addresses),
        "nemo_bullet_line_share": share(sum(line.strip().startswith(NEMO_BULLETS) for line in lines), len(lines)),
        "nemo_open_line_share": share(
            sum(not line.strip().endswith((".", "?", "!", '"', "'")) for line in lines), len(lines)
        ),
        "nemo_ellipsis_line_share": share(sum(line.strip().lower().endswith(ELLIPSES) for line in lines), len(lines)),
        "nemo_distinct_line_share": share(len(set(lines)), len(lines)),
        "nemo_distinct_line_char_share": share(sum(map(len, set(lines))), sum(map(len, lines))),
        "nemo_distinct_paragraph_share": share(len(set(paragraphs)), len(paragraphs)),
        "nemo_distinct_paragraph_char_share": share(sum(map(len, set(paragraphs))), sum(map(len, paragraphs))),
        "nemo_boilerplate_share": 1.0 if "lorem ipsum" in text.lower() else hits / len(paragraphs),
    }


def refinedweb(text: str, words: list[str]) -> Values:
    chunks = text.split()
    plain = [chunk for chunk in chunks if chunk[0].isalnum()]
    symbols = sum(text.count(symbol) for symbol in ("#", "...", ". . .", "…"))
    values: Values = {
        "rw_words": len(plain),
        "rw_symbol_word_ratio": share(symbols, len(chunks)),
        "rw_stop_words": sum(chunk.lower() in STOPS for chunk in chunks),
    }
    for name, mark in (("line", "\n"), ("paragraph", "\n\n")):
        pieces = [piece for part in text.split(mark) if (piece := part.strip())]
        counts = Counter(pieces)
        again = [piece for piece in pieces if counts[piece] > 1]
        values[f"rw_duplicate_{name}_share"] = share(len(again), len(pieces))
        values[f"rw_duplicate_{name}_char_share"] = share(sum(map(len, again)), sum(map(len, pieces)))
        if name == "line":
            values["rw_bullet_line_share"] = share(sum(p.startswith(("●", "•", "*", "-")) for p in pieces), len(pieces))
            ends = sum(piece.endswith(("...", ". . .", "…")) for piece in pieces)
            values["rw_ellipsis_line_share"] = share(ends, len(pieces))
    values["rw_removed_word_share"] = share(sum(removed_words(line) for line in text.split("\n")), len(plain))
    return values | cover("rw", [word for word in words if word[0].isalnum()], longest=True)


def removed_words(line: str) -> int:
    counter = rf"^\W*\d(?:,|\.|\d)*(?:k|m|b)?\s+(?:{'|'.join(COUNTERS)})\W*$"
    gone = bool(line) and (
        sum(c.isupper() for c in line) / len(line) > 0.5
        or all(c.isdigit() for c in line)
        or len(line.split()) < 2
        or re.search(counter, line.lower()) is not None
    )
    return sum(chunk[0].isalnum() for chunk in line.split()) if gone else 0


def cover(prefix: str, words: list[str], *, longest: bool) -> Values:
    total = sum(map(len, words))
    values: Values = {}
    for n in range(2, 11):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        counts = Counter(grams)
        name = f"{prefix}_top_{n}gram_share" if n < 5 else f"{prefix}_duplicate_{n}gram_share"
        most = max(counts.values(), default=0)
        if not words:
            values[name] = None
        elif most < 2:
            values[name] = 0.0
        elif n < 5:
            lengths = [sum(map(len, gram)) for gram, count in counts.items() if count == most]
            values[name] = (max(lengths) if longest else lengths[0]) * most / total
        else:
            places = {i + k for i, gram in enumerate(grams) if counts[gram] > 1 for k in range(n)}
            values[name] = sum(len(words[place]) for place in places) / total
    return values


def lowered(character: str) -> str:
    """The lower case of a character where that is a single character."""
    return character.lower() if len(character.lower()) == 1 else character


def normalised(text: str) -> list[str]:
    words = ("".join(lowered(c) for c in chunk if c not in string.punctuation) for chunk in text.split())
    return [word for word in words if word]


def redpajama(text: str) -> Values:
    raw = re.findall(r"\w+|[^\w\s]+", text)
    lines = re.findall(r"[^\n]*\n|[^\n]+$", text)
    plain = re.sub(r"\s+", " ", "".join(c for c in text if c not in string.punctuation)).strip()
    plain = "".join(map(lowered, plain))
    symbols = sum(text.count(symbol) for symbol in ("#", "...", "…"))
    return {
        "rps_raw_words": len(raw),
        "rps_symbol_word_ratio": share(symbols, len(raw)),
        "rps_no_alpha_word_share": share(sum(not re.search("[a-zA-Z]", word) for word in raw), len(raw)),
        "rps_upper_word_share": share(sum(word.isupper() for word in raw), len(raw)),
        "rps_ellipsis_line_share": share(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "rps_curly_bracket_share": share(text.count("{") + text.count("}"), len(text)),
        "rps_lorem_ipsum_ratio": share(plain.count("lorem ipsum"), len(plain)),
        "rps_sentences": len(re.findall(r"\b[^.!?]+[.!?]*", text)),
    } | cover("rps", normalised(text), longest=False)


def vocabulary(text: str) -> Values:
    words = normalised(text)
    counts = Counter(words).values()
    entropy = -sum(c / len(words) * math.log(c / len(words)) for c in counts) if words else None
    stops = max(sum(word in set(stops.split()) for word in words) for stops in STOP_WORDS_BY_LANGUAGE.values())
    grams = Counter(tuple(words[i : i + 10]) for i in range(len(words) - 9))
    many = sum(count for count in grams.values() if count > 1)
    return {
        "rps_words": len(words),
        "rps_mean_word_length": share(sum(map(len, words)), len(words)),
        "unique_word_share": share(len(set(words)), len(words)),
        "unigram_entropy": None if entropy is None else abs(entropy),
        "mtld": mtld(words),
        "stop_word_share": share(stops, len(words)),
        "word_repetition_share": many / sum(grams.values()) if grams else 0.0,
    }


def mtld(words: list[str]) -> float | None:
    if len(words) < 100:
        return None
    factors = [mtld_factors(words), mtld_factors(words[::-1])]
    return sum(len(words) / factor for factor in factors) / 2 if all(factors) else None


def mtld_factors(words: list[str]) -> float:
    factors, tokens, types = 0.0, 0, set()
    for word in words:
        tokens += 1
        types.add(word)
        if len(types) < 0.72 * tokens:
            factors, tokens, types = factors + 1, 0, set()
    return factors + ((1 - len(types) / tokens) / (1 - 0.72) if tokens else 0)


def reading(text: str, words: list[str]) -> Values:
    ends = sentence_ends(text, words)
    sentences = sum(text[begin:end].strip() != "" for begin, end in pairwise([0, *ends]))
    plain = [word for word in words if any(c.isalpha() for c in word)]
    ease = 206.835 - 1.015 * len(plain) / sentences - 84.6 * sum(map(syllables, plain)) / len(plain) if plain else None
    return {"n_sentences": sentences, "flesch": ease}


def syllables(word: str) -> int:
    vowels = "".join("v" if is_vowel(c) else "c" for c in word)
    groups = len(re.findall("v+", vowels))
    silent = len(word) > 2 and word[-1] in "eE" and vowels[-2] == "c" and word[-2] not in "lL"
    return max(groups - silent, 1)


def is_vowel(character: str) -> bool:
    folded = ord(character) | 32
    accented = 0xE0 <= folded <= 0xE6 or 0xE8 <= folded <= 0xEF or 0xF2 <= folded <= 0xFD
    return chr(folded) in "aeiouy" or accented


def shape(text: str) -> Values:
    lines = text.splitlines()
    filled = [line for line in lines if line.strip()]
    runs = Counter(text[i : i + 10] for i in range(len(text) - 9))
    taken = min(int(math.sqrt(len(runs))), sum(count > 1 for count in runs.values()))
    top = sum(sorted(runs.values(), reverse=True)[:taken])
    data = text.encode()
    squeezed = zlib.compressobj(6, zlib.DEFLATED, -15)
    return {
        "alnum_share": share(sum(c.isalnum() for c in text), len(text)),
        "special_char_share": share(
            sum(not c.isalpha() and unicodedata.category(c)[0] != "M" for c in text), len(text)
        ),
        "mean_line_length": share(len(text), len(lines)),
        "longest_line": max(map(len, lines)) if lines else None,
        "code_line_share": share(sum(map(is_code, filled)), len(filled)),
        "char_repetition_share": share(top, sum(runs.values())),
        "compression_ratio": len(data) / len(squeezed.compress(data) + squeezed.flush()) if data else None,
    }


def is_code(line: str) -> bool:
    filled = "".join(line.split())
    marks = sum(c in CODE_MARKS and not c.isalnum() for c in filled)
    return len(filled) > 1 and (filled[-1] in ";{}" or 5 * marks > len(filled))


def pii(text: str) -> Values:
    kinds = Counter(finding.kind for finding in find_pii(text))
    names = {"secret": "secrets", "email": "emails", "card": "cards", "ip": "ips", "phone": "phones"}
    return {f"pii_{name}": kinds[kind] for kind, name in names.items()} | {"pii_findings": kinds.total()}


__all__ = ["nemo", "pii", "reading", "redpajama", "refinedweb", "repeated", "shape", "vocabulary"]
