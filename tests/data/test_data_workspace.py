"""The workspace keeps assets by digest and names inside its folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import digest, digest_of_texts
from tamis.data.workspace import CorpusEntry, Workspace


def test_default_workspace_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_HOME", str(tmp_path / "home"))
    assert Workspace.default().root == tmp_path / "home"
    monkeypatch.delenv("TAMIS_HOME")
    assert Workspace.default().root == Path.home() / ".tamis"


def test_making_a_workspace_value_writes_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    assert workspace.corpora() == {}
    assert workspace.store.artifacts() == []
    assert not (tmp_path / "home").exists()


def test_id_set_has_one_digest_whatever_its_order(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    digest = workspace.put_ids(["b", "a", "ä", "b"])
    assert workspace.put_ids(iter(["ä", "a", "b"])) == digest
    assert workspace.ids(digest).to_pylist() == ["a", "b", "ä"]
    assert workspace.ids(workspace.put_ids([])).to_pylist() == []
    assert workspace.put_ids(["a"]) != digest


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.integers(0, 3))
def test_digest_of_an_array_of_texts_is_that_of_the_list(texts: list[str], start: int) -> None:
    for kind in (pa.string(), pa.large_string()):
        assert digest_of_texts(pa.array(texts, kind).slice(start)) == digest(texts[start:])


def test_id_set_may_come_as_an_array(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    texts = pa.array(["c", "\U0001f600", "b", "ｂ", "b", 'q"', "\\", "\n"])
    assert workspace.put_ids(texts) == workspace.put_ids(texts.to_pylist()) == digest(sorted(set(texts.to_pylist())))


def test_changed_asset_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, two = workspace.put_ids(["a"]), workspace.put_ids(["b"])
    workspace.asset_path(one).write_bytes(workspace.asset_path(two).read_bytes())
    with pytest.raises(StoreError, match="does not have the digest"):
        workspace.ids(one)
    table = workspace.put_table(pa.table({"x": [1]}))
    workspace.asset_path(table).write_bytes(workspace.asset_path(two).read_bytes())
    with pytest.raises(StoreError, match="damaged"):
        workspace.table(table)
    value = workspace.put_value({"a": 1})
    (workspace.assets / f"{value}.json").write_text('{"a": 2}')
    with pytest.raises(StoreError, match="damaged"):
        workspace.value(value)


def test_tables_and_values_come_back_by_digest(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    table = pa.table({"x": [1, 2]})
    digest = workspace.put_table(table)
    assert workspace.put_table(pa.concat_tables([table.slice(0, 1), table.slice(1)])) == digest
    assert workspace.table(digest).equals(table)
    assert workspace.value(workspace.put_value({"b": [1, 2.0], "a": None})) == {"a": None, "b": [1, 2]}
    assert sorted(path.suffix for path in workspace.assets.iterdir()) == [".json", ".parquet"]


def test_unknown_asset_is_named(tmp_path: Path) -> None:
    for read in (Workspace(tmp_path).ids, Workspace(tmp_path).table, Workspace(tmp_path).value):
        with pytest.raises(StoreError, match=r"no such asset in this workspace.*abc"):
            read("abc")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".", "..", "-x", "a\nb", "x" * 97, "a\x00"])
def test_names_of_assets_and_corpora_stay_inside(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path)
    for use in (workspace.asset_path, workspace.ids, workspace.value):
        with pytest.raises(SettingError, match="not allowed"):
            use(name)
    with pytest.raises(SettingError, match="not allowed"):
        workspace.remember(CorpusEntry(name, "/data"))


def test_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    (workspace.assets / "evil.parquet").symlink_to(tmp_path / "secret")
    with pytest.raises(SettingError, match="leads outside"):
        workspace.asset_path("evil")


def test_corpora_are_remembered_replaced_and_forgotten(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.remember(CorpusEntry("web", "/data/web", {"text": "body"}, "f1"))
    workspace.remember(CorpusEntry("mail", "/data/mail"))
    workspace.remember(CorpusEntry("web", "/data/web2", {}, "f2"))
    assert list(workspace.corpora()) == ["mail", "web"]
    assert workspace.corpus("web") == CorpusEntry("web", "/data/web2", {}, "f2")
    workspace.forget("web")
    with pytest.raises(SettingError, match=r"No corpus of this name.*allowed: mail"):
        workspace.corpus("web")


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"cannot be made.*TAMIS_HOME"):
        _ = Workspace(tmp_path / "file").jobs
