"""Plotly figures from plain tables, for the dashboard and for reports; labels that quote a corpus are escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from tamis.analytics.study.queries import DuplicateSweep, GroupSizes, Histogram, Sweep

KEPT = "#2c7fb8"
DROPPED = "#d95f0e"
SELECTED = "#8e44ad"
NEUTRAL = "#8a9199"
CUT = "#c2410c"
TREEMAP_MOST = 400
"""Most tiles of a treemap; more are slow to draw and hard to read."""

CATEGORIES = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#edc948", "#ff9da7", "#9c755f", "#5b8ff9",
    "#86bcb6", "#d37295", "#8cd17d", "#b6992d", "#499894", "#a0cbe8", "#ffbe7d", "#fabfd2", "#d4a6c8", "#d7b5a6",
)  # fmt: skip


@dataclass(frozen=True)
class CutLine:
    """A threshold on a histogram.

    Attributes:
        value: its place on the axis.
        side: ``min`` drops below, ``max`` drops above.
        text: shown beside the line.
    """

    value: float
    side: str
    text: str


def histogram_figure(
    found: Histogram, *, title: str, unit: str, cuts: Sequence[CutLine] = (), height: int = 300, log: bool = False
) -> go.Figure:
    """Return a histogram with kept and dropped documents stacked and cut lines over it.

    Bins of equal width in log(1 + value) are drawn evenly, with labels at round values; ``axis_place``
    gives the place of a value on that axis. ``log`` is the scale of the counts.
    """
    edges = axis_place(found.edges, found.scale)
    spans = [f"{low:.4g} to {high:.4g}" for low, high in zip(found.edges[:-1], found.edges[1:], strict=True)]
    figure = go.Figure()
    for name, counts, colour, pattern in (("kept", found.kept, KEPT, ""), ("dropped", found.dropped, DROPPED, "/")):
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges),
            name=name,
            marker={"color": colour, "line": {"width": 0}, "pattern": {"shape": pattern, "size": 5, "solidity": 0.25}},
            customdata=spans,
            hovertemplate=f"%{{customdata}}<br>%{{y:,}} {name}<extra></extra>",
            showlegend=bool(found.dropped.any()),
        )
    if found.selected.any():
        figure.add_scatter(
            x=np.repeat(edges, 2)[1:-1],
            y=np.repeat(found.selected, 2),
            mode="lines",
            name="selected",
            line={"color": SELECTED, "width": 1.6},
            hoverinfo="skip",
        )
    for cut in cuts:
        _cut_line(figure, cut, float(axis_place(np.asarray([cut.value]), found.scale)[0]))
    frame(figure, height=height, x=axis_title(title, unit), y="documents")
    figure.update_layout(barmode="stack", bargap=0.02)
    figure.update_xaxes(range=[float(edges[0]), float(edges[-1])], showgrid=False, fixedrange=True)
    if found.scale == "log":
        log_ticks(figure, float(found.edges[0]), float(found.edges[-1]))
    figure.update_yaxes(type="log" if log else "linear", fixedrange=True)
    return figure


def log_ticks(figure: go.Figure, low: float, high: float) -> None:
    """Put labels at round values on an axis of log(1 + value)."""
    marks = round_values(low, high)
    figure.update_xaxes(tickvals=axis_place(marks, "log"), ticktext=[f"{mark:,.6g}" for mark in marks])


def _cut_line(figure: go.Figure, cut: CutLine, place: float) -> None:
    figure.add_vline(x=place, line={"color": CUT, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=place,
        y=1.0,
        yref="paper",
        text=escape(cut.text),
        showarrow=False,
        xanchor="left" if cut.side == "min" else "right",
        yanchor="bottom",
        font={"size": 11},
    )


def axis_place(values: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Return the places of values on the axis of a histogram."""
    return np.asarray(np.log1p(np.maximum(values, 0.0)) if scale == "log" else values, dtype=np.float64)


def round_values(low: float, high: float) -> NDArray[np.float64]:
    """Return the values 0, 1, 2, 5, 10, 20, 50, ... that lie in a range, float64."""
    decades = 10.0 ** np.arange(0 if low < 1 else np.floor(np.log10(low)), np.ceil(np.log10(max(high, 1.0))) + 1)
    marks = np.unique(np.concatenate([[0.0], *(decades * step for step in (1.0, 2.0, 5.0))]))
    return np.asarray(marks[(marks >= low) & (marks <= high)], dtype=np.float64)


def axis_title(title: str, unit: str) -> str:
    """Return a title with its unit, escaped; a unit that only repeats the title is left out."""
    return escape(title) + (f" ({escape(unit)})" if unit and unit.lower() != title.lower() else "")


