"""Colours, numbers and the few styles that the theme cannot set."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from tamis.app.dashboard.picture_style import PICTURE_STYLE
from tamis.app.dashboard.reading_style import READING
from tamis.app.dashboard.turn_style import turn_style

_STYLE = """
<style>
.block-container {padding-left: 1.4rem; padding-right: 1.4rem;}
[data-testid="stSidebarContent"] {overflow-x: hidden;}
[data-testid="stSidebarUserContent"] {padding-left: 0; padding-right: 0;}
[data-testid="stSidebarHeader"] {margin-bottom: 0; padding-left: 0;}
[data-testid="stSidebar"] kbd {display: none;}
[data-testid="stVerticalBlock"] {gap: 0.6rem;}
[data-testid="stButton"] button, [data-testid="stDownloadButton"] button, [data-testid="stFormSubmitButton"] button,
button[data-variant="segmented_control"] {
  min-height: 2.1rem; padding: 0.1rem 0.75rem;}
[data-testid="stSidebar"] [data-testid="stButton"] button {min-height: 1.85rem; padding: 0 0.6rem;}
[data-testid="stButton"] button[kind="tertiary"] {padding: 0 0.15rem;}
[class*="st-key-icon-"] button [data-testid="stMarkdownContainer"] {position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap;}
[class*="st-key-icon-"] button {min-width: 24px; justify-content: center;}
[data-testid="stMultiSelect"] button[aria-label="Clear all"] {min-width: 24px; min-height: 24px;}
[data-testid="stSidebar"] [data-testid="stPopover"] button {min-height: 1.85rem; padding: 0 0.15rem;}
[data-testid="stExpander"] summary {padding-top: 0.4rem; padding-bottom: 0.4rem; min-height: 2.1rem;}
[data-testid="stCaptionContainer"] {opacity: 1; color: light-dark(#62676c, #a3a9ae);}
[data-testid="stCaptionContainer"] p {line-height: 1.4;}
.tamis-head {font-weight: 600; font-size: 0.95rem; margin-top: 0.25rem; letter-spacing: -0.005em;}
.tamis-head span {font-weight: 400; opacity: 0.7; font-size: 0.85rem; margin-left: 8px;}
[data-testid="stMarkdownContainer"] table, .tamis-text, input {font-variant-numeric: tabular-nums;}
h1, h2, h3, h4, h5 {letter-spacing: -0.01em;}
.tamis-stats {display: flex; flex-wrap: wrap; overflow: hidden;
  border: 1px solid rgba(128, 128, 128, 0.25); border-radius: 6px; font-variant-numeric: tabular-nums;}
.tamis-stats > div {flex: 1 1 0; min-width: 100px; padding: 8px 14px;
  margin-left: -1px; border-left: 1px solid rgba(128, 128, 128, 0.18);}
.tamis-stats span {display: block; font-size: 0.8rem; opacity: 0.65; white-space: nowrap;}
.tamis-stats b {font-size: 1.3rem; font-weight: 600; letter-spacing: -0.01em; white-space: nowrap;}
.tamis-stats small {font-size: 0.8rem; opacity: 0.65; margin-left: 6px; white-space: nowrap;}
.tamis-issue {position: relative; display: flex; align-items: center; gap: 10px; height: 2.1rem; padding: 0 10px 0 12px;
  border-radius: 5px; overflow: hidden; background: rgba(128, 128, 128, 0.07); font-variant-numeric: tabular-nums;}
.tamis-issue i {position: absolute; left: 0; top: 0; bottom: 0; background: rgba(128, 128, 128, 0.13);}
.tamis-issue.high i {background: rgba(217, 95, 14, 0.24);}
.tamis-issue.medium i {background: rgba(217, 164, 14, 0.24);}
.tamis-issue > * {position: relative;}
.tamis-issue > i {position: absolute;}
.tamis-issue em {font-style: normal; font-size: 0.72rem; width: 3.6rem; opacity: 0.75;}
.tamis-issue b {width: 3.7rem; text-align: right;}
.tamis-issue .what {flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}
.tamis-issue .n {opacity: 0.65; font-size: 0.85rem; white-space: nowrap;}
@media (min-width: 700px) {
  .stHorizontalBlock:has(> .stElementContainer .tamis-issue) {flex-wrap: nowrap;}
  .stElementContainer:has(> .stHtml > .tamis-issue) {min-width: 0;}
}
.tamis-tenths {display: grid; grid-template-columns: auto 1fr auto; gap: 2px 12px; align-items: center;
  font-size: 0.82rem; font-variant-numeric: tabular-nums; margin-top: 6px;}
.tamis-tenths span {opacity: 0.65; text-align: right; white-space: nowrap;}
.tamis-tenths i {position: relative; display: block; height: 9px; border-radius: 2px; overflow: hidden;
  background: rgba(128, 128, 128, 0.13);}
.tamis-tenths i::after {content: ""; position: absolute; left: 50%; top: 0; bottom: 0; width: 1.5px;
  background: rgba(128, 128, 128, 0.95);}
.tamis-tenths i u {display: block; height: 100%; background: rgba(44, 127, 184, 0.65);}
.tamis-glance {display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px;}
.tamis-glance > button {all: unset; box-sizing: border-box; cursor: pointer; font-size: 0.82rem;
  border: 1px solid rgba(128, 128, 128, 0.22); border-radius: 5px; padding: 6px 10px 4px;}
.tamis-glance > button:hover {border-color: rgba(128, 128, 128, 0.6);}
.tamis-glance > button:focus-visible {outline: 2px solid light-dark(#0f766e, #4fc3b5); outline-offset: 1px;}
.tamis-glance img {display: block; width: 100%; height: 34px; margin: 4px 0 2px;}
.tamis-glance small {opacity: 0.65; font-variant-numeric: tabular-nums;}
.tamis-lengths img {display: block; width: 100%; height: 90px;}
.tamis-lengths > div {display: flex; justify-content: space-between; gap: 12px; font-size: 0.82rem;
  border-top: 1px solid rgba(128, 128, 128, 0.35); padding-top: 3px; font-variant-numeric: tabular-nums;}
@media (max-width: 1100px) {
  .tamis-stats > div {flex: 1 1 auto; min-width: 82px; padding: 8px 10px;}
  .tamis-stats b {font-size: 1.15rem;}
  .tamis-issue {height: auto; min-height: 2.1rem; padding-top: 4px; padding-bottom: 4px; line-height: 1.35;}
  .tamis-issue {gap: 7px;}
  .tamis-issue em {width: 3.1rem;}
  .tamis-issue b {width: 2.9rem;}
  .tamis-issue .what {white-space: normal; font-size: 0.92rem;}
}
@media (max-width: 640px) {
  .tamis-glance {grid-template-columns: repeat(2, 1fr);}
}
.tamis-funnel {display: flex; flex-direction: column; gap: 8px; font-variant-numeric: tabular-nums;
  font-size: 0.85rem; line-height: 1.3;}
button.tamis-step {all: unset; box-sizing: border-box; width: 100%; cursor: pointer; display: block;
  border-radius: 3px;}
button.tamis-step:hover .name {text-decoration: underline;}
button.tamis-step:focus-visible {outline: 2px solid light-dark(#0f766e, #4fc3b5); outline-offset: 2px;}
.tamis-step .row {display: flex; justify-content: space-between; gap: 8px;}
.tamis-step .name {overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}
.tamis-step .count {flex: none; font-weight: 600;}
.tamis-step .less {opacity: 0.7; font-size: 0.78rem;}
.tamis-step .bar {display: block; height: 4px; border-radius: 2px; background: rgba(217, 95, 14, 0.3); overflow: hidden;
  margin-top: 3px;}
.tamis-step .bar i {display: block; height: 100%; background: #2c7fb8;}
.tamis-twin {margin-left: 14px;}
.tamis-twin > span {font-size: 0.78rem; color: light-dark(#5f6670, #a0a7ae);}
#tamis-lost {position: fixed; top: 0; left: 0; right: 0; z-index: 2000000; padding: 10px 18px; text-align: center;
  background: #8f1d12; color: #ffffff; font-size: 0.92rem; line-height: 1.45;}
#tamis-lost code {background: rgba(255, 255, 255, 0.16); color: inherit; padding: 0 5px; border-radius: 3px;}
.tamis-muted {opacity: 0.65; font-size: 0.85rem;}
.tamis-text, .tamis-card {unicode-bidi: plaintext;}
.tamis-text {white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.9rem; line-height: 1.5;}
.tamis-text mark, .tamis-card mark {background: rgba(217, 95, 14, 0.32); color: inherit; border-radius: 2px;}
.tamis-text.tamis-shared mark {background: none; color: #a63a00; font-weight: 650;}
.tamis-text.tamis-shared.dark mark {color: #ffab73;}
.tamis-samples {display: flex; flex-direction: column; gap: 5px;}
.tamis-card {border: 1px solid rgba(128, 128, 128, 0.22); border-radius: 5px; padding: 6px 10px; font-size: 0.86rem;
  line-height: 1.42; overflow-wrap: anywhere;}
.tamis-against {display: grid; grid-template-columns: 1fr auto auto; gap: 2px 12px; font-size: 0.86rem;
  font-variant-numeric: tabular-nums; margin-top: 4px;}
.tamis-against b {font-weight: 600;}
.tamis-against i {font-style: normal; opacity: 0.75; text-align: right;}
.tamis-against em {font-style: normal; text-align: right;}
.tamis-against span {overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}
.tamis-mix {display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 0.86rem; font-variant-numeric: tabular-nums;}
.tamis-mix b {font-weight: 600;}
.tamis-sequence {overflow-x: auto; border: 1px solid rgba(128, 128, 128, 0.25); border-radius: 6px;}
.tamis-sequence table {width: 100%; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums;}
.tamis-sequence th {text-align: left; font-weight: 500; background: rgba(128, 128, 128, 0.1); white-space: nowrap;}
.tamis-sequence th, .tamis-sequence td {padding: 3px 10px; border: 0; white-space: nowrap;}
.tamis-sequence tr + tr td {border-top: 1px solid rgba(128, 128, 128, 0.15);}
.tamis-sequence td:nth-child(2) {width: 70%; max-width: 0; min-width: 220px; padding: 0;}
.tamis-sequence td:nth-child(3) {max-width: 220px; overflow: hidden; text-overflow: ellipsis;}
.tamis-sequence td button {display: block; width: 100%; min-height: 27px; padding: 0 10px; border: 0; background: none;
  color: inherit; font: inherit; text-align: start; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  cursor: pointer; unicode-bidi: plaintext;}
.tamis-sequence tbody tr:hover {background: rgba(128, 128, 128, 0.1);}
[class*="st-key-teach-next"] button, [class*="st-key-teach-next"] button div {justify-content: flex-start;
  text-align: start;}
[class*="st-key-map_sheet"] {max-height: max(340px, calc(100vh - 130px));}
@media (max-width: 640px) {
  [class*="st-key-map_sheet"] {position: fixed; z-index: 90; left: 0; right: 0; bottom: 0; height: 56vh !important;
    background: var(--st-background-color, Canvas); border-radius: 12px 12px 0 0;
    box-shadow: 0 -4px 18px rgba(0, 0, 0, 0.3);}
}
@media (max-width: 1100px) {.st-key-map_keys {display: none;}}
.tamis-pairs {display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; font-size: 0.86rem;
  font-variant-numeric: tabular-nums;}
.tamis-pairs span {opacity: 0.65; white-space: nowrap;}
.tamis-pairs b {font-weight: 500; overflow-wrap: anywhere;}
</style>
"""

_DARK = """
[data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stBaseButton-primaryFormSubmit"]:not(:disabled),
[data-testid="stMultiSelectTagsContainer"] > span span, [data-testid="stMultiSelectTagsContainer"] svg {
  color: #0b1416 !important;}
button[data-variant="segmented_control"][data-selected="true"], button[data-variant="pills"][data-selected="true"] {
  color: #5fd3c4 !important;}
"""
"""Dark words on the colour of the dark theme: white ones have less than the contrast that can be read."""
_LIGHT = """
[data-testid="stCode"] .token.atrule, [data-testid="stCode"] .token.boolean {color: #a8480d !important;}
[data-testid="stCode"] .token.parameter {color: #00688b !important;}
[data-testid="stCode"] .token.number {color: #00695c !important;}
button[data-variant="segmented_control"][data-selected="true"], button[data-variant="pills"][data-selected="true"] {
  color: #0a5c55 !important;}
"""
"""Names in YAML and the chosen one of several buttons, for the same reason."""


def style() -> None:
    """Put the styles on the page."""
    st.html(f"{_STYLE}<style>{_DARK if is_dark() else _LIGHT}{turn_style()}{READING}{PICTURE_STYLE}</style>")


@dataclass(frozen=True)
class Stat:
    """A figure in a strip of figures.

    Attributes:
        title: what it is.
        value: the figure, formatted.
        note: a few words beside it.
        help: shown on hover.
    """

    title: str
    value: str
    note: str = ""
    help: str = ""


def stats(figures: Sequence[Stat]) -> None:
    """Show figures in one slim strip."""
    cells = "".join(
        f'<div title="{escape(item.help)}"><span>{escape(item.title)}</span><b>{escape(item.value)}</b>'
        + (f"<small>{escape(item.note)}</small>" if item.note else "")
        + "</div>"
        for item in figures
    )
    st.html(f'<div class="tamis-stats">{cells}</div>')


def heading(title: str, note: str = "") -> None:
    """Show the heading of a part of a page, with a few quiet words beside it."""
    quiet = f"<span>{escape(note)}</span>" if note else ""
    st.html(f'<div class="tamis-head" role="heading" aria-level="3">{escape(title)}{quiet}</div>')


def picture(svg: str) -> str:
    """Return an image element that shows an SVG; the browser runs nothing inside it."""
    return f'<img alt="" src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}">'


def pairs(values: Mapping[str, str]) -> str:
    """Return names and values in two columns as HTML, escaped."""
    cells = "".join(f"<span>{escape(name)}</span><b>{escape(value)}</b>" for name, value in values.items())
    return f'<div class="tamis-pairs">{cells}</div>'


def is_dark() -> bool:
    """Return whether the browser shows the dark theme."""
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


def digits(number: float) -> str:
    """Return a number in four digits, never with an exponent where it is large: 0.01234, 12.34, 104 902."""
    return count(round(number)) if abs(number) >= 10_000 else f"{number:.4g}"


def format_distinct(numbers: Sequence[float]) -> list[str]:
    """Return different numbers as different texts, in four significant digits or as many as it takes (17 always do)."""
    wanted = len(set(numbers))
    texts = (list(map(f"{{:.{digits}g}}".format, numbers)) for digits in range(4, 18))
    return next(found for found in texts if len(set(found)) >= wanted)


def share(part: float, whole: float) -> str:
    """Return a share in per cent; only exact values print as 0% or 100%: 0.04%, 12.3%, 99.99%."""
    if not whole:
        return "0%"
    percent = 100 * part / whole
    if percent in (0, 100):
        return f"{percent:.0f}%"
    if percent < 1:
        return "<0.01%" if percent < 0.01 else f"{percent:.2f}%"
    return f"{min(percent, 99.99):.2f}%" if percent > 99 else f"{percent:.1f}%"


def time_zone() -> str:
    """Return the name of the browser's time zone, UTC where it states none that is known here."""
    name = st.context.timezone or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name


def moment(at: float | str) -> str:
    """Return a time in the browser's time zone: 2026-03-01 14:05; pages say the zone once.

    Args:
        at: seconds since the epoch, or ISO 8601 text in UTC; 0 and empty text are no time.
    """
    if not at:
        return ""
    found = datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(at, UTC)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(ZoneInfo(time_zone())).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Return seconds in a readable unit: 5 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(number: float) -> str:
    """Return bytes in a readable decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
