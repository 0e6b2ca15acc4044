"""Places to highlight: inside the text, in order, and of what the signal counts."""

from __future__ import annotations

import pytest
from generated_texts import generated_texts

from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.signals.spans import merge_spans, spans

TEXTS = generated_texts(25, seed=8)
NAMES = sorted(signal.name for signal in SIGNALS)


def shown(text: str, name: str) -> list[str]:
    return [text[begin:end] for begin, end in spans(text, name)]


@pytest.mark.parametrize("name", NAMES)
def test_places_are_sorted_disjoint_and_inside(name: str) -> None:
    for text in TEXTS:
        at = -1
        for begin, end in spans(text, name):
            assert at < begin < end <= len(text)
            at = end


def test_most_signals_have_places_and_the_others_none() -> None:
    placed = [name for name in NAMES if any(spans(text, name) for text in TEXTS)]
    assert len(placed) > 80
    assert spans(TEXTS[0], "mean_word_length") == spans(TEXTS[0], "of no signal") == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("hash_word_ratio", "a # b ## c", ["#", "##"]),
        ("alpha_word_share", "word, 12 x", [",", "12"]),
        ("stop_words", "the cat and The dog", ["the", "and"]),
        ("bullet_line_share", "- one\ntwo\r\n• three", ["- one", "• three"]),
        ("ellipsis_line_share", "one...\ntwo\nthree…  ", ["one...", "three…  "]),
        ("terminal_line_share", "Closed.\nopen\n\nopen too", ["open", "open too"]),
        ("duplicate_line_share", "a\nb\na\n\na", ["a", "a"]),
        ("rw_duplicate_line_share", "a\nb\n a", ["a", " a"]),
        ("duplicate_paragraph_share", "p q\n\nr\n\np q", ["p q"]),
        ("top_2gram_share", "red car, blue car, red car", ["red car", "red car"]),
        ("duplicate_5gram_share", "a b c d e f a b c d e", ["a b c d e"]),
        ("rw_duplicate_5gram_share", "a b c d e f a b c d e", ["a b c d e", "a b c d e"]),
        ("spacy_top_2gram_share", "red car, blue car, red car", ["red car", "red car"]),
        ("pii_emails", "to a@b.org from +49 30 1234567", ["a@b.org"]),
        ("pii_findings", "to a@b.org from +49 30 1234567", ["a@b.org", "+49 30 1234567"]),
        ("url_share", "see https://a.b/c now", ["https://a.b/c"]),
        ("c4_line_share", "A good line here.\nno end here at all\nToo short.", ["no end here at all", "Too short."]),
        ("c4_curly_bracket", "if {x}", ["{"]),
        ("code_line_share", "plain words here\nx = f(a[0]);", ["x = f(a[0]);"]),
        ("mojibake", "cafÃ© olé", ["Ã©"]),
        ("control_chars", "a\x00b", ["\x00"]),
        ("short_line_share", "short\n" + "long " * 10, ["short"]),
        ("rw_removed_word_share", "3 likes\nTHIS IS LOUD\nThis stays here", ["3 likes", "THIS IS LOUD"]),
        ("longest_word", "a bcd ef", ["bcd"]),
    ],
)
def test_examples(name: str, text: str, found: list[str]) -> None:
    assert shown(text, name) == found


def test_merging_joins_what_touches() -> None:
    assert merge_spans([(5, 6), (0, 2), (2, 3), (4, 4), (5, 9)]) == [(0, 3), (5, 9)]
