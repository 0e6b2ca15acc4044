"""One document: its text, its signals against the corpus, why it is kept or dropped. The text is never Markdown."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from tamis.analytics.duplicates.word_diff import word_diff
from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.known_text import Decontaminate, ExcludeKnown
from tamis.analytics.operators.operator import Operator
from tamis.analytics.operators.repeated_text import Boilerplate
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.signals.spans import spans
from tamis.analytics.study.audit_places import MARKED
from tamis.analytics.study.duplicate_sources import boilerplate_spans
from tamis.analytics.study.hits import hit_spans, searched_patterns
from tamis.analytics.study.lines import line
from tamis.analytics.study.meaning import document_example
from tamis.analytics.study.pictures import picture_signals
from tamis.analytics.study.queries import extent, find_items, neighbours_of, why
from tamis.analytics.study.readings import Reading
from tamis.analytics.study.reasons import reason, verdict_words
from tamis.app.dashboard import login, meaning_panel, session
from tamis.app.dashboard.conversation_view import unlike
from tamis.app.dashboard.look import count, digits, short
from tamis.app.dashboard.page_context import Stage, brief, plain
from tamis.app.dashboard.picture_html import beside
from tamis.app.dashboard.selection_bar import log_of
from tamis.app.dashboard.text_view import WHOLE, card, reader
from tamis.app.pages import review_panel
from tamis.data.errors import TamisError

TEXT_LIMIT = 20_000
TWIN_LIMIT = 2_000
TWIN_LINE = 90
MOST_TRAIL = 50
BOILERPLATE = "(boilerplate)"
FACTS = ("id", "source", "label", "lang", "bytes", "n_tokens", "norm_count")
PICTURE_FACTS = ("id", "source", "label", "image_format", "width", "height", "frames", "n_tokens")
SIGNALS_SHOWN = ("n_tokens", "n_words", "mean_word_length", "alpha_word_share", "stop_words", "symbol_word_ratio",
                 "duplicate_line_share", "duplicate_5gram_share", "outlier")  # fmt: skip
SPANNED = ("duplicate_5gram_share", "duplicate_line_share", "top_2gram_share", "stop_words", "bullet_line_share",
           "ellipsis_line_share", "pii_findings", "url_share", "code_line_share", "mojibake")  # fmt: skip


def show_document(here: Stage, row: int) -> None:
    """Lay out one document by facts row."""
    facts = here.facts
    if not 0 <= row < facts.n:
        st.text("This document is not in the corpus.")
        return
    names = [name for name in (PICTURE_FACTS if here.pictures else FACTS) if name in facts.columns]
    values = facts.table(names, np.asarray([row])).to_pylist()[0]
    document = here.readings([row])[0]
    _verdict(here, row, document)
    _text(here, row, document)
    st.button(
        "More like this", key=session.widget("document", "like", str(row)), icon=":material/join_inner:",
        type="tertiary", on_click=_like, args=(here, row),
        help="Order all documents by likeness in meaning to this one",
    )  # fmt: skip
    st.divider()
    st.dataframe(
        [{"column": facts.info(name).title, "value": str(values[name])} for name in names if values[name] is not None],
        hide_index=True,
        row_height=28,
    )
    _signals(here, row)
    if st.toggle("Nearest documents", key="document/nearest"):
        _nearest(here, row)
    _notes(here, str(values["id"]))
    with st.expander("All columns of the corpus"):
        record = here.opened.record(row)
        st.dataframe([{"column": name, "value": str(value)[:500]} for name, value in record.items()], hide_index=True)


def _text(here: Stage, row: int, document: Reading) -> None:
    """Show the text with marked places; a long one is cut until people ask for all of it. Of a picture the caption."""
    if document.picture is not None and not document.text.strip():
        st.html(reader(document))
        return
    marks = _marks(here, row)
    long = len(document.text) > TEXT_LIMIT
    whole = long and st.toggle(f"Show all {count(len(document.text))} characters", key="document/whole")
    limit = WHOLE if whole else TEXT_LIMIT
    st.html(reader(document, _places(here, row, document, marks, limit), limit=limit))


def _places(here: Stage, row: int, document: Reading, marks: str, limit: int) -> list[tuple[int, int]]:
    """Return what is marked: places of a signal, boilerplate, or the words of the search."""
    if marks in MARKED:
        return here.opened.audit_places(row, document, marks)
    if marks == BOILERPLATE:
        source = here.facts.table(["source"], np.asarray([row])) if "source" in here.facts.columns else None
        name = "" if source is None else str(source.column("source")[0].as_py() or "")
        rule = _boilerplate(here, row)
        return [] if rule is None else boilerplate_spans(here.opened.study, rule, document.text[:limit], name)
    if marks:
        return spans(document.text[:limit], marks)
    return hit_spans(document.text[:limit], searched_patterns(session.current().selection))


def _boilerplate(here: Stage, row: int) -> Boilerplate | None:
    """Return the boilerplate rule that dropped a document, else the first of the recipe."""
    outcome = here.scene.outcome
    if outcome is None:
        return None
    number = int(outcome.deciding[row])
    first = outcome.steps[number - 1 : number] if number else ()
    rules = (step.operator for step in (*first, *outcome.steps))
    return next((rule for rule in rules if isinstance(rule, Boilerplate)), None)


def _notes(here: Stage, document: str) -> None:
    """Show the notes on the document, and let reviewers add one."""
    desk = review_panel.ReviewDesk(here, log_of(here), login.person().name)
    review_panel.comment(desk, "document", document, title="Note on this document", kind="note")


def _marks(here: Stage, row: int) -> str:
    """Let people choose what is marked in the text; the session keeps the choice. First what dropped the document."""
    rule = _boilerplate(here, row)
    decided = here.scene.outcome is not None and int(here.scene.outcome.deciding[row])
    options = ["", *([BOILERPLATE] if rule is not None else []), *SPANNED]
    options += [name for name in MARKED if name in here.facts.columns]
    asked = session.current().setting("marks")
    steps = () if here.scene.outcome is None else here.scene.outcome.steps
    own = bool(decided) and isinstance(steps[int(decided) - 1].operator, Boilerplate)
    now = asked if asked in options else (BOILERPLATE if own else "")
    hits = bool(searched_patterns(session.current().selection))
    named = {"": "Mark the words of the search" if hits else "Mark nothing", BOILERPLATE: "Mark boilerplate"}
    chosen = st.selectbox(
        "Mark in the text", options, index=options.index(now), key=session.widget("document", "marks", now),
        format_func=lambda name: named.get(name) or SIGNALS[name].title, label_visibility="collapsed",
    )  # fmt: skip
    if chosen != now:
        session.choose(marks=chosen)
    return chosen


def _nearest(here: Stage, row: int) -> None:
    """Show the documents with the nearest embeddings, and which vectors they are."""
    study = here.opened.study
    found = neighbours_of(study, row, k=6)
    if found is None:
        st.caption("This document has no embedding.")
        return
    among = (
        "exact over all documents" if found.recall == 1 else f"from a graph with {found.recall:.1%} of all neighbours"
    )
    st.caption(f"By cosine of {plain(found.tier)} vectors, {among}.")
    for other, cosine, near in zip(found.rows, found.cosine, here.readings(found.rows.tolist()), strict=True):
        st.html(f"<b>{cosine:.3f}</b>{card(near, length=240)}")
        st.button(
            "Read", key=session.widget("nearest", str(row), str(int(other))), type="tertiary", on_click=follow,
            args=(int(other),),
        )  # fmt: skip


def _verdict(here: Stage, row: int, document: Reading) -> None:
    """Say in one sentence why the live recipe keeps or drops the document, with the kept twin beside it."""
    outcome = here.scene.outcome
    if outcome is None or not outcome.steps:
        return
    found = reason(outcome, here.facts, row)
    twin = None if found.twin is None else here.readings([found.twin])[0]
    sentence = found.sentence("" if twin is None else line(twin, length=TWIN_LINE))
    kind = "kept" if not found.step else "dropped"
    st.html(f'<div class="tamis-why {kind}" data-testid="why"><bdi>{escape(sentence)}</bdi></div>')
    if twin is not None and found.twin is not None:
        st.html(_beside(here, document, twin))
        st.button(
            "Read the twin", key=session.widget("twin", str(found.twin)), type="tertiary", on_click=follow,
            args=(found.twin,),
        )  # fmt: skip
    with st.expander("What each step says"):
        rules = {step.id: step.operator for step in outcome.steps}
        for verdict in why(outcome, here.facts, row):
            st.text(f"{verdict.step}: {verdict_words(verdict, rules[verdict.step])}")
            if item := _item(here, rules[verdict.step], row):
                st.caption(f"Shared with {plain(item)}")


def _beside(here: Stage, document: Reading, twin: Reading) -> str:
    """Return the beginnings of a document and its twin side by side, the words that differ marked."""
    if document.picture is not None and twin.picture is not None:
        return beside(here.opened.study, twin, document, titles=("Its kept twin", "This picture"))
    found = word_diff(document.text[:TWIN_LIMIT], twin.text[:TWIN_LIMIT])
    sides = (("This document", document, found.left), ("Its kept twin", twin, found.right))
    cells = "".join(
        f'<div><div class="tamis-muted">{title}</div>{reader(each, unlike(spans), limit=TWIN_LIMIT)}</div>'
        for title, each, spans in sides
    )
    return f'<div class="tamis-twins">{cells}</div>'


def _like(here: Stage, row: int) -> None:
    """Order all documents by likeness in meaning to one."""
    try:
        # By its id: recipes and shared views hold no text of the corpus.
        found = document_example(here.opened.study, row, f"document {here.facts.ids[row].as_py()}")
    except TamisError as error:
        session.say(brief(error))
        return
    meaning_panel.rank_by(found)


def follow(row: int) -> None:
    """Read another document; Back returns to this one."""
    now = session.current()
    trail = (*(now.setting("trail") or ()), now.setting("document"))
    session.choose(document=int(row), trail=trail[-MOST_TRAIL:])


def _item(here: Stage, rule: Operator, row: int) -> str:
    """Return the evaluation item or known text that a rule found in a document, empty for none."""
    if here.opened.study is None or not isinstance(rule, Decontaminate | IdfDecontaminate | ExcludeKnown):
        return ""
    return find_items(here.opened.study, rule, np.asarray([row]))[0]


def _signals_shown(here: Stage) -> tuple[str, ...]:
    """Return the signals that say most about a document; of a picture those of its step."""
    if not here.pictures:
        return SIGNALS_SHOWN
    return (*picture_signals(here.facts), "outlier", "n_words")


def _signals(here: Stage, row: int) -> None:
    """Show the rank of the document among all for the main signals."""
    facts = here.facts
    lines = []
    for name in _signals_shown(here):
        if name not in facts.columns or not facts.info(name).numeric:
            continue
        value = float(facts.numbers(name)[row])
        if np.isnan(value):
            continue
        below = float(np.mean(facts.numbers(name) < value))
        reach = extent(facts, name)
        lines.append(
            {"signal": facts.info(name).title, "value": digits(value), "percentile": 100 * below,
             "typical": f"{short(reach.robust_low)} to {short(reach.robust_high)}"}
        )  # fmt: skip
    st.dataframe(
        lines,
        hide_index=True,
        row_height=28,
        column_config={"percentile": st.column_config.ProgressColumn(format="%.0f", min_value=0, max_value=100)},
    )