def sweep_figure(found: Sweep, *, title: str, unit: str, height: int = 220) -> go.Figure:
    """Return the curve threshold -> share of documents and tokens that it would drop."""
    figure = go.Figure()
    series = (("documents", found.documents, found.total_documents), ("tokens", found.tokens, found.total_tokens))
    for (name, counts, total), dash in zip(series, ("solid", "dot"), strict=True):
        figure.add_scatter(
            x=axis_place(found.thresholds, found.scale),
            y=counts / max(total, 1),
            mode="lines",
            name=name,
            line={"color": DROPPED, "width": 2, "dash": dash},
            customdata=found.thresholds,
            hovertemplate=f"%{{customdata:.4g}}<br>%{{y:.2%}} of {name} dropped<extra></extra>",
        )
    word = "below" if found.side == "min" else "above"
    frame(figure, height=height, x=f"drop {word}: {axis_title(title, unit)}", y="dropped")
    figure.update_xaxes(showgrid=False)
    if found.scale == "log":
        log_ticks(figure, float(found.thresholds[0]), float(found.thresholds[-1]))
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def share_bars(
    labels: Sequence[str],
    kept: Sequence[float],
    dropped: Sequence[float],
    *,
    height: int,
    x: str = "documents",
    names: tuple[str, str] = ("kept", "dropped"),
    notes: Sequence[str] = (),
    beside: bool = False,
) -> go.Figure:
    """Return horizontal bars of two counts, kept and dropped by default, the first label on top.

    With notes, each bar shows its note at its right and the axis is left out. Counts that do not add up to a whole,
    such as shares of two clusters, stand beside each other.
    """
    figure = go.Figure()
    shown = [escape(label if len(label) <= 28 else label[:27] + "…") for label in labels]
    places = list(range(len(shown)))
    for name, counts, colour, pattern in ((names[0], kept, KEPT, ""), (names[1], dropped, DROPPED, "/")):
        figure.add_bar(
            y=places,
            x=list(counts),
            orientation="h",
            name=escape(name),
            marker={"color": colour, "pattern": {"shape": pattern, "size": 5, "solidity": 0.25}},
            customdata=shown,
            hovertemplate=f"%{{customdata}}<br>%{{x:,}} {escape(name)}<extra></extra>",
            showlegend=not notes,
        )
    frame(figure, height=height, x=x, y="")
    figure.update_layout(barmode="group" if beside else "stack", bargap=0.25)
    figure.update_yaxes(autorange="reversed", tickvals=places, ticktext=shown, showgrid=False)
    if notes:
        figure.update_layout(margin={"l": 8, "r": 112, "t": 0, "b": 4}, dragmode=False)
        figure.update_xaxes(visible=False)
        for place, note in enumerate(notes):
            figure.add_annotation(
                x=1.0, xref="paper", xanchor="left", xshift=6, y=place, text=escape(note), showarrow=False,
                font={"size": 11, "color": NEUTRAL},
            )  # fmt: skip
    return figure


def dial_figure(found: DuplicateSweep, *, title: str, height: int, log: bool = False) -> go.Figure:
    """Return the documents that other settings of a duplicate rule would drop, by source if any, and the setting."""
    figure = go.Figure()
    if found.sources:
        for place, name in enumerate(found.sources):
            figure.add_scatter(
                x=found.values,
                y=found.by_source[:, place],
                mode="lines",
                stackgroup="one",
                name=escape(name),
                line={"width": 0.5, "color": CATEGORIES[place % len(CATEGORIES)]},
                hovertemplate=f"%{{x:g}}<br>%{{y:,}} of {escape(name)}<extra></extra>",
            )
    else:
        figure.add_scatter(x=found.values, y=found.documents, mode="lines", name="documents", line={"color": DROPPED})
    figure.add_vline(x=found.current, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    frame(figure, height=height, x=escape(title), y="documents dropped")
    figure.update_layout(
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1.16, "yanchor": "top", "font": {"size": 10},
                "maxheight": height, "itemwidth": 30}
    )  # fmt: skip
    figure.update_yaxes(rangemode="nonnegative")
    if log:
        figure.update_xaxes(type="log", tickvals=[step * 10**power for power in range(7) for step in (1, 2, 5)])
    return figure


