"""The hash table agrees with Python's dict, whatever is asked of it and however often it is emptied."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.text.hash_table import add, count, filled_table, find, first_slot, mask_for, piece_hash
from tamis.analytics.text.words import word_hash

KEYS = st.integers(1, 2**64 - 1) | st.integers(1, 8)


@given(st.lists(st.lists(KEYS, max_size=40), min_size=1, max_size=5))
def test_rounds_do_not_see_each_other(rounds: list[list[int]]) -> None:
    slots = mask_for(max(len(keys) for keys in rounds)) + 1
    keys, stamps, counts = np.zeros(slots, np.uint64), np.zeros(slots, np.int32), np.zeros(slots, np.int64)
    for number, asked in enumerate(rounds, 1):
        seen: dict[int, int] = {}
        mask = mask_for(len(asked))
        for key in asked:
            slot = count(np.uint64(key), keys, stamps, counts, np.int32(number), mask)
            seen[key] = seen.get(key, 0) + 1
            assert counts[slot] == seen[key]


@given(st.lists(KEYS, max_size=40))
def test_a_key_is_new_once(asked: list[int]) -> None:
    mask = mask_for(len(asked))
    keys, stamps = np.zeros(mask + 1, np.uint64), np.zeros(mask + 1, np.int32)
    new = [add(np.uint64(key), keys, stamps, np.int32(1), mask) for key in asked]
    assert new == [key not in asked[:place] for place, key in enumerate(asked)]


@given(st.dictionaries(KEYS, st.integers(0, 2**62), min_size=1), KEYS)
def test_a_filled_table_gives_back_what_was_put_in(entries: dict[int, int], other: int) -> None:
    keys, values = filled_table(entries)
    for key in (*entries, other):
        slot = find(np.uint64(key), keys, keys)
        assert (int(values[slot]) if keys[slot] else None) == entries.get(key)


@given(st.integers(0, 10**6))
def test_a_table_is_at_most_half_full(entries: int) -> None:
    mask = mask_for(entries)
    assert mask + 1 >= 2 * entries and mask >= 15 and (mask & (mask + 1)) == 0
    assert 0 <= first_slot(np.uint64(2**64 - 1 - entries), mask) <= mask


@given(st.text(max_size=20))
def test_a_piece_hashes_as_a_word_does(text: str) -> None:
    points = np.array([ord(character) for character in text], dtype=np.int32)
    assert int(piece_hash(points, 0, len(points))) == word_hash(text)
