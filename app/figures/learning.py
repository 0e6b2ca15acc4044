"""The plotly figure of learning curves: loss against what was read, for a recipe, random selections and everything."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

from tamis.analytics.effect.bench import RANDOM, RECIPE
from tamis.analytics.effect.proxy_result import EVERYTHING, ArmCurves, ProxyEffect
from tamis.app.figures.figures import DROPPED, KEPT, NEUTRAL, frame

_LOOKS = {
    RECIPE: (KEPT, "solid", "circle"),
    RANDOM: (NEUTRAL, "dot", "square"),
    EVERYTHING: (DROPPED, "dash", "diamond"),
}
_PARTS = (("#8e44ad", "dashdot", "triangle-up"), ("#b07cc6", "longdash", "triangle-down"))


def learning_figure(found: ProxyEffect, *, height: int = 380) -> go.Figure:
    """Return the mean curve of every kind of selection; thin lines are the seeds. It grows while models train."""
    figure = go.Figure()
    unit = "bytes" if found.reads_bytes else "tokens"
    parts = [arm for arm in found.arms if arm.name not in _LOOKS]
    for arm in found.arms:
        look = _LOOKS.get(arm.name) or _PARTS[parts.index(arm) % len(_PARTS)]
        _add_curves(figure, arm, look, "B" if found.reads_bytes else " tokens")
    reads = f"{unit} read (each model reads the same)"
    frame(figure, height=height, x=reads, y="target bits per byte, fewer are better")
    figure.update_xaxes(type="log", exponentformat="SI", dtick="D2")
    if not any(arm.curves for arm in found.arms):
        figure.update_xaxes(type="linear", range=[0, found.tokens])
    return figure


def _add_curves(figure: go.Figure, arm: ArmCurves, look: tuple[str, str, str], unit: str) -> None:
    colour, dash, symbol = look
    if len(arm.curves) > 1:
        for curve in arm.curves:
            figure.add_scatter(
                x=list(curve.tokens), y=list(curve.losses), mode="lines", showlegend=False, hoverinfo="skip",
                line={"color": colour, "width": 1}, opacity=0.3,
            )  # fmt: skip
    shortest = min((len(curve.losses) for curve in arm.curves), default=0)
    if not shortest:
        return
    figure.add_scatter(
        x=list(arm.curves[0].tokens[:shortest]),
        y=np.mean([curve.losses[:shortest] for curve in arm.curves], axis=0).tolist(),
        mode="lines+markers",
        name=f"{escape(arm.title)} ({arm.share:.0%})",
        line={"color": colour, "dash": dash, "width": 2.5},
        marker={"symbol": symbol, "size": 8},
        hovertemplate=f"{escape(arm.title)}, {len(arm.curves)} of it<br>%{{x:.3s}}{unit}: %{{y:.3f}}<extra></extra>",
    )
