"""Folders of text and source code are corpora of one document a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus

FILES = {
    "readme.md": "# A readme\n\nWith words.\n",
    "src/main.py": "print('hello')\n",
    "src/__init__.py": "# a package\n",
    "src/deep/Other.JAVA": "class Other {}\r\n",
    "notes/née.txt": "Des mots français.",
}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_each_file_is_a_document_with_path_and_extension(tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path, dict(FILES)))
    rows = corpus.take(range(5)).to_pylist()
    assert rows == [
        {"text": text, "path": name, "extension": name.rpartition(".")[2].lower()}
        for name, text in sorted(FILES.items())
    ]
    assert (corpus.roles.text, corpus.files[0].format, len(corpus.files), corpus.notes) == ("text", "texts", 1, ())
    assert corpus.take([4, 1, 1])["path"].to_pylist() == ["src/main.py", "readme.md", "readme.md"]
    assert open_corpus(tmp_path / "readme.md").rows == 1
    assert open_corpus(f"{tmp_path}/**/*.py").rows == 2


def test_the_fingerprint_follows_names_and_contents_only(tmp_path: Path) -> None:
    there = [
        open_corpus(write(tmp_path / str(k), dict(files))).fingerprint
        for k, files in enumerate(
            [FILES.items(), reversed(FILES.items()), (FILES | {"src/main.py": "x = 1\n"}).items()]
        )
    ]
    moved = {name.replace("readme", "read"): text for name, text in FILES.items()}
    there.append(open_corpus(write(tmp_path / "moved", dict(moved))).fingerprint)
    assert there[0] == there[1]
    assert len(set(there)) == 3


def test_bytes_become_text_as_in_other_formats(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.txt": b"a \xff byte",
            "b.txt": b"\xef\xbb\xbfwith a mark",
            "c.txt": "größer".encode("utf-16"),
            "d.txt": b"",
            "e.ts": b"G@\0\x11" * 99,
        },
    )
    corpus = open_corpus(tmp_path)
    assert corpus.take(range(4))["text"].to_pylist() == ["a \ufffd byte", "with a mark", "größer", None]
    assert corpus.notes == (
        "1 file without any byte count as errors: they have no text (d.txt)",
        "left out: 1 file that holds bytes, not text (e.ts)",
    )


def test_a_file_above_the_limit_is_refused_by_name_or_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "small", "b.txt": "x" * ((64 << 20) + 1)})
    with pytest.raises(CorpusError, match=r"b\.txt is larger than a document may be.*64 MiB.*--skip-bad-files"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert (corpus.rows, corpus.left_out[0].file) == (1, "b.txt")


def test_a_changed_or_missing_file_is_refused_when_it_is_read(tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path, dict(FILES)))
    corpus.verify()
    write(tmp_path, {"src/main.py": "print('other')\n"})
    for read in (corpus.verify, lambda: corpus.take([4]), lambda: list(corpus.texts(corpus.shards()[0]))):
        with pytest.raises(CorpusError, match=r"src/main\.py was changed since the corpus was opened"):
            read()
    (tmp_path / "src/main.py").unlink()
    with pytest.raises(CorpusError, match=r"src/main\.py is no longer there"):
        corpus.take([4])


@pytest.mark.parametrize(
    ("beside", "kind"),
    [
        ({"a.jsonl": '{"text": "one"}\n'}, "jsonl"),
        ({"a.csv": "text,n\none,1\n"}, "csv"),
        ({"a.json": '{"text": "one"}\n{"text": "two"}\n'}, "jsonl"),
        ({"a.json": json.dumps([{"text": "one " * 99}])}, "json"),
        ({"a.json": json.dumps([{"text": "x"}])}, "texts"),
        ({"package.json": json.dumps({"name": "x" * 9_999, "files": {"a": 1}}, indent=2)}, "texts"),
        ({"broken.json": "[" * 999_999}, "json"),
        ({"image.png": b"\x89PNG"}, "texts"),
        ({".hidden.jsonl": '{"text": "one"}\n', ".github/a.md": "hidden"}, "texts"),
    ],
)
def test_data_is_read_before_text_and_text_before_descriptions(
    tmp_path: Path, beside: dict[str, str | bytes], kind: str
) -> None:
    write(tmp_path, dict(FILES) | beside)
    try:
        corpus = open_corpus(tmp_path)
    except CorpusError as error:
        assert kind == "json"
        assert "broken.json" in str(error)
        return
    assert {file.format for file in corpus.files} == {kind}
    if kind == "texts":
        assert corpus.rows == 5
    else:
        assert any("5 files of text or code beside data" in note for note in corpus.notes)


def test_many_files_are_shards_of_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.text_files.MARK_FILES", 16)
    write(tmp_path, {f"{k % 7}/{k:04d}.txt": f"Document {k} " * (k % 40) for k in range(700)})
    corpus = open_corpus(tmp_path)
    assert len(corpus._opened[0].probe.marks) > 40
    assert len(corpus.shards()) == 1
    paths = [path for b in corpus.batches(corpus.shards()[0], columns=["path"]) for path in b["path"].to_pylist()]
    assert paths == sorted(f"{k % 7}/{k:04d}.txt" for k in range(700))
    assert corpus.take([699, 350])["path"].to_pylist() == [paths[699], paths[350]]


NAMES = st.text("ab_-é.", min_size=1, max_size=6).filter(lambda name: not name.startswith("."))


@given(files=st.dictionaries(NAMES, st.text(min_size=1, max_size=80), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]) -> None:
    sound = {
        f"{name}.txt": text for name, text in files.items() if "\0" not in text and text.encode()[:3] != b"\xef\xbb\xbf"
    }
    if not sound:
        return
    corpus = open_corpus(write(tmp_path_factory.mktemp("any"), dict(sound)))
    rows = corpus.take(range(corpus.rows)).to_pylist()
    assert {row["path"]: row["text"] for row in rows} == sound
