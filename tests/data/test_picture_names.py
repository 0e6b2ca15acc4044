"""Names of picture files in a folder: given once on every system, and true about their content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from picture_corpora import KINDS, draw

from tamis.data.picture_names import FileNames, picture_suffix, safe_name

PARTS = st.text(max_size=200)


@given(st.lists(st.tuples(PARTS, PARTS, st.sampled_from([".png", ".jpg"])), max_size=30))
def test_no_two_names_are_alike_where_capitals_are_not_told_apart(wishes: list[tuple[str, str, str]]) -> None:
    names = FileNames()
    given_names = [names.give(safe_name(label), safe_name(stem) or "x", suffix) for label, stem, suffix in wishes]
    assert len({name.casefold() for name in given_names}) == len(wishes)
    again = FileNames()
    assert [again.give(safe_name(label), safe_name(stem) or "x", end) for label, stem, end in wishes] == given_names


@given(PARTS)
def test_a_safe_name_is_one_visible_part_of_a_path_and_stays_as_it_is(text: str) -> None:
    name = safe_name(text)
    assert not set(name) & set('<>:"/\\|?*\0\n')
    assert len(name.encode()) <= 121
    assert name == "" or (name[0] not in "._ " and name[-1] not in ". ")
    assert safe_name(name) == name
    assert name.lower() not in ("con", "nul", "aux", "com1")


def test_the_end_of_a_name_says_what_the_bytes_are() -> None:
    for number, (_, suffix) in enumerate(KINDS):
        raw = draw(number)[:32]
        assert picture_suffix(raw) == suffix
        assert picture_suffix(raw, "a.dat") == suffix
        assert picture_suffix(raw, "a.avif") == suffix
    assert picture_suffix(draw(1)[:32], "A.JPEG") == ".jpeg"
    assert picture_suffix(b"something else", "a.xyz") == ".xyz"
