"""Reading duplicates: groups and pairs to choose from, the words that differ, and the answer "same document?".

J and K go through the pairs of one group and on into the next; S, N and U answer, and the answer goes to Review.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from tamis.analytics.duplicates.word_diff import word_diff
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.study.lines import line, name_of
from tamis.analytics.study.pictures import compared_facts
from tamis.analytics.study.queries import Look, Order, duplicate_groups, group_members
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.conversation_view import unlike
from tamis.app.dashboard.look import count, heading
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.dashboard.picture_html import beside
from tamis.app.dashboard.text_view import reader
from tamis.app.pages import pair_verdict
from tamis.data.hashing import digest

GROUPS = 20
"""Groups on one page of the list."""
MEMBERS = 200
DIFF_CHARACTERS = 6_000
LINE = 84
LABEL_CHARACTERS = 1_500
_ORDERS: dict[Order, str] = {
    "largest": "Largest first",
    "tokens": "Most tokens first",
    "least similar": "Least similar first",
}
_VIEWS = {"groups": "Groups", "border": "Nearest to the threshold"}


@dataclass(frozen=True)
class Shown:
    """Two documents side by side.

    Attributes:
        left, right: facts rows; the left one is the kept twin where one is.
        similarity: of both.
        title: what they are, for people.
        then: page settings of the pair that follows.
    """

    left: int
    right: int
    similarity: float
    title: str
    then: Mapping[str, Any]


def choose(here: Stage, found: Look) -> None:
    """Show the list of groups, or of the pairs nearest to the threshold."""
    view = str(session.current().setting("dup_view", "groups"))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.segmented_control(
            "Show", list(_VIEWS), default=view if view in _VIEWS else "groups", required=True, key="duplicates/view",
            format_func=_VIEWS.__getitem__, label_visibility="collapsed", on_change=_choose_view,
        )  # fmt: skip
        if view == "groups":
            st.selectbox(
                "Order", list(_ORDERS), format_func=_ORDERS.__getitem__, key="duplicates/order", width=180,
                label_visibility="collapsed", index=list(_ORDERS).index(_order()), on_change=_choose_order,
            )  # fmt: skip
            _select_all(here, found)
    if view == "border":
        _pair_list(here, found)
    else:
        _group_list(here, found)


def _choose_view() -> None:
    session.choose(dup_view=session.widget_value("duplicates/view"), dup_at=None)


def _choose_order() -> None:
    session.choose(dup_order=session.widget_value("duplicates/order"), dup_group=None, dup_at=None)


def _order() -> Order:
    return next((name for name in _ORDERS if name == session.current().setting("dup_order")), "largest")


def _select_all(here: Stage, found: Look) -> None:
    rows = found.view.rows[found.dropped]
    st.button(
        f"Select the {count(len(rows))} dropped", key="duplicates/select", type="tertiary", disabled=not len(rows),
        on_click=_select, args=(here, rows), help="On every page, as a stored set of ids",
    )  # fmt: skip


def _select(here: Stage, rows: Any) -> None:
    stored = here.workspace.put_ids(here.facts.ids.take(pa.array(np.sort(np.asarray(rows, dtype=np.int64)))))
    adopt(selection=[OPERATORS.build("id_list", {"stored": stored})])  # type: ignore[list-item]


def _group_at(found: Look) -> tuple[int, Mapping[str, Any], int]:
    """Return the number of the chosen group in the list, the group, and how many there are; -1 without any."""
    asked = max(0, int(session.current().setting("dup_group", 0)))
    listed = duplicate_groups(found, order=_order(), offset=asked, limit=1)
    if asked >= listed.total and listed.total:
        asked, listed = 0, duplicate_groups(found, order=_order(), limit=1)
    rows = listed.table.to_pylist()
    return (asked, rows[0], listed.total) if rows else (-1, {}, listed.total)


def _group_list(here: Stage, found: Look) -> None:
    """Show a page of groups by the first line of their kept document; all pages can be reached."""
    at, _, total = _group_at(found)
    if at < 0:
        st.caption("No group: this rule finds no duplicates.")
        return
    first = at // GROUPS * GROUPS
    rows = duplicate_groups(found, order=_order(), offset=first, limit=GROUPS).table.to_pylist()
    firsts = [line(each, length=LINE) for each in here.readings([int(row["row"]) for row in rows])]
    labels = {
        first + k: f"{count(first + k + 1)}. {plain(words) or 'no visible text'}" for k, words in enumerate(firsts)
    }
    captions = [_group_words(row, tokens="n_tokens" in here.facts.columns) for row in rows]
    _list("Groups", labels, captions, at, _choose_group)
    _pages(first, total, GROUPS, "groups", "dup_group")


def _group_words(row: Mapping[str, Any], *, tokens: bool) -> str:
    parts = [f"{count(row['size'])} documents"]
    if tokens:
        parts.append(f"{count(row['dropped_tokens'])} tokens dropped")
    if row["least_similar"] < 1:
        parts.append(f"least similar {row['least_similar']:.3f}")
    if row.get("source"):
        parts.append(plain(row["source"]))
    return " · ".join(parts) + (" · **large: look first**" if row["large"] else "")


def _list(
    title: str, labels: Mapping[int, str], captions: Sequence[str], at: int, choose: Callable[[str], None]
) -> None:
    """Show the entries of a page, one of which is chosen."""
    key = _list_key(title, labels, at)
    with st.container(height=430, border=True, key="dup_list"):
        st.radio(
            title, list(labels), index=list(labels).index(at), format_func=labels.__getitem__, captions=captions,
            key=key, label_visibility="collapsed", on_change=choose, args=(key,),
        )  # fmt: skip


def _list_key(what: str, labels: Mapping[int, str], at: int) -> str:
    """Return the key of a list: other entries, as after a threshold moved, are another widget."""
    return session.widget_holding(session.widget("duplicates", what, digest(list(labels.items()))[:16]), at)


def _choose_group(key: str) -> None:
    chosen = session.widget_value(key)
    if isinstance(chosen, int):  # A late message about a list that is gone holds only its text.
        session.choose(dup_group=chosen, dup_at=None)


def _pages(first: int, total: int, size: int, what: str, setting: str) -> None:
    """Show which part of a list is shown, and buttons to the others."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for title, icon, to, there in (
            ("Previous page", ":material/chevron_left:", first - size, first > 0),
            ("Next page", ":material/chevron_right:", first + size, first + size < total),
        ):
            st.button(
                title, key=session.widget("duplicates", what, title), icon=icon, type="tertiary", disabled=not there,
                on_click=session.choose, kwargs={setting: to, **({"dup_at": None} if setting != "dup_at" else {})},
            )  # fmt: skip
        st.caption(f"{what} {count(first + 1)} to {count(min(first + size, total))} of {count(total)}")