def sizes_figure(found: GroupSizes, *, height: int) -> go.Figure:
    """Return the documents in groups by the size of their group."""
    labels = [f"{low}" if low == high else f"{low}-{high}" for low, high in zip(found.low, found.high, strict=True)]
    figure = go.Figure(
        go.Bar(
            x=labels, y=found.documents, marker={"color": DROPPED}, customdata=found.groups,
            hovertemplate="groups of %{x}<br>%{y:,} documents in %{customdata:,} groups<extra></extra>",
        )
    )  # fmt: skip
    frame(figure, height=height, x="documents in the group", y="documents")
    figure.update_xaxes(type="category")
    return figure


def _with_the_rest(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the largest clusters, and the smaller ones of each category joined into one."""
    ranked = sorted(rows, key=lambda row: (-int(row["documents"]), int(row["cluster"])))
    rest: dict[int, list[Mapping[str, Any]]] = {}
    for row in ranked[TREEMAP_MOST:]:
        rest.setdefault(int(row["category"]), []).append(row)
    sums = [
        {
            **group[0],
            "cluster": f"rest-{category}",
            "name": f"{len(group)} smaller",
            "documents": sum(int(row["documents"]) for row in group),
            "kept": sum(int(row["kept"]) for row in group),
        }
        for category, group in sorted(rest.items())
    ]
    return [*ranked[:TREEMAP_MOST], *sums]


def treemap_figure(rows: Sequence[Mapping[str, Any]], *, height: int) -> go.Figure:
    """Return clusters inside their categories, sized by documents, coloured by the share the recipe keeps.

    Args:
        rows: ``cluster``, ``name``, ``category``, ``category_name``, ``documents``, ``kept``; those beyond the
            ``TREEMAP_MOST`` largest are one tile of their category.
        height: pixels.
    """
    rows = _with_the_rest(rows)
    sums: dict[int, list[int]] = {}
    for row in rows:
        total = sums.setdefault(int(row["category"]), [0, 0])
        total[0] += int(row["documents"])
        total[1] += int(row["kept"])
    titles = {int(row["category"]): str(row["category_name"]) for row in rows}
    ids = ["all"] + [f"k{number}" for number in sums] + [f"c{row['cluster']}" for row in rows]
    documents = [total[0] for total in sums.values()]
    documents = [sum(documents), *documents, *(int(row["documents"]) for row in rows)]
    kept = [total[1] for total in sums.values()]
    kept = [sum(kept), *kept, *(int(row["kept"]) for row in rows)]
    figure = go.Figure(
        go.Treemap(
            ids=ids,
            labels=[
                "in clusters",
                *(escape(titles[number]) for number in sums),
                *(escape(str(row["name"])).replace(", ", ",<br>") for row in rows),
            ],
            parents=["", *(["all"] * len(sums)), *(f"k{row['category']}" for row in rows)],
            values=documents,
            branchvalues="total",
            marker={
                "colors": [part / max(whole, 1) for part, whole in zip(kept, documents, strict=True)],
                "colorscale": [[0, DROPPED], [1, KEPT]],
                "cmin": 0,
                "cmax": 1,
                "line": {"width": 0.6, "color": "rgba(255,255,255,0.55)"},
            },
            hovertemplate="%{label}<br>%{value:,} documents, %{color:.0%} kept<extra></extra>",
            tiling={"pad": 1},
            pathbar={"visible": False},
            textfont={"color": "#ffffff"},
        )
    )
    frame(figure, height=height, x="", y="")
    figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 0}, uniformtext={"minsize": 9, "mode": "hide"})
    return figure


@dataclass(frozen=True)
class ScatterGroup:
    """Points of one colour.

    Attributes:
        label: name of the group.
        colour: as #rrggbb.
        x, y: coordinates, any float dtype (n,).
    """

    label: str
    colour: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]


def scatter_sample(groups: Sequence[ScatterGroup], *, height: int) -> go.Figure:
    """Return a plain scatter of a sample of the map, for browsers that cannot draw the map."""
    figure = go.Figure(
        [
            go.Scatter(
                x=group.x, y=group.y, name=escape(group.label), mode="markers", hoverinfo="skip",
                marker={"size": 4, "color": group.colour},
            )
            for group in groups
        ]
    )  # fmt: skip
    frame(figure, height=height, x="", y="")
    figure.update_layout(legend={"orientation": "v", "x": 1.0, "xanchor": "left", "y": 1.0, "yanchor": "top",
                                 "itemsizing": "constant"})  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def frame(figure: go.Figure, *, height: int, x: str, y: str) -> None:
    """Give a figure the margins, legend and background that all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.0,
            "xanchor": "right",
            "x": 1.0,
            "traceorder": "normal",
        },
        xaxis_title=x,
        yaxis_title=y,
        hoverlabel={"font": {"size": 12}},
        font={"size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
