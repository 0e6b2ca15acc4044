"""What a person means by a typed text: words, a pattern, a condition, a meaning, or the name of something.

One text can be read in several ways. ``read_command`` returns all of them, the likeliest first; nothing is guessed in
silence, and a text that a chosen kind cannot be is refused with the nearest name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.meaning import shorten
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.operators.patterns import words_pattern
from tamis.analytics.operators.predicate import parse_predicate
from tamis.analytics.operators.selection import AnyOf, Cluster
from tamis.analytics.study.documents import row_of
from tamis.analytics.study.groups import column_values
from tamis.analytics.study.scene import as_condition
from tamis.data.errors import RecipeError, TamisError
from tamis.data.nearest import did_you_mean, nearest_names
from tamis.data.parts import WHOLE

Reads = Literal["words", "regex", "condition", "meaning", "id", "cluster", "source", "page", "action"]
Join = Literal["all", "any", "not"]
KINDS: Mapping[str, str] = {
    "auto": "Auto", "words": "Words", "meaning": "Meaning", "condition": "Condition", "regex": "Regex", "id": "Id",
    "cluster": "Cluster", "source": "Source", "page": "Page", "action": "Action",
}  # fmt: skip
"""Kinds that people choose, and their titles."""

JOINS: Mapping[str, str] = {"all": "all of", "any": "any of", "not": "not"}
"""How a condition joins those before it: all must hold, the last or this one, this one must not."""

MOST = 5
"""Names of one kind offered at most."""

MOST_NAMED = 300
"""Clusters and sources that are suggested while one types; all others are found once the text is sent."""

_COMPARES = re.compile(r"[<>=]|\b(in|between|like|ilike|is)\b", re.IGNORECASE)
_PATTERN = re.compile(r"/(?P<pattern>.+)/(?P<flags>i?)", re.DOTALL)
_LEAST_PREFIX = 4


@dataclass(frozen=True)
class Reachable:
    """What names can mean in one corpus.

    Attributes:
        facts: the documents; ids and sources are looked up there.
        clusters: names by number as text, of the clusters in use.
        clustering: digest of the clustering, empty without one.
        pages, actions: titles by key.
        meaning: whether the corpus has vectors.
    """

    facts: Facts
    clusters: Mapping[str, str] = field(default_factory=dict)
    clustering: str = ""
    pages: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    meaning: bool = True


@dataclass(frozen=True)
class Command:
    """One reading of a typed text.

    Attributes:
        kind: what it is.
        title: in words, for a button.
        value: the id, the sentence, or the key of the page or action; empty for conditions.
        rule: the condition it selects by, None if it selects nothing.
        exact: whether the text can hardly mean anything else.
    """

    kind: Reads
    title: str
    value: str = ""
    rule: RowOperator | None = None
    exact: bool = False


@dataclass(frozen=True)
class Nameable:
    """Something that people can name, for a list while they type.

    Attributes:
        kind: ``column``, ``cluster``, ``source``, ``page`` or ``action``.
        title: what people see.
        value: what stands in the field; for all but columns ``read_command`` reads it as this thing.
    """

    kind: str
    title: str
    value: str


def suggestions(known: Reachable) -> tuple[Nameable, ...]:
    """Return what can be named in a corpus: pages and actions, columns, at most ``MOST_NAMED`` clusters and sources."""
    facts = known.facts
    found = [Nameable("page", title, title) for title in known.pages.values()]
    found += [Nameable("action", title, title) for title in known.actions.values()]
    columns = [info for info in facts.columns.values() if info.role != "measure"]
    found += [Nameable("column", f"{info.title} · {info.name}", info.name) for info in columns]
    named = list(known.clusters.items())[:MOST_NAMED] if known.clustering else []
    found += [Nameable("cluster", f"{shorten(name, 60)} · {number}", f"cluster {number}") for number, name in named]
    for info in facts.named(role="source"):
        values = column_values(facts, info.name)[0].slice(0, MOST_NAMED).to_pylist()
        found += [Nameable("source", shorten(value, 60), value) for value in values if value.strip()]
    return tuple(found)


def read_command(text: str, kind: str, known: Reachable, *, scope: str = WHOLE) -> tuple[Command, ...]:
    """Return what a text can mean, the likeliest first, at least one.

    Args:
        text: as typed.
        kind: a key of ``KINDS``.
        known: what names can mean.
        scope: the part of conversations in which words and patterns are looked for.

    Raises:
        RecipeError: the text is empty, or it cannot be of this kind; a name comes with the nearest names.
        PredicateError: the condition or the pattern is not valid.
    """
    typed = text.strip()
    if not typed:
        raise RecipeError("Type what to look for")
    if kind == "auto":
        return _every_reading(typed, known, scope)
    if kind not in get_args(Reads):
        raise RecipeError("Unknown kind of search", value=kind, allowed=KINDS, fix=did_you_mean(kind, KINDS))
    if kind in _TYPED:
        return _TYPED[kind](typed, known, scope)
    found = _NAMED[kind](typed, known)
    if not found:
        raise _unknown(typed, kind, known)
    return found


def join_condition(selection: Sequence[RowOperator], rule: RowOperator, how: Join) -> tuple[RowOperator, ...]:
    """Return a selection with one more condition: all hold, the last or this one holds, or this one does not.

    Raises:
        RecipeError: more than 30 conditions are joined by or.
    """
    own = as_condition(rule)
    if how == "not":
        turned: Literal["keep", "drop"] = "drop" if own.mode == "keep" else "keep"
        return (*selection, as_condition(own.model_copy(update={"mode": turned})))
    if how == "all" or not selection:
        return (*selection, own)
    last = as_condition(selection[-1])
    before = last.rules if isinstance(last, AnyOf) and last.mode == "keep" else (last,)
    if len(before) >= 30:
        raise RecipeError("Too many conditions are joined by or", value=len(before) + 1, allowed="up to 30")
    return (*selection[:-1], AnyOf(rules=(*before, own), mode="keep", missing="drop"))


def _every_reading(text: str, known: Reachable, scope: str) -> tuple[Command, ...]:
    """Return all readings: names that are exactly the text, conditions, words, meaning, then names that hold it."""
    named = [command for look in _NAMED.values() for command in look(text, known)]
    typed = [command for read in (_as_condition, _as_pattern) for command in read(text, scope)]
    typed += _words(text, known, scope)
    if known.meaning and any(mark.isalpha() for mark in text):
        typed += _meaning(text, known, scope)
    return (*(one for one in named if one.exact), *typed, *(one for one in named if not one.exact))


def _as_condition(text: str, scope: str) -> list[Command]:
    """Return the text as a condition if it compares something and can be read."""
    if scope != WHOLE or not _COMPARES.search(text):
        return []
    try:
        if not parse_predicate(text).columns:
            return []
    except TamisError:
        return []
    return list(_condition(text, None, scope))


def _as_pattern(text: str, scope: str) -> list[Command]:
    """Return a text between slashes as a pattern; ``i`` after the second makes it ignore case."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return []
    try:
        return [_regex_command(found["pattern"], ignore_case=bool(found["flags"]), scope=scope)]
    except TamisError:
        return []


