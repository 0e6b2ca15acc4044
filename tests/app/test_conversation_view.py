"""Turns on screen: escaped, told by word and colour, folded, cut without losing a character, marked in their turn."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.study.lines import line
from tamis.analytics.study.readings import Reading, ReadPart
from tamis.app.dashboard.conversation_view import TURN_SHOWN, conversation
from tamis.app.dashboard.marked_text import indented, mark_places
from tamis.app.dashboard.text_view import card, reader
from tamis.app.figures.role_colours import ROLE_COLOURS
from tamis.data.parts import KINDS, ROLES

GROUNDS = (("#fdfdfc", "#f3f4f2"), ("#14171a", "#1b2023"))
"""The light and the dark grounds of ``app/streamlit.toml``."""


def of(*parts: tuple[str, str, str], kind: str = "conversation") -> Reading:
    """Return a document of one turn a part, from (role, kind, text)."""
    read, at = [], 0
    for turn, (role, each, text) in enumerate(parts):
        read.append(ReadPart(role, each, text, turn, start=at if text else -1))
        at += len(text) + 2 if text else 0
    return Reading("\n\n".join(text for *_, text in parts if text), kind, tuple(read))


class _Seen(HTMLParser):
    """What a browser would show: the text inside each class of element."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append((tag, dict(attrs).get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((" ".join(kind for _, kind in self.open), data))

    def inside(self, kind: str) -> str:
        return "".join(text for kinds, text in self.texts if kind in kinds.split())


def shown(html: str) -> str:
    return _Seen(html).inside("tamis-text")


@given(
    st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(("text", "thinking")), st.text(min_size=1)), max_size=5)
)
def test_every_character_of_every_turn_is_shown_and_none_becomes_markup(parts: list[tuple[str, str, str]]) -> None:
    visible = [part for part in parts if part[2].strip()]
    html, left_out = conversation(of(*parts), limit=10**9)
    allowed = {"div", "span", "b", "i", "bdi", "small", "details", "summary", "mark"}
    assert _Seen(html).tags <= allowed and left_out == ""
    if not any(role in ("chosen", "rejected") for role, *_ in parts):
        assert shown(html) == "".join(text for *_, text in visible)


@pytest.mark.parametrize("kind", KINDS)
def test_html_and_markdown_of_any_kind_of_part_are_shown_as_they_stand(kind: str) -> None:
    evil = "x <img src=x onerror=alert(1)> **bold** [a](javascript:b) </div><script>1</script> \"'&amp;"
    html = reader(of(("user", kind, evil)))
    assert "<img" not in html and "<script" not in html
    assert evil in unescape(re.sub(r"</?(div|bdi|b|span|details|summary|small)\b[^>]*>", "", html))


def test_each_role_is_told_by_word_and_by_a_class_of_its_own_and_the_sources_word_beside_it() -> None:
    document = Reading("", "conversation", tuple(ReadPart(role, "text", "x", at, "GPT" if role == "assistant" else role)
                                                 for at, role in enumerate(ROLES)))  # fmt: skip
    html, _ = conversation(document, limit=100)
    for at, role in enumerate(ROLES):
        assert f'class="tamis-turn {role}" role="group" aria-label="Turn {at + 1}, {role}"' in html
    assert html.count("<small>") == 1 and "<bdi>GPT</bdi>" in html


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("theme", [0, 1])
def test_the_word_of_a_role_is_readable_on_every_ground(role: str, theme: int) -> None:
    assert set(ROLE_COLOURS) == set(ROLES)
    assert all(contrast(ROLE_COLOURS[role][theme], ground) >= 4.5 for ground in GROUNDS[theme])


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_of_a_turn_and_of_a_card_takes_the_direction_of_its_script() -> None:
    document = of(("user", "text", "שלום " * 600), ("tool", "tool_result", "[1]"), ("assistant", "thinking", "a"))
    texts = re.findall(r'<div class="tamis-text[^"]*"[^>]*>', reader(document))
    assert len(texts) == 4 and all(text.endswith(' dir="auto">') for text in texts)
    assert card(document).count('<span dir="auto">') == card(document).count('class="tamis-said')


