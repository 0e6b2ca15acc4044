"""The shares of domains in mixtures; labels that quote a corpus are escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import plotly.graph_objects as go

from tamis.analytics.effect.synthetic_dial import SyntheticDial
from tamis.app.figures.figures import KEPT, NEUTRAL, frame

_LONGEST = 28


def mixture_figure(
    names: Sequence[str], shares: Mapping[str, Sequence[float]], *, height: int | None = None
) -> go.Figure:
    """Return the share of every domain in one mixture or more, side by side, the largest of the last one on top.

    Args:
        names: of the domains.
        shares: by name of the mixture, at most two, in [0, 1].
        height: pixels; by default what the domains need.
    """
    last = list(shares.values())[-1]
    order = sorted(range(len(names)), key=lambda k: (last[k], names[k]))
    labels = [escape(name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…") for name in names]
    figure = go.Figure()
    for (mixture, values), colour, pattern in zip(shares.items(), (NEUTRAL, KEPT), ("/", ""), strict=False):
        figure.add_bar(
            y=[labels[k] for k in order], x=[100 * values[k] for k in order], orientation="h", name=mixture,
            marker={"color": colour, "pattern": {"shape": pattern}},
            hovertemplate="%{y}: %{x:.1f}%<extra>" + escape(mixture) + "</extra>",
        )  # fmt: skip
    frame(figure, height=height or 90 + 26 * len(names), x="share of the tokens in %", y="")
    figure.update_layout(barmode="group", bargap=0.25)
    return figure


def dial_figure(found: SyntheticDial, *, height: int = 280) -> go.Figure:
    """Return bits per byte of the target by share of synthetic text; bars are the interval to the first share."""
    points = found.points
    wide = [0.0 if point.difference is None else 2 * point.difference.sd for point in points]
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * point.share for point in points], y=[point.bits for point in points], mode="lines+markers",
        name="bits per byte", marker={"color": KEPT, "size": 9}, line={"color": KEPT},
        error_y={"type": "data", "array": wide, "thickness": 1.5},
        customdata=[escape(point.sentence) for point in points], hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=points[0].bits, line={"color": NEUTRAL, "dash": "dot"}, annotation_text="first share")
    frame(figure, height=height, x="synthetic share of the tokens in %", y="target bits per byte, fewer are better")
    return figure
