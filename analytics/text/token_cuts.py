"""Where a tokenizer surely parts a text: the pieces between have the same tokens whatever stands around them.

Decided by the names in a ``tokenizer.json``; for tokenizers that are not known here there are no such cuts.

BERT's pre-tokenizer parts at white space, and makes each mark of punctuation and each Han character a word of its own.
Byte-level vocabularies part by a regular expression: that of GPT-2, or one of the later ones, which glue line feeds to
punctuation and ``'s`` to a word. None looks back, and in all of them a match that has begun before a space ends there,
and one of letters or digits also before white space and punctuation other than an apostrophe.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.text.characters import SPACE, character_classes
from tamis.analytics.text.chunk_table import GAP, Cuts

_SPACES = " \t\n\r"
_OTHER, _ALONE = 1, 2
_PLAIN, _MARK, _BLANK, _LINE, _WHITE = 3, 4, 5, 6, 7
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2A6DF))

_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SUFFIX, _BEFORE = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?", r"[^\r\n\p{L}\p{N}]?"
PATTERNS: Mapping[str, str] = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": _WORD + r"\p{N}{1,3}" + _REST,
    "qwen2": _WORD + r"\p{N}" + _REST,
    "o200k": (
        f"{_BEFORE}{_UPPER}*{_LOWER}+{_SUFFIX}|{_BEFORE}{_UPPER}+{_LOWER}*{_SUFFIX}"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
"""The regular expressions of byte-level vocabularies for which the cuts hold."""
RANK_PATTERNS: Mapping[str, str] = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
}
"""The same as tiktoken writes them; no chunk but a text's last ends in white space, so that ``$`` means the same."""


def token_cuts(about: Mapping[str, Any]) -> Cuts | None:
    """Return where a tokenizer parts every text, None if that is not known.

    Args:
        about: the contents of its ``tokenizer.json``.
    """
    added = [dict(token) for token in about.get("added_tokens") or ()]
    if not all(_is_local(token) for token in added) or (about["model"].get("dropout") or 0):
        return None
    own = frozenset("".join(token["content"] for token in added))
    normalizer, splits = (
        _listed(about.get("normalizer"), "normalizers"),
        _listed(about.get("pre_tokenizer"), "pretokenizers"),
    )
    kinds = [str(part.get("type")) for part in normalizer], [str(part.get("type")) for part in splits]
    if kinds == (["BertNormalizer"], ["BertPreTokenizer"]) and normalizer[0].get("clean_text"):
        return _bert_cuts(own, bool(normalizer[0].get("handle_chinese_chars")))
    if set(kinds[0]) <= {"NFC"} and _is_byte_level(splits):
        return _byte_level_cuts(own, prefix=bool(splits[-1].get("add_prefix_space")))
    return None


def rank_cuts() -> Cuts:
    """Return where the encodings of tiktoken part every text, without special tokens."""
    return _byte_level_cuts((), prefix=False)


def _listed(part: Mapping[str, Any] | None, several: str) -> list[Mapping[str, Any]]:
    """Return the parts of a normalizer or pre-tokenizer, in order."""
    if part is None:
        return []
    return list(part[several]) if part.get("type") == "Sequence" else [part]


def _is_local(token: Mapping[str, Any]) -> bool:
    """Return whether an added token is found in a piece as in the text around it."""
    content = str(token["content"])
    plain = not token.get("normalized") or (content.isascii() and content.isalnum())
    blank = any(character.isspace() for character in content)
    return plain and not blank and not (token.get("rstrip") or token.get("lstrip") or token.get("single_word"))


def _is_byte_level(splits: list[Mapping[str, Any]]) -> bool:
    """Return whether a text is parted by a known regular expression, after that perhaps at digits, and into bytes."""
    *before, last = splits or [{}]
    if last.get("type") != "ByteLevel":
        return False
    if last.get("use_regex", True):
        return all(part.get("type") == "Digits" for part in before)
    return len(before) == 1 and not last.get("add_prefix_space") and _is_known(before[0])


def _is_known(split: Mapping[str, Any]) -> bool:
    return (
        split.get("type") == "Split"
        and split.get("behavior") == "Isolated"
        and not split.get("invert")
        and (split.get("pattern") or {}).get("Regex") in PATTERNS.values()
    )


@lru_cache(maxsize=1)
def _punctuation() -> NDArray[np.int64]:
    """Return the code points that are punctuation in Unicode 3.2 and today, and so in between, or ASCII symbols."""
    old = unicodedata.ucd_3_2_0
    points = [
        point for point in range(0x3100) if old.category(chr(point))[0] == unicodedata.category(chr(point))[0] == "P"
    ]
    return np.array(sorted({*points, *map(ord, string.punctuation)}), dtype=np.int64)


def _bert_cuts(own: Collection[str], han: bool) -> Cuts:
    kinds = np.full(0x110000, _OTHER, dtype=np.uint8)
    kinds[_punctuation()] = _ALONE
    for first, last in _HAN if han else ():
        kinds[first : last + 1] = _ALONE
    kinds[[ord(character) for character in _SPACES]] = GAP
    kinds[[ord(character) for character in own]] = _OTHER
    return Cuts.of(kinds, [(_ALONE, _ALONE), (_ALONE, _OTHER), (_OTHER, _ALONE)])


def _byte_level_cuts(own: Collection[str], *, prefix: bool) -> Cuts:
    kinds = np.where(character_classes() & np.uint32(SPACE), _WHITE, _OTHER).astype(np.uint8)
    kinds[[ord(character) for character in string.ascii_letters + string.digits]] = _PLAIN
    kinds[[ord(mark) for mark in string.punctuation if mark != "'" and mark not in own]] = _MARK
    kinds[ord(" ")] = _BLANK
    kinds[[ord(character) for character in "\t\n\r"]] = _LINE
    pairs = [(_PLAIN, _BLANK), (_MARK, _BLANK), (_OTHER, _BLANK)]
    # A piece that does not begin with a space would be given one.
    return Cuts.of(kinds, pairs if prefix else [*pairs, (_PLAIN, _MARK), (_PLAIN, _LINE)])
