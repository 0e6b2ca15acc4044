"""What the Overview shows of a corpus of pictures in place of what only texts have."""

from __future__ import annotations

from collections import Counter
from html import escape

import streamlit as st

from tamis.analytics.study.pictures import PictureTotals, picture_totals
from tamis.analytics.study.queries import sample_rows
from tamis.analytics.study.readings import count_reasons
from tamis.app.dashboard.look import Stat, count, heading, share, size
from tamis.app.dashboard.page_context import Stage
from tamis.app.dashboard.picture_html import sheet

GLANCE = ("megapixels", "aspect", "brightness", "sharpness", "colourfulness", "bytes_per_pixel")
GROUPS = ("image_format", "label", "source")
SHOWN = 24
TINY = 0.01
"""Megapixels below which pixels are counted."""
REASONS = 8


def headline(here: Stage) -> list[Stat]:
    """Return the figures of the pictures."""
    found: PictureTotals = here.ask(picture_totals)
    errors = here.opened.study.documents.errors.num_rows
    rows = here.facts.n + errors
    figures = [
        Stat("Pictures", count(here.facts.n), help="Pictures that can be decoded, exact."),
        Stat("Files", size(found.bytes), help="Encoded bytes of the pictures, exact."),
        Stat("Median size", f"{found.width} × {found.height}", help="Medians of width and height in pixels, exact."),
        Stat("Smallest", _area(found.least), help="Megapixels, of tiny pictures pixels, exact."),
        Stat("Largest", _area(found.most), help="Megapixels, of tiny pictures pixels, exact."),
        Stat("Cannot be read", count(errors), share(errors, rows) if errors else "", help="Rows that are no picture."),
    ]
    if found.captions is not None:
        figures.append(Stat("With a caption", share(found.captions, here.facts.n), help="Exact."))
    return figures


def _area(megapixels: float) -> str:
    return f"{megapixels:.3g} MP" if megapixels >= TINY else f"{count(round(1e6 * megapixels))} px"


def errors_by_reason(here: Stage) -> None:
    """Show why rows are no pictures, and how many of each; nothing where all are."""
    counted: Counter[str] = Counter()
    for reason, number in count_reasons(here.opened.study.documents.errors.column("reason")):
        # What follows a colon is about one file, such as its size.
        counted[reason.partition(": ")[0]] += number
    reasons = counted.most_common()
    if not reasons:
        return
    heading("Not read, by reason", f"the first {REASONS} of {len(reasons)}" if len(reasons) > REASONS else "exact")
    lines = "".join(
        f'<span title="{escape(reason)}">{escape(reason)}</span><em>{count(number)}</em>'
        for reason, number in reasons[:REASONS]
    )
    st.html(f'<div class="tamis-against tamis-reasons">{lines}</div>')


def some(here: Stage) -> None:
    """Show some of the pictures."""
    rows = here.ask(sample_rows, which="all", n=SHOWN)
    if len(rows):
        heading("Some of them", f"a random sample of {len(rows)} (seed 0)")
        st.html(sheet(here.readings([int(row) for row in rows])))