def _pair_list(here: Stage, found: Look) -> None:
    """Show the pairs nearest to the threshold, on either side of it."""
    rows = found.border.to_pylist()
    if not rows:
        st.caption("Exact duplicates have no border.")
        return
    at = _at(len(rows))
    first = at // GROUPS * GROUPS
    part = rows[first : first + GROUPS]
    firsts = [line(each, length=LINE) for each in here.readings([int(row["right"]) for row in part])]
    labels = {
        first + k: f"{first + k + 1}. {plain(words) or 'no visible text'}" for k, words in enumerate(firsts)
    }  # fmt: skip
    captions = [f"{row['similarity']:.3f} · {'a' if row['duplicate'] else 'not a'} duplicate here" for row in part]
    _list("Pairs", labels, captions, at, _choose_pair)
    _pages(first, len(rows), GROUPS, "pairs", "dup_at")
    duplicates = sum(bool(row["duplicate"]) for row in rows)
    st.caption(f"{count(duplicates)} of these {count(len(rows))} nearest pairs are duplicates at this threshold.")


def _choose_pair(key: str) -> None:
    chosen = session.widget_value(key)
    if isinstance(chosen, int):
        session.choose(dup_at=chosen)


def _at(pairs: int) -> int:
    """Return the number of the pair that is read, from 0."""
    return min(max(0, int(session.current().setting("dup_at", 0))), max(pairs - 1, 0))


def read(here: Stage, found: Look) -> None:
    """Show two documents with the words that differ, the keys to the next pair, and the answers."""
    if session.current().setting("dup_view", "groups") == "border":
        _read_border(here, found)
    else:
        _read_group(here, found)


def _read_border(here: Stage, found: Look) -> None:
    rows = found.border.to_pylist()
    if not rows:
        return
    at = _at(len(rows))
    row = rows[at]
    left, right = int(row["left"]), int(row["right"])
    if row["right_kept"] and not row["left_kept"]:
        left, right = right, left
    words = "a duplicate" if row["duplicate"] else "not a duplicate"
    title = f"Pair {at + 1} of {len(rows)}, {words} at this threshold"
    shown = Shown(left, right, float(row["similarity"]), title, {"dup_at": min(at + 1, len(rows) - 1)})
    _steps(
        lambda by: {"dup_at": at + by}, back=at > 0, on=at + 1 < len(rows)
    )  # fmt: skip
    _side_by_side(here, shown)