def _condition(text: str, known: Reachable | None, scope: str) -> tuple[Command, ...]:
    if scope != WHOLE:
        fix = f"search the {WHOLE}, and write columns of a part as {scope}.n_words"
        raise RecipeError("A condition reads columns, not a part of the text", value=scope, fix=fix)
    rule = _rule("sql_predicate", {"predicate": text})
    return (Command("condition", f"Where {shorten(text)}", rule=rule, exact=True),)


def _words(text: str, known: Reachable | None, scope: str) -> tuple[Command, ...]:
    rule = _regex_rule(words_pattern(text), ignore_case=True, scope=scope)
    return (Command("words", f"The words “{shorten(text, 40)}”", rule=rule),)


def _regex(text: str, known: Reachable | None, scope: str) -> tuple[Command, ...]:
    return (_regex_command(text, ignore_case=False, scope=scope),)


def _regex_command(pattern: str, *, ignore_case: bool, scope: str) -> Command:
    rule = _regex_rule(pattern, ignore_case=ignore_case, scope=scope)
    return Command("regex", f"The pattern {shorten(pattern, 40)}", rule=rule, exact=True)


def _meaning(text: str, known: Reachable, scope: str) -> tuple[Command, ...]:
    if not known.meaning:
        raise RecipeError("Search by meaning needs embeddings", fix="analyse the corpus with embeddings")
    return (Command("meaning", f"The meaning of “{shorten(text, 40)}”", value=text),)


def _regex_rule(pattern: str, *, ignore_case: bool, scope: str) -> RowOperator:
    of = {} if scope == WHOLE else {"of": scope}
    return _rule("regex", {"pattern": pattern, "ignore_case": ignore_case, **of})


