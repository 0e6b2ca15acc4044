"""The spread of a number in each group as a plotly figure: 5 to 95%, the middle half, the median, cut lines."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from tamis.analytics.study.queries import Spread
from tamis.app.figures.figures import CUT, KEPT, NEUTRAL, CutLine, axis_place, axis_title, frame, log_ticks

ROW = 22
MOST = 18


def spread_figure(
    found: Spread, *, title: str, unit: str, scale: str, cuts: Sequence[CutLine] = (), none: str = "(none)"
) -> go.Figure:
    """Return one line per group, the largest on top, at most ``MOST``.

    Args:
        found: the groups.
        title, unit: of the column.
        scale: ``linear``, or ``log`` for log(1 + value).
        cuts: thresholds drawn over all groups.
        none: label of documents without a value of the category.
    """
    rows = [row for row in found.table.slice(0, MOST).to_pylist() if row["p50"] is not None]
    labels = [escape((row["value"] or none)[:28]) for row in rows]
    figure = go.Figure()
    for name, low, high, width, colour in (
        ("5 to 95%", "p5", "p95", 2, NEUTRAL),
        ("middle half", "p25", "p75", 8, KEPT),
    ):
        x: list[float | None] = []
        y: list[int | None] = []
        for place, row in enumerate(rows):
            ends = axis_place(np.asarray([row[low], row[high]]), scale).tolist()
            x += [*ends, None]
            y += [place, place, None]
        figure.add_scatter(x=x, y=y, mode="lines", name=name, line={"width": width, "color": colour}, hoverinfo="skip")
    figure.add_scatter(
        x=axis_place(np.asarray([row["p50"] for row in rows], dtype=np.float64), scale),
        y=list(range(len(rows))),
        mode="markers",
        name="median",
        marker={"symbol": "line-ns", "size": 11, "line": {"width": 2.5, "color": "#ffffff"}},
        customdata=[[row[name] for name in ("p5", "p50", "p95", "documents")] for row in rows],
        hovertemplate="5%% %{customdata[0]:.4g}, median %{customdata[1]:.4g}, 95%% %{customdata[2]:.4g}"
        "<br>%{customdata[3]:,} documents<extra></extra>".replace("%%", "%"),
    )
    for cut in cuts:
        figure.add_vline(
            x=float(axis_place(np.asarray([cut.value]), scale)[0]), line={"color": CUT, "width": 1.5, "dash": "dash"}
        )
    frame(figure, height=90 + ROW * max(len(rows), 3), x=axis_title(title, unit), y="")
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=labels, autorange="reversed", showgrid=False, zeroline=False
    )
    if scale == "log" and rows:
        log_ticks(figure, min(row["p5"] for row in rows), max(row["p95"] for row in rows))
    return figure
