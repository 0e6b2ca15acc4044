"""Small charts as SVG text, for documents without scripts or other hosts.

Colours are CSS variables of the page (``--kept``, ``--dropped``, ``--ink``, ``--faint``, ``--accent``), so a chart
follows light and dark. Every label is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 280
_Place = Callable[[float], float]
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 44


@dataclass(frozen=True)
class Series:
    """A named series of points.

    Attributes:
        name: in the legend.
        points: (x, y) pairs.
        colour: a CSS colour.
        line: join the points.
        labels: one text per point, shown on hover; empty for none.
        size: radius of the points.
        spread: half the height of an interval around each point; empty for none.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    colour: str
    line: bool = False
    labels: tuple[str, ...] = ()
    size: float = 4.0
    spread: tuple[float, ...] = ()


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart.

    Attributes:
        label: at its left.
        value: its length.
        other: length of a second, paler bar below; None for none.
        note: text at its end.
        low, high: an interval drawn over it; None for none.
    """

    label: str
    value: float
    other: float | None = None
    note: str = ""
    low: float | None = None
    high: float | None = None


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Return round numbers from below ``low`` to above ``high``, about ``count`` of them."""
    if not math.isfinite(low) or not math.isfinite(high) or high <= low:
        high = low + 1.0
    rough = (high - low) / max(count - 1, 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough - 1e-12)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(step * number, 12) for number in range(first, last + 1)]


def plot(series: Sequence[Series], *, x: str, y: str, title: str, percent_x: bool = False) -> str:
    """Return points and lines over two axes as an ``<svg>`` with a legend."""
    points = [point for one in series for point in one.points]
    if not points:
        return ""
    across = ticks(min(point[0] for point in points), max(point[0] for point in points))
    wide = [each for one in series for each in one.spread or (0.0,) * len(one.points)]
    ends = [(point[1] - each, point[1] + each) for point, each in zip(points, wide, strict=True)]
    up = ticks(min(low for low, _ in ends), max(high for _, high in ends))

    def px(value: float) -> float:
        return _LEFT + (value - across[0]) / (across[-1] - across[0]) * (WIDTH - _LEFT - _RIGHT)

    def py(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - up[0]) / (up[-1] - up[0]) * (HEIGHT - _TOP - _BOTTOM)

    parts = [_axis_x(across, px, percent=percent_x), _axis_y(up, py)]
    parts.append(_text(WIDTH / 2, HEIGHT - 6, x, anchor="middle"))
    parts.append(f'<g transform="translate(14 {HEIGHT / 2:.0f}) rotate(-90)">{_text(0, 0, y, anchor="middle")}</g>')
    for one in series:
        places = [(px(a), py(b)) for a, b in one.points]
        if one.line and len(places) > 1:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{one.colour}" stroke-width="2"/>')
        for (a, value), each in zip(one.points, one.spread, strict=False):
            line = f'x1="{px(a):.1f}" y1="{py(value - each):.1f}" x2="{px(a):.1f}" y2="{py(value + each):.1f}"'
            parts.append(f'<line {line} stroke="{one.colour}" stroke-width="1.5"/>')
        for place, (a, b) in enumerate(places):
            label = f"<title>{escape(one.labels[place])}</title>" if place < len(one.labels) else ""
            parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{one.size:g}" fill="{one.colour}">{label}</circle>')
    return _svg(title, HEIGHT, "".join(parts)) + _legend([(one.name, one.colour) for one in series])


def bars(rows: Sequence[Bar], *, title: str, colour: str = "var(--kept)", other: str = "var(--faint)") -> str:
    """Return horizontal bars from a common zero as an ``<svg>``; negative values go to the left."""
    if not rows:
        return ""
    ends = [end for row in rows for end in (row.value, row.other, row.low, row.high) if end is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    span = (high - low) or 1.0
    left, right, each = 200, 120, 26
    height = each * len(rows) + 8

    def px(value: float) -> float:
        return left + (value - low) / span * (WIDTH - left - right)

    parts = []
    for place, row in enumerate(rows):
        top = 4 + place * each
        tall = 8 if row.other is not None else 14
        parts.append(_text(left - 8, top + 13, _shortened(row.label), anchor="end", full=row.label))
        parts.append(_bar(px(0.0), px(row.value), top + 2, tall, colour))
        if row.other is not None:
            parts.append(_bar(px(0.0), px(row.other), top + 11, 8, other))
        if row.low is not None and row.high is not None:
            middle = top + 9
            parts.append(
                f'<line x1="{px(row.low):.1f}" x2="{px(row.high):.1f}" y1="{middle}" y2="{middle}"'
                ' stroke="var(--ink)" stroke-width="1.5"/>'
            )
        parts.append(_text(max(px(row.value), px(row.other or 0.0), px(0.0)) + 6, top + 13, row.note, anchor="start"))
    if low < 0:
        parts.append(f'<line x1="{px(0.0):.1f}" x2="{px(0.0):.1f}" y1="0" y2="{height}" stroke="var(--faint)"/>')
    return _svg(title, height, "".join(parts))


def spark(kept: Sequence[float], dropped: Sequence[float], *, width: int = 120, height: int = 34) -> str:
    """Return a histogram of a few bins without axes as a whole ``<svg>`` image: kept below, dropped on top of it."""
    top = max((a + b for a, b in zip(kept, dropped, strict=True)), default=0) or 1
    each = width / max(len(kept), 1)
    parts = []
    for place, (a, b) in enumerate(zip(kept, dropped, strict=True)):
        x, low, high = place * each, height * a / top, height * b / top
        parts.append(_rect(x, height - low, each, low, "#2c7fb8"))
        parts.append(_rect(x, height - low - high, each, high, "#d95f0e"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" preserveAspectRatio="none">'
        f"{''.join(parts)}</svg>"
    )


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    if height <= 0:
        return ""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width + 0.05:.2f}" height="{height:.2f}" fill="{colour}"/>'


def _bar(start: float, end: float, top: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{min(start, end):.1f}" y="{top:g}" width="{max(abs(end - start), 0.5):.1f}" height="{height:g}"'
        f' fill="{colour}"/>'
    )


def _svg(title: str, height: int, body: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" class="chart">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _legend(names: Sequence[tuple[str, str]]) -> str:
    items = "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in names)
    return f'<p class="legend">{items}</p>'


def _text(x: float, y: float, text: str, *, anchor: str, full: str = "") -> str:
    more = f"<title>{escape(full)}</title>" if full and full != text else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}{more}</text>'


def _shortened(text: str, most: int = 28) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _axis_x(values: Sequence[float], px: _Place, *, percent: bool) -> str:
    parts = []
    for value in values:
        parts.append(
            f'<line x1="{px(value):.1f}" x2="{px(value):.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" class="grid"/>'
        )
        parts.append(
            _text(px(value), HEIGHT - _BOTTOM + 16, f"{value:.0%}" if percent else f"{value:g}", anchor="middle")
        )
    return "".join(parts)


def _axis_y(values: Sequence[float], py: _Place) -> str:
    parts = []
    for value in values:
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{py(value):.1f}" y2="{py(value):.1f}" class="grid"/>'
        )
        parts.append(_text(_LEFT - 6, py(value) + 4, f"{value:g}", anchor="end"))
    return "".join(parts)
