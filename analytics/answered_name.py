"""The name in a model's answer: one short plain line, or nothing.

An answer is as little to be trusted as the documents it was made from: markup, links, lists, excuses and whatever does
not look like a name are refused, and the cluster keeps the name from its words.
"""

from __future__ import annotations

import json
import re
import unicodedata

LONGEST_NAME = 60
MOST_WORDS = 9

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_LABEL = re.compile(r"^(?:(?:cluster|topic|category)\s+)?(?:name|title|label|topic)\s*[:：]\s*", re.IGNORECASE)
_EDGES = " \t.,;:!*_`#>\"'“”„«»‘’•-–—"
_MARKUP = re.compile(r"[<>{}\[\]|\\=`$]|https?:|www\.|://|\*\*|__", re.IGNORECASE)
_EXCUSE = re.compile(
    r"\b(?:sorry|i can(?:no|')t|i am unable|as an ai|language model|ignore (?:all|previous)|instructions?)\b",
    re.IGNORECASE,
)
_NOTHING = frozenset({"unknown", "none", "n/a", "null", "unnamed", "cluster", "name", "title", "other", "misc"})


def answered_name(answer: str) -> str | None:
    """Return the name an answer gives, at most 60 characters of plain text; None when it gives none."""
    text = _THOUGHT.sub("", answer[:20_000]).strip()
    line = _named_in_json(text) or _first_line(text)
    if line is None:
        return None
    # Control and format characters (among them those that turn the direction of text) are no part of a name.
    plain = "".join(" " if mark.isspace() else mark for mark in line if mark.isspace() or mark.isprintable())
    name = " ".join(unicodedata.normalize("NFC", plain).split()).strip(_EDGES)
    name = _LABEL.sub("", name).strip(_EDGES)
    return name if _is_name(name) else None


def _is_name(name: str) -> bool:
    if not 2 <= len(name) <= LONGEST_NAME or len(name.split()) > MOST_WORDS or not any(map(str.isalpha, name)):
        return False
    return not (_MARKUP.search(name) or _EXCUSE.search(name) or name.casefold() in _NOTHING)


def _named_in_json(text: str) -> str | None:
    found = re.search(r"\{[^{}]*\}", text)
    if found is None:
        return None
    try:
        value = json.loads(found[0])
    except ValueError:
        return None
    names = [value[key] for key in ("name", "title", "label", "topic") if isinstance(value.get(key), str)]
    return names[0] if names else None


def _first_line(text: str) -> str | None:
    """Return the first line that says something; a fence of code and an announcement that ends in a colon do not."""
    for line in text.splitlines():
        said = line.strip()
        if said and not said.startswith("```") and not said.rstrip("*_").endswith((":", "：")):
            return said
    return None
