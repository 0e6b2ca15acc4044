"""The map in the browser: bytes go out by their own route, polygons come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from tamis.analytics.study.queries import Bounds
from tamis.app.figures.role_colours import role_rules
from tamis.app.server.lost_picture import LOST_SCRIPT, LOST_STYLE

HERE = Path(__file__).parent
HTML = """
<div class="tamis-map" tabindex="0" role="application"
     aria-label="Map of the documents. Arrows, plus and minus move the view, Enter reads the document in the middle,
 A selects what is in view and Shift A adds it, L is the lasso, B the box, P moves, T shows or hides pictures,
 Escape clears.">
  <canvas class="gl"></canvas><canvas class="over"></canvas>
  <div class="tools" role="toolbar" aria-label="Tools of the map">
    <button type="button" data-act="pan" aria-pressed="true" title="Move (P)">Move</button>
    <button type="button" data-act="lasso" aria-pressed="false" title="Lasso (L); hold Shift to add">Lasso</button>
    <button type="button" data-act="box" aria-pressed="false" title="Box (B); hold Shift to add">Box</button>
    <button type="button" data-act="add" aria-pressed="false"
      title="Add what is drawn next to the selection (or hold Shift)">Add</button>
    <button type="button" data-act="in" title="Closer (+)" aria-label="Closer">+</button>
    <button type="button" data-act="out" title="Further (-)" aria-label="Further">−</button>
    <button type="button" data-act="home" title="Whole map (0)">Fit</button>
    <button type="button" data-act="pictures" aria-pressed="true" title="Pictures where few documents are in view (T)"
      >Pictures</button>
    <button type="button" data-act="look" aria-expanded="false" title="Size of the points and density">Look</button>
    <button type="button" data-act="png" title="Save as PNG">PNG</button>
    <button type="button" data-act="svg" title="Save as SVG: labels and legend stay text">SVG</button>
  </div>
  <div class="dials" role="group" aria-label="Look of the points" hidden>
    <label>Point size <input type="range" name="size" min="-2" max="2" step="0.25"></label>
    <label>Density <input type="range" name="density" min="-4" max="4" step="0.5"></label>
    <button type="button" title="Both dials back to the middle">As usual</button>
  </div>
  <div class="legend" role="group" aria-label="Legend"></div>
  <div class="status" role="status">Loading …</div><div class="tip" role="tooltip"></div>
</div>
"""


@dataclass(frozen=True)
class Label:
    """A name on the map.

    Attributes:
        x, y: map coordinates of its middle.
        reach_x, reach_y: how far around the middle it holds.
        text: plain text.
    """

    x: float
    y: float
    reach_x: float
    reach_y: float
    text: str


@dataclass(frozen=True)
class Lasso:
    """An area drawn on the map.

    Attributes:
        vertices: map coordinates, float64.
        add: whether it is added to the selection.
        map: digest of the map it was drawn on.
        column: what the map was coloured by.
        hidden: codes of the groups of ``column`` that the legend hid; their documents are not in the area.
    """

    vertices: tuple[tuple[float, float], ...]
    add: bool
    map: str
    column: str
    hidden: tuple[int, ...]


SCRIPTS = (
    "map_paint.js", "map_cells.js", "map_over.js", "map_labels.js", "map_pictures.js", "map_legend.js", "map_tip.js",
    "map_hand.js", "map_tools.js", "map_save.js", "map.js",
)  # fmt: skip
"""Parts of one module, joined in this order: a component's script cannot import others."""

_mount = st.components.v2.component(
    "tamis_map",
    html=HTML,
    css=f"{LOST_STYLE}\n{(HERE / 'map.css').read_text('utf-8')}\n{role_rules()}",
    js="\n".join([LOST_SCRIPT, *((HERE / name).read_text("utf-8") for name in SCRIPTS)]),
)

MOST_ZOOM = 100.0
"""Highest zoom of the first view; a few outliers then do not shrink all others to a dot."""