def _read_group(here: Stage, found: Look) -> None:
    """Show one dropped document of the chosen group beside the kept one."""
    place, group, total = _group_at(found)
    if place < 0:
        return
    leader = int(group["row"])
    dropped = [row for row in group_members(found, leader, limit=MEMBERS).to_pylist() if not row["kept"]]
    at = _at(len(dropped))
    row = dropped[at]

    def to(by: int) -> dict[str, Any]:
        """Return the settings of the pair after or before this one; the last of a group leads to the next group."""
        if 0 <= at + by < len(dropped):
            return {"dup_group": place, "dup_at": at + by}
        return {"dup_group": place + by, "dup_at": None if by > 0 else MEMBERS}

    on = place + 1 < total or at + 1 < len(dropped)
    title = f"Group {count(place + 1)} of {count(total)}"
    shown = Shown(leader, int(row["row"]), float(row["similarity"]), title, to(1) if on else {})
    _steps(to, back=place > 0 or at > 0, on=on)
    if len(dropped) > 1:
        _member_list(here, leader, dropped, at)
    _side_by_side(here, shown)
    rows = [leader, *(int(each["row"]) for each in dropped)]
    st.button(
        f"Select this group ({count(len(rows))})", key="duplicates/select-group", type="tertiary", on_click=_select,
        args=(here, rows), help="On every page, as a stored set of ids",
    )  # fmt: skip


def _steps(to: Callable[[int], dict[str, Any]], *, back: bool, on: bool) -> None:
    """Show the buttons to the pair before and after."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for title, key, by, there, icon in (
            ("Pair before", "K", -1, back, ":material/arrow_upward:"),
            ("Next pair", "J", 1, on, ":material/arrow_downward:"),
        ):
            st.button(
                title, key=f"duplicates/step/{by}", icon=icon, shortcut=key, type="tertiary", disabled=not there,
                on_click=session.choose, kwargs=to(by),
            )  # fmt: skip


def _member_list(here: Stage, leader: int, dropped: Sequence[Mapping[str, Any]], at: int) -> None:
    """Let people choose a dropped document by what it has that the kept one lacks."""
    first = at // GROUPS * GROUPS
    part = list(dropped[first : first + GROUPS])
    kept, *others = here.readings([leader, *(int(row["row"]) for row in part)])
    labels = {
        first + k: f"{first + k + 1}. {row['similarity']:.3f} · {_own_words(kept, other)}"
        + (f" · {row['source']}" if row.get("source") else "")
        + f" · {count(row['tokens'])} tokens"
        for k, (row, other) in enumerate(zip(part, others, strict=True))
    }
    key = _list_key("member", labels, at)
    more = f"{first + 1} to {first + len(part)} of " if len(dropped) > GROUPS else ""
    st.selectbox(
        f"Dropped for the kept one, least similar first: {more}{count(len(dropped))}", list(labels), index=at - first,
        format_func=labels.__getitem__, key=key, on_change=_choose_pair, args=(key,),
    )  # fmt: skip


def _own_words(kept: Reading, other: Reading) -> str:
    """Return the first words of a document that its kept twin lacks; of a picture its name."""
    if other.picture is not None:
        return name_of(other)[:60]
    added = unlike(word_diff(kept.text[:LABEL_CHARACTERS], other.text[:LABEL_CHARACTERS]).right)
    words = " … ".join(" ".join(other.text[begin:end].split()) for begin, end in added[:3])
    return f"“{words[:60]}”" if words else "no other words at its beginning"


def _side_by_side(here: Stage, shown: Shown) -> None:
    """Show two documents, the words that differ marked in both, and the buttons that say whether they are the same."""
    heading(shown.title, f"similarity {shown.similarity:.3f}")
    pair_verdict.ask(here, shown.left, shown.right, similarity=shown.similarity, then=shown.then)
    left, right = here.readings([shown.left, shown.right])
    if left.picture is not None:
        _pictures_beside(here, left, right, shown)
        return
    found = word_diff(left.text[:DIFF_CHARACTERS], right.text[:DIFF_CHARACTERS])
    added, removed = unlike(found.right), unlike(found.left)
    with st.container(height=520, border=True, key="dup_pair"):
        cells = st.columns(2, gap="small")
        for cell, title, document, places in (
            (cells[0], "Kept", left, removed),
            (cells[1], "Beside it", right, added),
        ):
            cell.html(f'<div class="tamis-head" role="heading" aria-level="3">{escape(title)}</div>')
            cell.html(reader(document, places, limit=DIFF_CHARACTERS))
    if not added and not removed:
        st.caption("Word for word the same.")


def _pictures_beside(here: Stage, left: Reading, right: Reading, shown: Shown) -> None:
    """Show two pictures, where they differ, and what the facts say of either."""
    with st.container(border=True, key="dup_pair"):
        st.html(beside(here.opened.study, left, right, titles=("Kept", "Beside it")))
        rows = here.ask(compared_facts, rows=(shown.left, shown.right))
        values = [{"column": title, "kept": one, "beside it": other} for title, one, other in rows]
        st.dataframe(values, hide_index=True, row_height=28)
