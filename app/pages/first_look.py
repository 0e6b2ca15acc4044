"""The first look at a corpus, before its documents have ids: figures and a search by words, read from the files."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from tamis.analytics.effect.charts import spark
from tamis.analytics.study.first_look import FirstLook, ValueCounts, WordHits
from tamis.analytics.study.hits import hit_spans
from tamis.analytics.study.pictures import is_pictured
from tamis.analytics.study.pictures_in_files import pictures_in_files
from tamis.analytics.study.readings import Reading, preview_shape, read_documents
from tamis.app.dashboard import cache, session, waiting
from tamis.app.dashboard.look import Stat, count, heading, picture, share, size, stats
from tamis.app.dashboard.page_context import plain
from tamis.app.dashboard.picture_html import sheet_of_files
from tamis.app.dashboard.text_view import cards
from tamis.app.figures.figures import share_bars
from tamis.app.pages import roles_form, shape_form
from tamis.data.corpus import Corpus
from tamis.data.workspace import Workspace

PAGE = 25
FIRST_PICTURES = 24
PREVIEW = 320


def overview(here: Workspace, name: str) -> Corpus:
    """Show the figures of a corpus as its files tell them, and what a row is; return the corpus."""
    key = cache.key_of(here, name)
    corpus, strip = cache.corpus(key), st.empty()
    if is_pictured(corpus):
        _pictures(here, name, corpus)
        return corpus
    # What the files say of themselves stands there while the texts are read.
    with strip.container():
        stats(_of_files(corpus))
    look = cache.first_look(key)
    with strip.container():
        stats([*_of_files(corpus), *_of_texts(look)])
    st.caption(roles_form.reads(corpus))
    shape_form.note(here, name, corpus)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        lengths(look)
        if shape_form.show(here, name, corpus):
            pass
        elif corpus.shape.kind == "text":
            roles_form.sample(corpus)
        else:
            shape_form.preview(preview_shape(corpus, shown=shape_form.SHOWN))
        roles_form.show(here, name, corpus)
    with right:
        groups(look)
    return corpus


def _pictures(here: Workspace, name: str, corpus: Corpus) -> None:
    """Show the first pictures, decoded on the spot."""
    stats(_of_files(corpus))
    st.caption(roles_form.reads(corpus))
    heading("The first of them", "as the files hold them")
    st.html(sheet_of_files(pictures_in_files(corpus, range(min(FIRST_PICTURES, corpus.rows)))))
    shape_form.show(here, name, corpus)
    roles_form.show(here, name, corpus)


def documents(here: Workspace, name: str) -> None:
    """List the rows of a corpus as its files hold them, or those that hold some words."""
    key = cache.key_of(here, name)
    corpus = cache.corpus(key)
    with st.form("first/search", border=False):
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
    words = row.text_input(
        "Search by words", value=str(session.current().setting("find", "")), icon=":material/search:",
        key="first/words", placeholder="Words in any of the texts",
    )  # fmt: skip
    if row.form_submit_button("Find"):
        session.choose(find=words.strip() or None, offset=None)
    found = _found(key, str(session.current().setting("find", "")))
    total = corpus.rows if found is None else len(found.positions)
    offset = min(int(session.current().setting("offset", 0)), max(total - 1, 0))
    shown = range(offset, min(offset + PAGE, total))
    places = np.fromiter(shown, dtype=np.int64) if found is None else found.positions[shown.start : shown.stop]
    _pager(found, shown, total)
    if is_pictured(corpus):
        st.html(sheet_of_files(pictures_in_files(corpus, places.tolist())))
    else:
        readings = read_documents(corpus, corpus.take(places)) if len(places) else []
        st.html(cards(readings, [_spans(each, found) for each in readings], length=PREVIEW))
    steps = frozenset({"documents"})
    waiting.pull(here, corpus, steps)
    waiting.say(here, corpus, steps, what="Sorting, conditions and columns are")


def _found(key: cache.CorpusKey, words: str) -> WordHits | None:
    return cache.found_words(cache.WordsKey(key, words)) if words else None


def _spans(document: Reading, found: WordHits | None) -> list[tuple[int, int]]:
    return [] if found is None else hit_spans(document.text, ((found.pattern, True),))


def _pager(found: WordHits | None, shown: range, total: int) -> None:
    """Show which rows are listed, and the buttons to the others."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        first = shown.start + 1 if total else 0
        said = f"{count(first)} to {count(shown.stop)} of {count(total)} rows"
        if found is not None:
            searched = "all rows searched" if found.exact else f"{count(found.read)} of {count(found.rows)} searched"
            said = f"{said} with these words, {searched}"
        st.caption(f"{said}, in the order of the files", width="content")
        if st.button("Previous", disabled=shown.start == 0, key="first/previous", type="tertiary"):
            session.choose(offset=max(0, shown.start - PAGE) or None)
            st.rerun()
        if st.button("Next", disabled=shown.stop >= total, key="first/next", type="tertiary"):
            session.choose(offset=shown.stop)
            st.rerun()


def _of_files(corpus: Corpus) -> list[Stat]:
    """Return the figures that the files state: no text is read for them."""
    files = f"{count(len(corpus.files))} file{'s' * (len(corpus.files) != 1)}"
    return [
        Stat("Rows", count(corpus.rows), files, help="Exact, as the files say."),
        Stat("Columns", count(len(corpus.schema.names)), help=", ".join(corpus.schema.names)[:400]),
    ]


def _of_texts(look: FirstLook) -> list[Stat]:
    method = "Exact." if look.exact else f"Of {count(look.read)} rows in shards drawn by keyed hash."
    note = "" if look.exact else "sampled"
    return [
        Stat("With a text", share(look.documents, look.read), note, help=method),
        Stat("Text", size(look.bytes), "" if look.exact else "in the sample", help=f"UTF-8 bytes of texts. {method}"),
        Stat("Median length", size(look.median), note, help=f"UTF-8 bytes. {method}"),
        Stat("Longest", size(look.longest), note, help=f"UTF-8 bytes. {method}"),
        *(
            Stat("Sources" if group.role == "source" else "Languages", count(group.distinct), note, help=method)
            for group in look.groups
        ),
    ]


def lengths(look: FirstLook) -> None:
    """Show how long the texts are."""
    read = "" if look.exact else f", of {count(look.read)} rows"
    heading("Length of the texts", f"bytes, logarithmic{read}")
    bars = picture(spark(look.counts.tolist(), [0] * len(look.counts), width=600, height=60))
    ends = [f"shortest {size(look.shortest)}", f"median {size(look.median)}", f"longest {size(look.longest)}"]
    under = "".join(f"<span>{escape(words)}</span>" for words in ends)
    st.html(f'<div class="tamis-lengths">{bars}<div>{under}</div></div>')


def groups(look: FirstLook) -> None:
    """Show the largest sources and languages as the files state them."""
    for group in look.groups:
        _group(group, look)


def _group(group: ValueCounts, look: FirstLook) -> None:
    """Show the largest values of a column."""
    heading(plain(group.column), f"the largest {len(group.values)} of {count(group.distinct)}")
    figure = share_bars(
        [value or "(none)" for value in group.values],
        list(group.rows),
        [0] * len(group.rows),
        height=14 + 21 * len(group.rows),
        x="",
        notes=[f"{count(rows)} · {share(rows, look.read)}" for rows in group.rows],
    )
    st.plotly_chart(
        figure, key=session.widget("first", group.role), config={"displayModeBar": False},
        alt=f"Rows by {group.column}",
    )  # fmt: skip
