"""Plotly figures from plain tables, used by the dashboard and by reports. Every label that quotes a corpus is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from tamis.analytics.queries import Histogram, Sweep

KEPT = "#2c7fb8"
DROPPED = "#d95f0e"
NEUTRAL = "#8a9199"


@dataclass(frozen=True)
class CutLine:
    """A threshold on a histogram.

    Attributes:
        value: where it stands.
        side: ``min`` drops below, ``max`` drops above.
        text: what it says beside the line.
    """

    value: float
    side: str
    text: str


def histogram_figure(
    found: Histogram, *, title: str, unit: str, cuts: Sequence[CutLine] = (), height: int = 300, log: bool = False
) -> go.Figure:
    """Return a histogram with kept and dropped documents stacked and cut lines over it."""
    middles = (found.edges[:-1] + found.edges[1:]) / 2
    width = float(found.edges[1] - found.edges[0])
    spans = [f"{low:.4g} to {high:.4g}" for low, high in zip(found.edges[:-1], found.edges[1:], strict=True)]
    figure = go.Figure()
    for name, counts, colour, pattern in (("kept", found.kept, KEPT, ""), ("dropped", found.dropped, DROPPED, "/")):
        figure.add_bar(
            x=middles,
            y=counts,
            width=width,
            name=name,
            marker={"color": colour, "line": {"width": 0}, "pattern": {"shape": pattern, "size": 5, "solidity": 0.25}},
            customdata=spans,
            hovertemplate=f"%{{customdata}}<br>%{{y:,}} {name}<extra></extra>",
        )
    if found.selected.any():
        figure.add_scatter(
            x=np.repeat(found.edges, 2)[1:-1],
            y=np.repeat(found.selected, 2),
            mode="lines",
            name="selected",
            line={"color": "#8e44ad", "width": 1.6},
            hoverinfo="skip",
        )
    for cut in cuts:
        figure.add_vline(x=cut.value, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
        figure.add_annotation(
            x=cut.value,
            y=1.0,
            yref="paper",
            text=escape(cut.text),
            showarrow=False,
            xanchor="left" if cut.side == "min" else "right",
            yanchor="bottom",
            font={"size": 11},
        )
    axis = escape(title) + (f" ({escape(unit)})" if unit else "")
    _frame(figure, height=height, x=axis, y="documents")
    figure.update_layout(barmode="stack", bargap=0.02, selectdirection="h", dragmode="select")
    figure.update_yaxes(type="log" if log else "linear")
    return figure


def sweep_figure(found: Sweep, *, title: str, unit: str, height: int = 220) -> go.Figure:
    """Return the curve threshold -> share of documents and tokens that it would drop."""
    figure = go.Figure()
    series = (("documents", found.documents, found.total_documents), ("tokens", found.tokens, found.total_tokens))
    for (name, counts, total), dash in zip(series, ("solid", "dot"), strict=True):
        figure.add_scatter(
            x=found.thresholds,
            y=counts / max(total, 1),
            mode="lines",
            name=name,
            line={"color": DROPPED, "width": 2, "dash": dash},
            hovertemplate=f"%{{x:.4g}}<br>%{{y:.2%}} of {name} dropped<extra></extra>",
        )
    word = "below" if found.side == "min" else "above"
    axis = f"drop {word} {escape(title.lower())}" + (f" ({escape(unit)})" if unit else "")
    _frame(figure, height=height, x=axis, y="dropped")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def share_bars(
    labels: Sequence[str], kept: Sequence[int], dropped: Sequence[int], *, height: int, x: str = "documents"
) -> go.Figure:
    """Return horizontal bars of kept and dropped counts, the first label on top."""
    figure = go.Figure()
    names = [escape(label if len(label) <= 28 else label[:27] + "…") for label in labels]
    places = list(range(len(names)))
    for name, counts, colour, pattern in (("kept", kept, KEPT, ""), ("dropped", dropped, DROPPED, "/")):
        figure.add_bar(
            y=places,
            x=list(counts),
            orientation="h",
            name=name,
            marker={"color": colour, "pattern": {"shape": pattern, "size": 5, "solidity": 0.25}},
            customdata=names,
            hovertemplate=f"%{{customdata}}<br>%{{x:,}} {name}<extra></extra>",
        )
    _frame(figure, height=height, x=x, y="")
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_yaxes(autorange="reversed", tickvals=places, ticktext=names, showgrid=False)
    return figure


def scatter_sample(x: Sequence[float], y: Sequence[float], colours: Sequence[str], *, height: int) -> go.Figure:
    """Return a plain scatter of a sample of the map, for browsers that cannot draw the map itself."""
    figure = go.Figure(
        go.Scatter(x=x, y=y, mode="markers", marker={"size": 4, "color": list(colours)}, hoverinfo="skip")
    )
    _frame(figure, height=height, x="", y="")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def _frame(figure: go.Figure, *, height: int, x: str, y: str) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        xaxis_title=x,
        yaxis_title=y,
        hoverlabel={"font": {"size": 12}},
        font={"size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
