"""What one step of a run reads: its documents, from which groups, and whether they come again."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.study.lines import line
from tamis.analytics.training.picture import PictureGroups
from tamis.analytics.training.run_outline import RunOutline, StepReading
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count, heading, share, short
from tamis.app.dashboard.page_context import Stage

LISTED = 12
PREVIEW = 110
MOST_INLINE = 1_000


def show(here: Stage, run: RunOutline, groups: PictureGroups, labels: list[str], number: int) -> None:
    """Show what a step reads.

    Args:
        here: the stage.
        run: the run.
        groups: what the picture stacks.
        labels: names of the groups.
        number: of the step, from 0.
    """
    found = run.read(number)
    heading(f"{run.steps.unit.capitalize()} {count(number + 1)} reads", _totals(run, found))
    st.html(_shares(found, groups, labels))
    _documents(here, run, found, groups, labels)
    rows = np.unique(found.rows)
    st.button(
        f"Select its {count(len(rows))} documents" if len(rows) != 1 else "Select its document",
        key="training/select", icon=":material/select_all:", on_click=_select, args=(here, rows),
    )  # fmt: skip


def _totals(run: RunOutline, found: StepReading) -> str:
    pieces, again = len(found.rows), int(found.again.sum())
    parts = [f"{count(found.sequences)} sequences"] if run.steps.pack else []
    parts += [f"{count(pieces)} {'piece' if pieces == 1 else 'pieces'} of documents", f"{short(found.tokens)} tokens"]
    return " · ".join([*parts, f"{count(again)} read before" if again else "nothing read before"])


def _shares(found: StepReading, groups: PictureGroups, labels: list[str]) -> str:
    """Return the share of the tokens of each group in one line of HTML, the largest first."""
    sizes = np.bincount(groups.code[found.rows], weights=found.last - found.first, minlength=len(labels))
    order = [place for place in np.argsort(-sizes, kind="stable").tolist() if sizes[place]]
    said = (f"<span>{escape(labels[place])} <b>{share(sizes[place], sizes.sum())}</b></span>" for place in order)
    return f'<div class="tamis-mix">{"".join(said)}</div>'


def _documents(here: Stage, run: RunOutline, found: StepReading, groups: PictureGroups, labels: list[str]) -> None:
    """List the first documents in the order in which they are read."""
    some = slice(0, int(session.current().setting("training_listed", LISTED)))
    rows = found.rows[some]
    documents = here.readings([int(row) for row in rows])
    lines = []
    for place, (row, document) in enumerate(zip(rows.tolist(), documents, strict=True)):
        text = escape(line(document, length=PREVIEW)) or "<i>no visible text</i>"
        cells = [
            f'<button type="button" data-open="document/{row}" dir="auto">{text}</button>',
            escape(labels[groups.code[row]]),
            _piece(run, found, place, row),
            _time(found, place),
        ]
        number = count(found.sequence[place] + 1)
        lines.append(f"<tr><td>{number}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    column = escape(here.facts.info(groups.column).title)
    first = "Sequence" if run.steps.pack else "Place"
    heads = "".join(f'<th scope="col">{name}</th>' for name in (first, "Document", column, "Tokens", "Copy"))
    st.html(
        f'<div class="tamis-sequence"><table aria-label="Documents of this {run.steps.unit}">'
        f"<thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
    more = len(found.rows) - len(rows)
    if more:
        st.button(
            f"Show more of the other {count(more)}", key="training/more", type="tertiary", on_click=session.choose,
            kwargs={"training_listed": some.stop * 4},
        )  # fmt: skip


def _piece(run: RunOutline, found: StepReading, place: int, row: int) -> str:
    """Return which tokens of a document are read."""
    first, last = int(found.first[place]), int(found.last[place])
    whole = int(run.sizes[row])
    return count(whole) if last - first == whole else f"{count(first + 1)} to {count(last)} of {count(whole)}"


def _time(found: StepReading, place: int) -> str:
    copy, epoch = int(found.copy[place]) + 1, int(found.epoch[place]) + 1
    return " · ".join([f"{copy}"] + ([f"epoch {epoch}"] if epoch > 1 else []))


def _select(here: Stage, rows: NDArray[np.int64]) -> None:
    """Make the documents of the step the selection."""
    ids = sorted(here.facts.ids.take(rows).to_pylist())
    named = {"ids": ids} if len(ids) <= MOST_INLINE else {"stored": here.workspace.put_ids(ids)}
    rule = OPERATORS.build("id_list", {**named, "mode": "keep", "missing": "drop"})
    assert isinstance(rule, RowOperator)
    adopt(selection=[rule])
