"""The picture of a run of training in the browser: a boundary that is dragged and a step that is read come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from tamis.analytics.training.picture import Boundary, RunPicture

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "tamis_run_picture",
    html='<div class="tamis-run"></div>',
    css=(HERE / "run_picture.css").read_text("utf-8"),
    js=(HERE / "run_picture.js").read_text("utf-8"),
)

PHASES = {"warm-up then random": "easiest first", "best last": "best last", "interleaved": "slices"}
"""What the boundary of an order is called."""


def run_picture(
    picture: RunPicture,
    *,
    labels: Sequence[str],
    colours: Sequence[str],
    boundary: Boundary | None,
    phase: str,
    unit: str,
    steps: int,
    step: int,
    label: str,
    key: str,
    on_boundary: Callable[[], None],
    on_read: Callable[[], None],
) -> None:
    """Show the picture.

    Args:
        picture: what is drawn.
        labels: names of its groups.
        colours: of its groups, as #rrggbb.
        boundary: what can be dragged; None for nothing.
        phase: the order of the curriculum.
        unit: what is read at once: a step, a sequence or a document.
        steps: how many there are.
        step: the one that is read, from 0.
        label: says the picture in words for screen readers.
        key: of the widget.
        on_boundary: called when the boundary was moved; ``moved_boundary`` of the widget's state is its value.
        on_read: called when a step was chosen; ``chosen_step`` is its number.
    """
    totals = picture.tokens.sum(axis=0)
    whole = max(float(totals.sum()), 1.0)
    _mount(
        key=key,
        height="content",
        data={
            "labels": list(labels),
            "colours": list(colours),
            "shares": picture.shares.round(5).tolist(),
            "totals": (totals / whole).round(6).tolist(),
            "again": picture.repeated.round(4).tolist(),
            "repeated": round(float(picture.again.sum()) / whole, 6),
            "epochs": _epochs(picture),
            "boundary": None if boundary is None else _plain(boundary, phase),
            "unit": unit.capitalize(),
            "steps": steps,
            "step": step,
            "label": label,
        },
        on_boundary_change=on_boundary,
        on_read_change=on_read,
    )


def _epochs(picture: RunPicture) -> list[dict[str, Any]]:
    """Return where each epoch begins, by part of the progress."""
    epochs = picture.epoch.tolist()
    firsts = [place for place, epoch in enumerate(epochs) if place == 0 or epoch != epochs[place - 1]]
    return [{"first": first, "name": f"epoch {epochs[first] + 1}"} for first in firsts]


def _plain(boundary: Boundary, phase: str) -> dict[str, Any]:
    return {
        "field": boundary.field,
        "value": boundary.value,
        "at": boundary.at,
        "shares": boundary.shares.round(6).tolist(),
        "last": boundary.last,
        "name": PHASES.get(phase, phase),
    }


def moved_boundary(state: Mapping[str, Any]) -> float | None:
    """Return where the boundary was moved to, from the component's state: a share or a number of slices."""
    told = state.get("boundary")
    return None if told is None else float(told)


def chosen_step(state: Mapping[str, Any]) -> int | None:
    """Return the step that was chosen, from the component's state, from 0."""
    told = state.get("read")
    return None if told is None else int(told)
