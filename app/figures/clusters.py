"""Plotly figures about clusterings: the sweep of the smallest cluster size, complexity against size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from tamis.analytics.study.concept_profiles import ConceptProfiles
from tamis.app.figures.figures import CUT, DROPPED, KEPT, frame, round_values

MOST_MARKS = 9
_STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


def fineness_figure(sweep: Sequence[Mapping[str, Any]], *, chosen: int, height: int = 320) -> go.Figure:
    """Return the number of clusters and the share of unclustered documents by smallest cluster size.

    Args:
        sweep: ``min_cluster_size``, ``clusters``, ``unclustered`` (share), ``largest`` (share) of each setting.
        chosen: the setting in use.
        height: pixels.
    """
    sizes = [point["min_cluster_size"] for point in sweep]
    figure = go.Figure()
    figure.add_scatter(
        x=sizes, y=[point["clusters"] for point in sweep], mode="lines+markers", name="clusters", line={"color": KEPT},
        hovertemplate="at least %{x} documents: %{y} clusters<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=sizes, y=[point["unclustered"] for point in sweep], mode="lines+markers", name="in no cluster", yaxis="y2",
        line={"color": DROPPED, "dash": "dot"}, hovertemplate="%{y:.1%} in no cluster<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=chosen, line={"color": CUT, "dash": "dash", "width": 1.5})
    frame(figure, height=height, x="smallest cluster, documents", y="clusters")
    marks = sizes[:: max(1, -(-len(sizes) // MOST_MARKS))]
    figure.update_xaxes(type="log", tickvals=marks, ticktext=[f"{size:,}" for size in marks], showgrid=False)
    most = max((point["clusters"] for point in sweep), default=1)
    figure.update_yaxes(type="log", tickvals=round_values(1, max(most, 2)).tolist(), range=[-0.05, _above(most)])
    marks_of_share = share_marks(max((point["unclustered"] for point in sweep), default=1.0))
    figure.update_layout(
        yaxis2={"overlaying": "y", "side": "right", "type": "linear", "showgrid": False, "tickformat": ".2~p",
                "range": [-0.02 * marks_of_share[-1], 1.02 * marks_of_share[-1]], "tickvals": marks_of_share,
                "title": {"text": "in no cluster"}}
    )  # fmt: skip
    return figure


def _above(most: int) -> float:
    """Return the end of a logarithmic axis on which the largest number has room."""
    return float(np.log10(max(most, 2))) * 1.05


def share_marks(top: float) -> list[float]:
    """Return five round marks of an axis of shares from 0 on, as near as reach a share: 0, 25, 50, 75, 100 % at most.

    Args:
        top: the largest share, 0 to 1.
    """
    step = next(step for step in _STEPS if 4 * step >= min(top, 1.0))
    return [round(step * place, 6) for place in range(5)]


def complexity_figure(found: ConceptProfiles, measure: str, *, height: int = 320) -> go.Figure:
    """Return one measure of complexity against size, a point per concept; concepts without a value are left out.

    Args:
        found: the concepts.
        measure: ``geometric``, ``redundancy_aware`` or ``measured``.
        height: pixels.
    """
    rows = [row for row in found.table.to_pylist() if row[measure] is not None and row["size"]]
    figure = go.Figure(
        go.Scatter(
            x=[row["size"] for row in rows],
            y=[row[measure] for row in rows],
            mode="markers",
            marker={"color": KEPT, "size": 7, "opacity": 0.7},
            customdata=[escape(str(row["name"])[:60]) for row in rows],
            hovertemplate="%{customdata}<br>%{x:,} documents, complexity %{y:.3g}<extra></extra>",
        )
    )
    frame(figure, height=height, x="documents of the concept", y=f"{measure.replace('_', ' ')} complexity")
    figure.update_xaxes(type="log", showgrid=False)
    return figure


def two_corpora_figure(
    first: NDArray[np.float64], second: NDArray[np.float64], names: Sequence[str], *, height: int = 460
) -> go.Figure:
    """Return the documents of two corpora on one map, told apart by colour and shape.

    Args:
        first, second: positions, float64 (n, 2) each.
        names: of the corpora.
        height: pixels.
    """
    figure = go.Figure()
    for points, name, colour, symbol in ((first, names[0], KEPT, "circle"), (second, names[1], DROPPED, "x-thin-open")):
        figure.add_scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", name=escape(name), hoverinfo="name",
            marker={"color": colour, "symbol": symbol, "size": 5, "opacity": 0.7},
        )  # fmt: skip
    frame(figure, height=height, x="", y="")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure
