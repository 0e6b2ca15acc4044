"""Roles are found by name, type and values; what is never a text is never taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.data.corpus import Corpus
from tamis.data.errors import RoleError
from tamis.data.nearest import did_you_mean, nearest_names
from tamis.data.never_text import has_few_words, why_never, why_never_by_values
from tamis.data.open_corpus import open_corpus

PROSE = "Many words about rivers and the towns beside them, number {}."
LINES = [{"who": "me", "said": PROSE}, {"who": "you", "said": PROSE}]


def opened(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> Corpus:
    """Write rows as Parquet and open them."""
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    return open_corpus(tmp_path / "a.parquet", **options)


@pytest.mark.parametrize(
    "column",
    [
        "source",
        "id",
        "doc_id",
        "url",
        "page_url",
        "path",
        "sha256",
        "text_hash",
        "date",
        "created_at",
        "tools",
        "domain",
    ],
)
def test_a_column_that_is_no_text_by_its_name_is_not_taken_though_nothing_else_is_text(
    tmp_path: Path, column: str
) -> None:
    rows = [{"messages": LINES, column: f"some words about number {k}"} for k in range(5)]
    with pytest.raises(RoleError, match=rf"No column can be recognised.*{column} \(text such as .*by its name.*--text"):
        opened(tmp_path, rows)
    assert opened(tmp_path, rows, roles={"text": column}).roles.text == column


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"], "ids or hashes"),
        (["d41d8cd98f00b204e9800998ecf8427e", "9e107d9d372bb6826bd81d3542a419d6"], "ids or hashes"),
        (["https://a.example/b?c=d", "http://b.example/"], "addresses"),
        (["2024-05-01", "2024-05-01T10:11:12Z"], "dates"),
        (["src/main.c", "lib/util/list.h"], "paths"),
        (["doc-0001", "doc-0002"], "ids"),
        (["same", "same"], "one and the same"),
    ],
)
def test_values_tell_what_is_no_text(values: list[str], reason: str) -> None:
    assert reason in str(why_never("column", values))


@pytest.mark.parametrize(
    "value", ["Two words 2", "第3章では川について述べる。", "see https://a.b", "2024-05-01 was one"]
)
def test_text_is_not_mistaken_for_an_id_an_address_or_a_date(value: str) -> None:
    assert why_never("column", [value, f"{value}!"]) is None
    assert why_never_by_values([value]) is None


def test_a_named_text_column_of_one_value_gives_way_to_another(tmp_path: Path) -> None:
    rows = [{"content": "none", "body": PROSE.format(k)} for k in range(5)]
    assert opened(tmp_path, rows).roles.text == "body"
    assert opened(tmp_path, [{"text": "none", "url": f"u{k}"} for k in range(5)]).roles.text == "text"


def test_short_values_beside_a_longer_list_are_not_the_text(tmp_path: Path) -> None:
    with pytest.raises(RoleError, match=r"title .*few words, and messages is longer"):
        opened(tmp_path, [{"messages": LINES, "title": f"Chat {k} b"[:6]} for k in range(5)])


def test_an_unnamed_text_is_found_beside_ids_and_addresses(tmp_path: Path) -> None:
    rows = [{"wrote": f"a b c {k}", "ref": f"doc-{k:030d}", "at": f"http://x.example/{k:050d}"} for k in range(5)]
    assert opened(tmp_path, rows).roles.text == "wrote"


def test_scripts_without_spaces_have_words() -> None:
    assert has_few_words(["one", "two words"])
    assert not has_few_words(["川は町のそばを流れる"])
    assert not has_few_words(["แม่น้ำไหลผ่านเมือง"])


def test_the_very_name_wins_over_another_case(tmp_path: Path) -> None:
    rows = [{"Text": PROSE.format(k), "text": PROSE.format(-k), "ID": f"a{k}", "id": f"b{k}"} for k in range(3)]
    assert opened(tmp_path, rows).roles.known() == {"text": "text", "id": "id"}


def test_the_error_tells_of_each_column_why_it_is_not_the_text(tmp_path: Path) -> None:
    rows = [{"a": f"words one {k}", "b": f"words two {k}", "n": k, "url": "u"} for k in range(3)]
    with pytest.raises(RoleError) as caught:
        opened(tmp_path, rows)
    message = str(caught.value)
    assert "a (text such as 'words one 0') may be it, as may b" in message
    assert "n (int64) is not text" in message
    assert "url (text such as 'u') is not taken: it is an address by its name" in message


def test_a_wrong_name_suggests_the_nearest() -> None:
    known = ["meta_score", "n_tokens", "n_words", "source", "meta_meta_dc_title"]
    assert nearest_names("score", known)[0] == "meta_score"
    assert nearest_names("Tokens", known)[0] == "n_tokens"
    assert nearest_names("sorce", known)[0] == "source"
    assert did_you_mean("dc.title", known) == "did you mean meta_meta_dc_title?"
    assert did_you_mean("zzz", known) is None
    assert did_you_mean("", known) is None
