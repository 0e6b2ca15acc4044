"""Personal data is found where it is, and ordinary numbers are left alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.analytics.signals.pii import KINDS, find_pii, luhn, pii_counts
from tamis.analytics.text.block import Block

FOUND = [
    ("email", "write to jane.doe+x@mail.example.org, please", "jane.doe+x@mail.example.org"),
    ("email", "<a@b.io>", "a@b.io"),
    ("ip", "from 8.8.8.8 today", "8.8.8.8"),
    ("ip", "(203.0.112.7).", "203.0.112.7"),
    ("ip", "at 2001:4860:4860::8888 now", "2001:4860:4860::8888"),
    ("phone", "call +49 (0)30 1234567 now", "+49 (0)30 1234567"),
    ("phone", "call (212) 555-0123", "(212) 555-0123"),
    ("phone", "call 212-555-0123.", "212-555-0123"),
    ("card", "card 4111 1111 1111 1111 expires", "4111 1111 1111 1111"),
    ("card", "5500-0000-0000-0004", "5500-0000-0000-0004"),
    ("secret", "key AKIA" + "ABCDEFGHIJKLMNOP ", "AKIA" + "ABCDEFGHIJKLMNOP"),
    ("secret", "ghp_" + "a1B2" * 9 + "!", "ghp_" + "a1B2" * 9),
    ("secret", 'password = "hunter2hunter2"', "hunter2hunter2"),
    ("secret", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"),
]
NOTHING = [
    "version 1.2.3 of 2024-01-02 at 12:30:45",
    "10.0.0.1 and 192.168.1.1 and 127.0.0.1 are private",
    "4111 1111 1111 1112 has a wrong check digit",
    "0000 0000 0000 0000",
    "@decorator and user@localhost",
    "std::vector::iterator a::b",
    "ISBN 978-3-16-148410-0, 1,234,567,890",
    "the secret of the password is patience",
    "3.14159265358979",
]


@pytest.mark.parametrize(("kind", "text", "found"), FOUND)
def test_personal_data_is_found_with_its_place(kind: str, text: str, found: str) -> None:
    (finding,) = find_pii(text)
    assert (finding.kind, text[finding.begin : finding.end]) == (kind, found)


@pytest.mark.parametrize("text", NOTHING)
def test_ordinary_text_holds_nothing(text: str) -> None:
    assert find_pii(text) == []


def test_a_check_digit_is_checked() -> None:
    assert luhn([7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3])
    assert not luhn([7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 0])


pieces = st.sampled_from([text for _, text, _ in FOUND] + NOTHING + [" ", "\n", "é", "😀", "1", ":", ".", "@", "sk-"])


@given(st.lists(st.lists(pieces, max_size=6).map("".join), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_the_quick_look_misses_nothing(texts: list[str]) -> None:
    counted = pii_counts(Block.of(pa.array(texts)))
    for text, counts in zip(texts, counted, strict=True):
        findings = find_pii(text)
        assert [sum(f.kind == kind for f in findings) for kind in KINDS] == counts[:-1].tolist()
        assert all(a.end <= b.begin for a, b in pairwise(findings))


def test_hostile_text_does_not_take_long() -> None:
    texts = [
        "@" * 100_000,
        "1 " * 100_000,
        "a@" * 50_000,
        "1.1.1." * 30_000,
        "::" * 50_000,
        "+1" * 50_000,
        "eyJ" * 50_000,
    ]
    counts = pii_counts(Block.of(pa.array(texts)))
    assert np.isfinite(counts).all()