def _view(bounds: Bounds, part: Bounds) -> dict[str, float]:
    """Return centre and zoom that show a part of the map, the whole being 1 x 1 at zoom 1."""
    width, height = bounds.high_x - bounds.low_x, bounds.high_y - bounds.low_y
    return {
        "x": ((part.low_x + part.high_x) / 2 - bounds.low_x) / width,
        "y": ((part.low_y + part.high_y) / 2 - bounds.low_y) / height,
        "zoom": min(
            width / max(part.high_x - part.low_x, 1e-9), height / max(part.high_y - part.low_y, 1e-9), MOST_ZOOM
        ),
    }


def failure_of(state: Mapping[str, Any] | None) -> str:
    """Return why the browser cannot draw the map, from the component's state; empty if it can."""
    return str((state or {}).get("failed") or "")


def drawn_lasso(state: Mapping[str, Any]) -> Lasso:
    """Return the area drawn last, from the component's state."""
    drawn = state["lasso"]
    corners = tuple((float(x), float(y)) for x, y in drawn["polygon"])
    hidden = tuple(sorted(int(code) for code in drawn["hidden"]))
    return Lasso(corners, bool(drawn["add"]), str(drawn["map"]), str(drawn["column"]), hidden)


def point_map(
    *,
    points: str,
    groups: str,
    flags: str,
    snippets: str,
    pictures: str,
    token: str,
    bounds: Bounds,
    home: Bounds,
    digest: str,
    palette: Sequence[str],
    legend: Mapping[str, Any],
    labels: Sequence[Label],
    shapes: Sequence[Sequence[tuple[float, float]]],
    overlay: bool,
    selected: bool,
    ring: int,
    placed: int,
    status: str,
    failed: str,
    height: int,
    key: str,
    on_lasso: Callable[[], None],
    on_picked: Callable[[], None],
    on_cleared: Callable[[], None],
) -> str:
    """Show the map and return why the browser cannot draw it, empty when it can.

    Args:
        points, groups, flags: paths of the bytes (``routes.BlobDesk.publish``).
        snippets: prefix of the snippets' paths.
        pictures: prefix of the pictures' paths, empty where documents are no pictures.
        token: of the session.
        bounds: frame of the quantised points.
        home: the part of the map shown first.
        digest: of the map.
        palette: 256 colours as #rrggbb, by group code.
        legend: column, title, items (label, codes, n), more.
        labels: names, the most important first.
        shapes: areas of the selection, in map coordinates.
        overlay: whether dropped documents fade.
        selected: whether there is a selection.
        ring: facts row of the document that is read, -1 for none.
        placed: number of documents on the map.
        status: shown in the corner after the counts.
        failed: the reason returned by the last run why the map cannot be drawn; the map is then only a line.
        height: pixels.
        key: of the widget.
        on_lasso: called when an area was drawn (``drawn_lasso`` of the widget's state).
        on_picked: called when a point was clicked; ``picked`` of the state is its facts row, -1 closes it.
        on_cleared: called when Escape was pressed.
    """
    result = _mount(
        key=key,
        height="content",
        data={
            "points": points,
            "groups": groups,
            "flags": flags,
            "snippets": snippets,
            "pictures": pictures,
            "token": str(token),
            "bounds": vars(bounds),
            "home": _view(bounds, home),
            "map": digest,
            "palette": list(palette),
            "legend": dict(legend),
            "labels": [vars(label) for label in labels],
            "shapes": [list(map(list, shape)) for shape in shapes],
            "overlay": overlay,
            "selected": selected,
            "ring": ring,
            "placed": placed,
            "status": status,
            "failed": failed,
            "height": height - 2,
        },
        on_lasso_change=on_lasso,
        on_picked_change=on_picked,
        on_cleared_change=on_cleared,
        on_failed_change=lambda: None,
    )
    return str(result.failed or "")
