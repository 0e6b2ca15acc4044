"""Colours, numbers and the few styles the theme cannot say."""

from __future__ import annotations

import streamlit as st

KEPT = "#2c7fb8"
DROPPED = "#d95f0e"
SELECTED = "#8e44ad"

_STYLE = """
<style>
.block-container {padding-top: 4.1rem; padding-bottom: 1rem; padding-left: 1.6rem; padding-right: 1.6rem;}
[data-testid="stSidebarContent"] {padding-top: 0.2rem;}
[data-testid="stSidebarUserContent"] {padding-top: 0;}
[data-testid="stSidebarHeader"] {height: 2.2rem; min-height: 2.2rem; padding-bottom: 0;}
[data-testid="stMetricValue"], .tamis-number, td, [data-testid="stMarkdownContainer"] table {
  font-variant-numeric: tabular-nums;}
[data-testid="stMetric"] {padding: 0.55rem 0.8rem;}
[data-testid="stMetricValue"] {font-size: 1.45rem;}
[data-testid="stVerticalBlock"] {gap: 0.7rem;}
h1, h2, h3 {letter-spacing: -0.01em;}
.tamis-funnel {display: flex; flex-direction: column; gap: 7px; font-variant-numeric: tabular-nums;
  font-size: 0.82rem; line-height: 1.25;}
.tamis-step .row {display: flex; justify-content: space-between; gap: 8px;}
.tamis-step .name {overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}
.tamis-step .count {flex: none; font-weight: 600;}
.tamis-step .less {color: #d95f0e; font-size: 0.76rem;}
.tamis-step .bar {height: 5px; border-radius: 3px; background: rgba(217, 95, 14, 0.28); overflow: hidden;
  margin-top: 2px;}
.tamis-step .bar i {display: block; height: 100%; background: #2c7fb8;}
.tamis-muted {opacity: 0.65; font-size: 0.8rem;}
.tamis-legend {display: inline-flex; gap: 14px; font-size: 0.82rem; align-items: center;}
.tamis-legend b {display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px;}
.tamis-text {white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.86rem; line-height: 1.5;}
.tamis-text mark, .tamis-card mark {background: rgba(217, 95, 14, 0.32); color: inherit; border-radius: 2px;}
.tamis-samples {display: flex; flex-direction: column; gap: 6px;}
.tamis-card {border: 1px solid rgba(128, 128, 128, 0.25); border-radius: 6px; padding: 7px 10px; font-size: 0.82rem;
  line-height: 1.45; overflow-wrap: anywhere;}
</style>
"""


def style() -> None:
    """Put the styles on the page."""
    st.html(_STYLE)


def is_dark() -> bool:
    """Say whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def count(number: float) -> str:
    """Return a whole number with thin spaces between thousands: 1 234 567."""
    return f"{int(number):,}".replace(",", "\u202f")


def short(number: float) -> str:
    """Return a number in three digits: 1.23M, 45.6k, 789."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{unit}"
    return f"{number:.3g}"


def share(part: float, whole: float) -> str:
    """Return a share in per cent that is never rounded to a whole it is not: 0.04%, 12.3%, 99.99%."""
    if not whole:
        return "0%"
    percent = 100 * part / whole
    if percent in (0, 100):
        return f"{percent:.0f}%"
    if percent < 1:
        return "<0.01%" if percent < 0.01 else f"{percent:.2f}%"
    return f"{min(percent, 99.99):.2f}%" if percent > 99 else f"{percent:.1f}%"


def duration(seconds: float) -> str:
    """Return seconds for people: 5 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(number: float) -> str:
    """Return bytes for people, decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