def _rule(name: str, params: Mapping[str, Any]) -> RowOperator:
    rule = OPERATORS.build(name, {**params, "mode": "keep", "missing": "drop"})
    assert isinstance(rule, RowOperator)
    return rule


def _ids(text: str, known: Reachable) -> tuple[Command, ...]:
    """Return the document with this id, or the first few whose ids begin with it."""
    facts = known.facts
    found = facts.memo.through(("ids like", facts.digest, text), lambda: _ids_like(facts, text), size=lambda _: 1_000)
    exact = found == (text,)
    return tuple(Command("id", f"The document {shorten(each, 40)}", value=each, exact=exact) for each in found)


def _ids_like(facts: Facts, text: str) -> tuple[str, ...]:
    if row_of(facts, text) is not None:
        return (text,)
    if len(text) < _LEAST_PREFIX:
        return ()
    rows = np.flatnonzero(pc.starts_with(facts.ids, text).to_numpy(zero_copy_only=False))[:MOST]
    return tuple(map(str, facts.ids.take(pa.array(rows)).to_pylist()))


def _clusters(text: str, known: Reachable) -> tuple[Command, ...]:
    """Return the clusters of this number, of this name, or whose names hold the text."""
    if not known.clustering:
        return ()
    bare = re.sub(r"^cluster\s+", "", text, flags=re.IGNORECASE)
    numbered = re.fullmatch(r"-?\d+", bare) is not None
    found = []
    for number, name in known.clusters.items():
        same = bare.casefold() == name.casefold() or (numbered and number == str(int(bare)))
        if same or (not numbered and bare.casefold() in name.casefold()):
            rule = Cluster(clusters=(int(number),), clustering=known.clustering, mode="keep", missing="drop")
            # A bare number is more likely a word.
            exact = same and (not numbered or bare != text)
            found.append(Command("cluster", f"Cluster {number}: {shorten(name, 40)}", rule=rule, exact=exact))
    return _first(found)


def _sources(text: str, known: Reachable) -> tuple[Command, ...]:
    """Return the sources of this name, or whose names hold the text."""
    found = []
    for info in known.facts.named(role="source"):
        for value in column_values(known.facts, info.name)[0].to_pylist():
            if text.casefold() in value.casefold():
                rule = _rule("category", {"column": info.name, "values": [value]})
                same = value.casefold() == text.casefold()
                title = f"{info.title or info.name} {shorten(value, 40)}"
                found.append(Command("source", title, rule=rule, exact=same))
    return _first(found)


def _titled(kind: Reads, titles: Mapping[str, str], text: str, *, verb: str) -> tuple[Command, ...]:
    """Return the pages or actions whose titles begin with the text."""
    wanted = text.casefold().removeprefix("go to ")
    found = [
        Command(kind, f"{verb}{title}", value=key, exact=wanted in (title.casefold(), key))
        for key, title in titles.items()
        if title.casefold().startswith(wanted)
    ]
    return _first(found)


def _first(found: Iterable[Command]) -> tuple[Command, ...]:
    return tuple(sorted(found, key=lambda command: not command.exact)[:MOST])


_TYPED: Mapping[str, Callable[[str, Reachable, str], tuple[Command, ...]]] = {
    "words": _words,
    "regex": _regex,
    "condition": _condition,
    "meaning": _meaning,
}
_NAMED: Mapping[str, Callable[[str, Reachable], tuple[Command, ...]]] = {
    "id": _ids,
    "cluster": _clusters,
    "source": _sources,
    "page": lambda text, known: _titled("page", known.pages, text, verb="Go to "),
    "action": lambda text, known: _titled("action", known.actions, text, verb=""),
}


def _unknown(text: str, kind: str, known: Reachable) -> RecipeError:
    """Return the refusal of a name that nothing has, with the nearest names."""
    sources = [
        value
        for info in known.facts.named(role="source")
        for value in column_values(known.facts, info.name)[0].to_pylist()
    ]
    names: Mapping[str, Sequence[str]] = {
        "cluster": [*known.clusters.values()],
        "source": sources,
        "page": [*known.pages.values()],
        "action": [*known.actions.values()],
        "id": [],
    }
    near = nearest_names(text, names[kind])
    return RecipeError(
        f"There is no {kind} of this name",
        value=text,
        allowed=sorted(names[kind])[:20] or None,
        fix=f"did you mean {' or '.join(near)}?" if near else None,
    )
