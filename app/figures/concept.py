"""Plotly figures of a taught concept: how well it learns, whether its probabilities hold, where documents lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from tamis.analytics.effect.holdout_curve import Calibration, CurvePoint
from tamis.analytics.effect.taught_concept import ConceptScores
from tamis.app.figures.figures import DROPPED, KEPT, NEUTRAL, frame

EDGES = np.linspace(0.0, 1.0, 21)


def holdout_figure(curve: Sequence[CurvePoint], *, chance: float, height: int = 250) -> go.Figure:
    """Return average precision of held-out labels by number of labels, with its interval, and chance."""
    figure = go.Figure()
    figure.add_scatter(
        x=[point.labels for point in curve],
        y=[point.average_precision for point in curve],
        error_y={
            "type": "data", "symmetric": False, "thickness": 1.5,
            "array": [point.high - point.average_precision for point in curve],
            "arrayminus": [point.average_precision - point.low for point in curve],
        },
        mode="lines+markers", name="held-out labels", marker={"color": KEPT, "size": 8}, line={"color": KEPT},
        hovertemplate="%{x} labels: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=chance, line={"color": DROPPED, "dash": "dot"}, annotation_text="chance")
    frame(figure, height=height, x="labels learnt from", y="average precision")
    figure.update_yaxes(range=[0, 1.04])
    return figure


def reliability_figure(found: Calibration, *, height: int = 250) -> go.Figure:
    """Return the observed share of held-out labels by predicted probability, with Wilson intervals."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="as predicted", line={"color": NEUTRAL, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=[each.predicted for each in found.bins],
        y=[each.observed.share for each in found.bins],
        error_y={
            "type": "data", "symmetric": False, "thickness": 1.5,
            "array": [each.observed.high - each.observed.share for each in found.bins],
            "arrayminus": [each.observed.share - each.observed.low for each in found.bins],
        },
        mode="markers", name="observed", marker={"color": KEPT, "size": 9},
        hovertemplate="predicted %{x:.0%}, observed %{y:.0%}<extra></extra>",
    )  # fmt: skip
    frame(figure, height=height, x="predicted probability", y="observed share")
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(range=[-0.04, 1.04], tickformat=".0%")
    return figure


def scores_figure(found: ConceptScores, *, floor: float, height: int = 250) -> go.Figure:
    """Return the documents by probability; old and new ones side by side where the corpus grew."""
    figure = go.Figure()
    grown = found.drift is not None
    parts = [("old documents", False, NEUTRAL, "/"), ("new documents", True, KEPT, "")] if grown else []
    for name, new, colour, pattern in parts or [("documents", False, KEPT, "")]:
        figure.add_bar(
            x=(EDGES[:-1] + EDGES[1:]) / 2, y=100 * found.shares(EDGES.tolist(), new=new), name=name,
            marker={"color": colour, "pattern": {"shape": pattern}},
            hovertemplate="%{x:.2f}: %{y:.1f}%<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.add_vline(x=floor, line={"color": DROPPED, "dash": "dash"}, annotation_text="kept from here")
    frame(figure, height=height, x="probability", y="% of the documents")
    figure.update_layout(barmode="group", bargap=0.1)
    return figure
