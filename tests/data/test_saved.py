"""What people save under a name is kept with its time; names become allowed ones; nothing is overwritten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.data.errors import SettingError, StoreError
from tamis.data.names import check_name, near_name
from tamis.data.saved import FOLDER, list_saved, remove_saved, save_entry
from tamis.data.workspace import Workspace

MONDAY, TUESDAY = "2026-01-05T09:00:00+00:00", "2026-01-06T09:00:00+00:00"


def test_saves_of_one_name_are_all_kept_the_latest_first(workspace: Workspace) -> None:
    for at, steps in ((MONDAY, 1), (TUESDAY, 2)):
        save_entry(workspace, "recipe", "weekly", {"steps": steps}, who="Ann", at=at)
    save_entry(workspace, "view", "weekly", {"view": 1}, who="", at=MONDAY, corpus="web")
    found = list_saved(workspace, "recipe")
    assert [(entry.at, workspace.value(entry.content)) for entry in found] == [
        (TUESDAY, {"steps": 2}),
        (MONDAY, {"steps": 1}),
    ]
    assert [entry.corpus for entry in list_saved(workspace, "view")] == ["web"]


def test_the_same_save_twice_is_one_entry(workspace: Workspace) -> None:
    first, second = (save_entry(workspace, "recipe", "a", {}, who="", at=MONDAY) for _ in range(2))
    assert first == second and len(list_saved(workspace, "recipe")) == 1


def test_a_removed_entry_is_gone_and_the_others_stay(workspace: Workspace) -> None:
    kept, gone = (save_entry(workspace, "recipe", "a", {}, who="", at=at) for at in (MONDAY, TUESDAY))
    remove_saved(workspace, gone)
    assert list_saved(workspace, "recipe") == (kept,)
    with pytest.raises(SettingError, match="no such saved entry"):
        remove_saved(workspace, gone)


def test_a_damaged_file_is_named(workspace: Workspace) -> None:
    save_entry(workspace, "recipe", "a", {}, who="", at=MONDAY)
    (workspace.root / FOLDER / "odd.json").write_text("[]", "utf-8")
    with pytest.raises(StoreError, match="odd"):
        list_saved(workspace, "recipe")


@pytest.mark.parametrize(
    ("typed", "name"),
    [("my target", "my-target"), ("Größe (neu)", "Gro-e-neu"), ("a/b\\c", "a-b-c"), ("  web 2.0 ", "web-2.0")],
)
def test_a_name_with_spaces_becomes_the_nearest_allowed_one(typed: str, name: str) -> None:
    assert near_name(typed) == name


@given(st.text())
def test_every_name_is_allowed_stays_as_it_is_or_is_refused(typed: str) -> None:
    try:
        name = near_name(typed)
    except SettingError:
        assert not any(mark.isascii() and mark.isalnum() for mark in typed)
        return
    assert check_name(name) == name == near_name(name)