def test_a_mark_stands_in_its_turn_and_opens_what_hides_it() -> None:
    document = of(
        ("user", "text", "mail ann"), ("assistant", "thinking", "ann it is"), ("tool", "tool_call", 'f {"to": "ann"}')
    )
    for place in [match.span() for match in re.finditer("ann", document.text)]:
        html = reader(document, [place])
        assert _Seen(html).inside("tamis-text").count("ann") == 3
        assert html.count("<mark>ann</mark>") == 1
    assert reader(document).count(" open>") == 0
    at = document.text.index("ann it")
    assert reader(document, [(at, at + 3)]).count(" open>") == 1


def test_a_long_turn_is_cut_behind_a_line_and_the_rest_opens_without_the_server() -> None:
    text = "\n".join(f"line {n} of a long answer" for n in range(400))
    html = reader(of(("assistant", "text", text)))
    head = html[: html.index("<details")]
    assert TURN_SHOWN - 400 < len(shown(head + "</div></div>")) <= TURN_SHOWN
    assert shown(html) == text and "Show all" in html
    end = (len(text) - 4, len(text))
    assert '<details class="tamis-more" open>' in reader(of(("assistant", "text", text)), [end])


def test_what_the_limit_leaves_out_is_said() -> None:
    document = of(*[("user", "text", "x" * 30)] * 500)
    html = reader(document, limit=100)
    assert "Shown: 4 of 500 turns, the first 100 of" in html
    assert shown(html) == "x" * 100
    assert "400 of 500 turns" in reader(document)


def test_both_sides_of_a_pair_stand_beside_each_other_with_the_words_that_differ_marked() -> None:
    pair = of(("user", "text", "Why?"), ("chosen", "text", "it rains today"), ("rejected", "text", "it snows today"),
              kind="preference")  # fmt: skip
    html = reader(pair)
    assert html.count('class="side"') == 2 and html.count("tamis-pair") == 1
    assert re.findall(r'<b class="tamis-differs">(.*?)</b>', html) == ["rains", "snows"]
    place = pair.text.index("snows")
    assert '<mark><b class="tamis-differs">snows</b></mark>' in reader(pair, [(place, place + 5)])


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(JSONS, max_size=3) | st.dictionaries(st.text(max_size=4), JSONS, max_size=3), st.booleans(), st.data())
def test_json_laid_out_is_the_same_json_and_marks_keep_their_characters(
    value: object, packed: bool, data: st.DataObject
) -> None:
    text = json.dumps(value, separators=(",", ":") if packed else None, ensure_ascii=False)
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    found = indented(text, [(begin, end)])
    assert found is not None
    laid, places = found
    assert json.loads(laid) == value
    quiet = re.compile(r"\s")
    marked = "".join(laid[a:b] for a, b in places)
    assert quiet.sub("", marked) == quiet.sub("", text[begin:end])


@pytest.mark.parametrize("text", ["plain", "{broken", "[1, 2", "12", '"text"', "", "[" * 100_000])
def test_what_is_no_json_object_or_list_is_not_laid_out(text: str) -> None:
    assert indented(text, []) is None


def test_plain_text_looks_as_before() -> None:
    assert reader(Reading("a <b>")) == '<div class="tamis-text" dir="auto">a &lt;b&gt;</div>'
    assert reader(Reading("abc"), [(1, 2)], kind="k") == '<div class="tamis-text k" dir="auto">a<mark>b</mark>c</div>'
    assert card(Reading("abcdef"), length=3) == '<div class="tamis-card" dir="auto">abc …</div>'
    assert line(Reading("a\n b"), length=9) == "a b"


def test_a_card_says_the_first_question_and_its_answer_and_how_much_follows() -> None:
    document = of(
        ("system", "text", "Be kind"), ("user", "text", "Why?"), ("assistant", "text", "So."), ("user", "text", "Oh")
    )
    html = card(document)
    assert _Seen(html).inside("tamis-said") == "userWhy?assistantSo."
    assert "2 more turns" in html
    assert line(document, length=80) == "user: Why?  assistant: So."


def test_marks_and_differences_may_overlap() -> None:
    assert mark_places("abcd", [(1, 3)], [(2, 4)]) == (
        'a<mark>b</mark><mark><b class="tamis-differs">c</b></mark><b class="tamis-differs">d</b>'
    )
