"""What the points of the map mean: the colours and their legend, the names of clusters, the target of a similarity."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from tamis.analytics.facts.column_info import ColumnInfo, distinct_titles
from tamis.analytics.study.meaning import Example, document_example, sentence_example
from tamis.analytics.study.queries import (
    OTHER,
    Likeness,
    MapGroups,
    cluster_reach,
    cluster_table,
    hidden_words,
    likeness,
    map_groups,
)
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.look import count, short
from tamis.app.dashboard.page_context import Stage
from tamis.app.point_map.component import Label
from tamis.data.errors import RecipeError
from tamis.data.hashing import digest

KEPT = ColumnInfo("kept", "boolean", title="Kept / dropped")
LIKENESS = "likeness"
ALIKE = ColumnInfo(LIKENESS, "number", title="Similarity to …")


def colour_titles(here: Stage) -> dict[str, str]:
    """Return what the map can be coloured by, in the order of the list: column name to title."""
    columns = [info for info in here.facts.columns.values() if info.role not in ("id", "map")]
    ranked = [KEPT, ALIKE, *sorted(columns, key=_column_order)]
    titles = distinct_titles(ranked)
    return {info.name: titles[info.name] for info in ranked}


def _column_order(info: ColumnInfo) -> tuple[int, str]:
    roles = ("cluster", "source", "language", "label", "size", "duplicate", "signal")
    return (roles.index(info.role) if info.role in roles else len(roles), info.title)


def colour_column(here: Stage) -> str:
    """Return the column that people colour by."""
    column = str(session.current().setting("colour", "cluster"))
    if column in (KEPT.name, LIKENESS) or column in here.facts.columns:
        return column
    return next((name for name in ("cluster", "source", "lang") if name in here.facts.columns), KEPT.name)


def likeness_target(here: Stage) -> int | str | None:
    """Return the facts row or the sentence to which similarity is shown, None before there is one."""
    target = session.current().setting("alike")
    if isinstance(target, int) and not 0 <= target < here.facts.n:
        return None
    return target if isinstance(target, int | str) else None


def current_likeness(here: Stage) -> Likeness | None:
    """Return the similarity shown, None when another colour is chosen or there is no target yet.

    Raises:
        TamisError: as ``sentence_example`` and ``document_example``.
    """
    target = likeness_target(here)
    if colour_column(here) != LIKENESS or target is None:
        return None
    return likeness(here.opened.study, _example(here, target))


def _example(here: Stage, target: int | str) -> Example:
    study = here.opened.study

    def make() -> Example:
        if isinstance(target, int):
            return document_example(study, target, f"document {here.facts.ids[target].as_py()}")
        return sentence_example(study, target, cache.embedder(here.key.corpus))

    found: Example = here.facts.memo.through((LIKENESS, target), make, size=lambda _: 1)
    return found


def current_groups(here: Stage) -> MapGroups:
    """Return the colours of the points; without a target of similarity, kept and dropped.

    Raises:
        TamisError: as ``current_likeness``.
    """
    alike = current_likeness(here)
    if alike is not None:
        found: MapGroups = here.facts.memo.through(
            (alike.name, "groups"), alike.groups, size=lambda groups: len(groups.data)
        )
        return found
    column = colour_column(here)
    answer: MapGroups = here.ask(map_groups, column=KEPT.name if column == LIKENESS else column)
    return answer


def groups_of_lasso(here: Stage, column: str) -> MapGroups:
    """Return the colours on which an area was drawn.

    Raises:
        RecipeError: they have changed since.
    """
    groups = current_groups(here)
    if groups.column == column:
        return groups
    if column in here.facts.columns or column == KEPT.name:
        answer: MapGroups = here.ask(map_groups, column=column)
        return answer
    raise RecipeError("The colours have changed since the area was drawn", fix="draw it again")


def groups_name(here: Stage, groups: MapGroups) -> str:
    """Return the name of the groups' bytes: kept and dropped depend on the recipe, columns do not."""
    depends = here.scene.digest if groups.column == "kept" else groups.column
    return digest([here.facts.digest, depends])[:32]


def _title(here: Stage, groups: MapGroups) -> str:
    info = here.facts.columns.get(groups.column)
    if info is not None:
        return info.title + (f" ({info.unit})" if info.unit else "")
    if groups.column == KEPT.name:
        return KEPT.title
    alike = current_likeness(here)
    return f"Cosine, {alike.tier} vectors" if alike is not None else ALIKE.title


def _cluster_names(here: Stage, groups: MapGroups) -> dict[str, str]:
    info = here.facts.columns.get(groups.column)
    return here.opened.cluster_names() if info is not None and info.role == "cluster" else {}


def legend(here: Stage, groups: MapGroups) -> dict[str, Any]:
    """Return the legend for the map: column, title, all rows, and what it leaves out."""
    names = _cluster_names(here, groups)
    items = [
        {"label": names.get(item.label, item.label), "codes": [item.code], "n": short(item.documents)}
        for item in groups.legend
    ]
    more = f"The {count(len(items) - 1)} largest; all others are “other”." if _has_rest(groups) else ""
    return {"column": groups.column, "title": _title(here, groups), "items": items, "more": more}


def _has_rest(groups: MapGroups) -> bool:
    return any(item.code == OTHER for item in groups.legend)


def words_of_hidden(here: Stage, groups: MapGroups, hidden: Collection[int]) -> str:
    """Return in words which groups the legend hides, empty when none."""
    names = _cluster_names(here, groups)
    shown = [replace(item, label=names.get(item.label, item.label)) for item in groups.legend]
    return hidden_words(shown, hidden, _title(here, groups).lower())


def labels(here: Stage) -> list[Label]:
    """Return the names of clusters with their places, the largest first."""
    names = here.opened.cluster_names()
    if not names:
        return []
    reach = cluster_reach(here.facts)
    rows = [row for row in here.ask(cluster_table).to_pylist() if (row["cluster"] or 0) >= 0 and row["x"] is not None]
    rows.sort(key=lambda row: (-row["documents"], row["cluster"]))
    return [
        Label(
            row["x"], row["y"], *reach.get(row["cluster"], (0.0, 0.0)),
            names.get(str(row["cluster"]), f"cluster {row['cluster']}"),
        )
        for row in rows
    ]  # fmt: skip
