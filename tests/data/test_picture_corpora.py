"""Folders, tables and tars of pictures are corpora: found by themselves, read in place, never fetched."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_corpus import encoded, scene, write_files

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, PictureError, RoleError
from tamis.data.open_corpus import open_corpus
from tamis.data.picture_source import read_batches

RED, BLUE, GREEN = (encoded(scene(k), "PNG") for k in (1, 2, 3))
ANIMALS = {"cats/a.png": RED, "cats/b.png": BLUE, "dogs/c.png": GREEN}


def rows_of(corpus: Corpus) -> list[dict[str, Any]]:
    return [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]


def pictures_of(corpus: Corpus) -> list[bytes | str]:
    """Return the encoded pictures in source order, or why there are none."""
    return [
        each.what if isinstance(each, PictureError) else each
        for shard in corpus.shards()
        for batch in read_batches(corpus, shard)
        for each in batch.pictures
    ]


def captions_of(corpus: Corpus) -> list[str | None]:
    return [text for shard in corpus.shards() for texts in corpus.texts(shard) for text in texts.to_pylist()]


def table_of(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_each_picture_file_is_a_document_with_its_folder_as_label(tmp_path: Path) -> None:
    corpus = open_corpus(write_files(tmp_path, ANIMALS | {"README.md": b"of the folder"}))
    assert corpus.roles.text == 'image:{"image":"image"}'
    assert corpus.roles.label == "label"
    assert rows_of(corpus) == [
        {"image": name, "path": name, "extension": "png", "label": name.partition("/")[0]} for name in sorted(ANIMALS)
    ]
    assert pictures_of(corpus) == [RED, BLUE, GREEN]
    assert captions_of(corpus) == ["", "", ""]
    assert corpus.take([2, 0])["path"].to_pylist() == ["dogs/c.png", "cats/a.png"]
    assert (open_corpus(tmp_path / "cats" / "a.png").rows, open_corpus(f"{tmp_path}/**/*.png").rows) == (1, 3)


def test_names_and_contents_make_the_fingerprint(tmp_path: Path) -> None:
    one = open_corpus(write_files(tmp_path / "one", ANIMALS))
    same = open_corpus(write_files(tmp_path / "two", dict(reversed(ANIMALS.items()))))
    other = open_corpus(write_files(tmp_path / "three", ANIMALS | {"cats/a.png": GREEN}))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    (tmp_path / "two" / "cats" / "a.png").write_bytes(GREEN)
    with pytest.raises(CorpusError, match=r"cats/a\.png was changed"):
        pictures_of(same)


def test_folders_of_splits_are_no_labels(tmp_path: Path) -> None:
    corpus = open_corpus(
        write_files(tmp_path, {"train/cat/a.png": RED, "train/dog/b.png": BLUE, "test/cat/a.png": RED})
    )
    found = {(row["split"], row["label"]) for row in rows_of(corpus)}
    assert found == {("train", "cat"), ("train", "dog"), ("test", "cat")}
    flat = open_corpus(write_files(tmp_path / "flat", {"images/a.png": RED, "images/b.png": BLUE}))
    assert flat.schema.names == ["extension", "image", "path"]


LINES = [
    {"file_name": "cats/b.png", "caption": "a blue one", "score": 3},
    {"file_name": "cats/none.png", "caption": "nothing", "score": 4},
    {"file_name": "./dogs/c.png", "caption": "a green one", "score": 5},
]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_metadata_beside_pictures_are_their_columns(tmp_path: Path, name: str) -> None:
    if name.endswith("csv"):
        rows = [",".join(LINES[0]), *(",".join(map(str, line.values())) for line in LINES)]
        text = "\n".join(rows)
    else:
        text = "\n".join(map(json.dumps, LINES))
    corpus = open_corpus(write_files(tmp_path, ANIMALS | {name: text.encode()}))
    assert corpus.roles.text == 'image:{"caption":"caption","image":"image"}'
    assert captions_of(corpus) == ["", "a blue one", "a green one"]
    assert [row["score"] for row in rows_of(corpus)] == [None, 3, 5]
    assert [row["label"] for row in rows_of(corpus)] == ["cats", "cats", "dogs"]
    assert corpus.notes == (f"{name} names 1 picture without a file",)


def test_metadata_that_name_no_or_one_picture_twice_are_refused(tmp_path: Path) -> None:
    write_files(tmp_path, ANIMALS | {"metadata.jsonl": b'{"name": "cats/a.png"}'})
    with pytest.raises(CorpusError, match="file_name"):
        open_corpus(tmp_path)
    (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps(LINES[0]) for _ in range(2)))
    with pytest.raises(CorpusError, match=r"Two lines describe one picture: got 'cats/b\.png"):
        open_corpus(tmp_path)


def test_files_of_coco_that_describe_the_same_pictures_are_joined(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "c.png"}]
    captions = {"images": images, "annotations": [{"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two"}]}
    instances = {
        "images": [*images, {"id": 9, "file_name": "gone.png"}], "categories": [{"id": 1, "name": "bird"}],
        "annotations": [{"image_id": 8, "category_id": 1}, {"image_id": 9, "category_id": 1}],
    }  # fmt: skip
    files = {"train2017/a.png": RED, "train2017/c.png": GREEN}
    files |= {
        f"annotations/{name}_train2017.json": json.dumps(told).encode()
        for name, told in (("captions", captions), ("instances", instances))
    }
    corpus = open_corpus(write_files(tmp_path, files))
    assert captions_of(corpus) == ["one\ntwo", ""]
    assert [(row["label"], row["categories"]) for row in rows_of(corpus)] == [(None, None), ("bird", "bird")]
    named = "annotations/captions_train2017.json, annotations/instances_train2017.json"
    assert corpus.notes == (f"{named} names 1 picture without a file",)


def test_captions_of_drawings_that_are_not_read_are_no_texts(tmp_path: Path) -> None:
    drawings = {f"{k}.{end}": b"a drawing" for k in range(9) for end in ("svg", "txt")}
    corpus = open_corpus(write_files(tmp_path, ANIMALS | drawings | {"cats/a.txt": b"a cat"}))
    assert pictures_of(corpus) == [RED, BLUE, GREEN] and captions_of(corpus) == ["a cat", "", ""]


def test_later_rows_that_name_files_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    write_files(tmp_path, {"pics/c.png": GREEN})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    held = [{"bytes": RED, "path": "x.png"}] * 1100 + [{"bytes": None, "path": "pics/c.png"}]
    table_of(tmp_path / "data.parquet", image=pa.array(held, kind))
    before = open_corpus(tmp_path / "data.parquet")
    assert pictures_of(before)[-1] == GREEN
    (tmp_path / "pics" / "c.png").write_bytes(BLUE)
    after = open_corpus(tmp_path / "data.parquet")
    assert pictures_of(after)[-1] == BLUE and after.fingerprint != before.fingerprint


def test_coco_gives_captions_categories_and_the_only_category_as_label(tmp_path: Path) -> None:
    told = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "c.png"}],
        "annotations": [
            {"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two"}, {"image_id": 9, "caption": "lost"},
            {"image_id": 8, "category_id": 1}, {"image_id": 8, "category_id": 1}, {"image_id": 7, "category_id": 2},
            {"image_id": 7, "category_id": 1},
        ],
        "categories": [{"id": 1, "name": "bird"}, {"id": 2, "name": "bus"}],
    }  # fmt: skip
    files = {"val/a.png": RED, "val/b.png": BLUE, "val/c.png": GREEN, "annotations/all.json": json.dumps(told).encode()}
    corpus = open_corpus(write_files(tmp_path, files))
    assert captions_of(corpus) == ["one\ntwo", "", ""]
    assert [(row["categories"], row["label"]) for row in rows_of(corpus)] == [
        ("bird, bus", None), (None, None), ("bird", "bird"),
    ]  # fmt: skip
    (tmp_path / "annotations" / "all.json").write_text('{"images": [{"id": 1}]}')
    with pytest.raises(CorpusError, match=r"annotations/all\.json is not COCO-like JSON"):
        open_corpus(tmp_path)


def test_a_text_file_of_the_same_name_is_the_caption(tmp_path: Path) -> None:
    corpus = open_corpus(write_files(tmp_path, ANIMALS | {"cats/a.txt": b" red \n", "dogs/c.txt": "grün".encode()}))
    assert captions_of(corpus) == ["red", "", "grün"]


def test_texts_and_pictures_together_are_refused_with_both_counts(tmp_path: Path) -> None:
    texts = {f"docs/{k}.md": b"# words" for k in range(3)}
    with pytest.raises(CorpusError, match=r"The folder holds 3 texts and 3 pictures: a corpus is one or the other"):
        open_corpus(write_files(tmp_path / "both", ANIMALS | texts))
    many = {f"src/{k}.py": b"x = 1" for k in range(10)} | {"logo.png": RED}
    code = open_corpus(write_files(tmp_path / "code", many))
    assert (code.files[0].format, code.rows) == ("texts", 10)
    assert any("1 file of pictures beside data or text" in note for note in code.notes)


def test_a_link_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"secret.png": GREEN})
    folder = write_files(tmp_path / "in", {"a.png": RED})
    (folder / "b.png").symlink_to(folder / "a.png")
    (folder / "c.png").symlink_to(outside / "secret.png")
    corpus = open_corpus(folder)
    assert pictures_of(corpus) == [RED, RED]
    assert any("leads out of the folder" in note for note in corpus.notes)


def test_bytes_and_paths_of_a_table_are_pictures(tmp_path: Path) -> None:
    write_files(tmp_path, {"pics/c.png": GREEN})
    held = [{"bytes": RED, "path": "x.png"}, {"bytes": None, "path": "pics/c.png"}, {"bytes": None, "path": None}, None]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path = table_of(tmp_path / "data.parquet", image=pa.array(held, kind), text=["one", None, "three", "four"])
    corpus = open_corpus(path)
    assert corpus.roles.text == 'image:{"caption":"text","image":"image"}'
    assert pictures_of(corpus) == [RED, GREEN, "the row has no picture", "the row has no picture"]
    assert captions_of(corpus) == ["one", "", "three", "four"]
    plain = open_corpus(table_of(tmp_path / "plain.parquet", jpg=pa.array([RED, None], pa.binary()), name=["a", "b"]))
    assert pictures_of(plain) == [RED, "the row has no picture"]


def test_paths_lead_to_files_inside_the_folder_only(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "corpus", {"pics/a.png": RED, "part/pics/b.png": BLUE})
    write_files(tmp_path, {"secret.png": GREEN})
    (folder / "pics" / "link.png").symlink_to(tmp_path / "secret.png")
    names = ["pics/a.png", "pics/b.png", "../secret.png", str(tmp_path / "secret.png"), "pics/link.png", "gone.png",
             "https://example.com/a.png", "data:image/png;base64,AAAA", None]  # fmt: skip
    table_of(folder / "part" / "data.parquet", image=names, caption=[str(k) for k in range(len(names))])
    outside, address = "its picture lies outside the folder of the corpus", "its picture is an address"
    corpus = open_corpus(folder)
    found = pictures_of(corpus)
    assert found[:2] == [RED, BLUE]
    assert found[2:6] == [outside, outside, outside, "the file of its picture is missing"]
    assert all(str(each).startswith(address) for each in found[6:8])
    assert found[8] == "the row has no picture"
    before = corpus.fingerprint
    assert open_corpus(folder).fingerprint == before
    (folder / "pics" / "a.png").write_bytes(GREEN)
    assert open_corpus(folder).fingerprint != before


def test_a_column_of_addresses_is_refused_and_a_table_with_one_stays_text(tmp_path: Path) -> None:
    path = table_of(
        tmp_path / "a.parquet",
        image=["https://example.com/a.jpg"] * 3,
        caption=["some words", "more words", "and others"],
    )
    assert open_corpus(path).roles.text == "caption"
    with pytest.raises(RoleError, match="nothing is fetched from the network"):
        open_corpus(path, roles={"text": "image:"})
    with pytest.raises(RoleError, match="holds no pictures"):
        open_corpus(table_of(tmp_path / "b.parquet", n=[1, 2], text=["a", "b"]), roles={"text": 'image:{"image":"n"}'})


def test_a_tar_of_pictures_is_read_member_by_member(tmp_path: Path) -> None:
    members = {
        "a.jpg": RED,
        "a.txt": b"red",
        "a.json": b'{"w": 1}',
        "b.png": BLUE,
        "b.txt": b"blue",
        "b.mask.png": GREEN,
    }
    with tarfile.open(tmp_path / "shard-0.tar", "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    corpus = open_corpus(tmp_path)
    assert corpus.roles.text == 'image:{"caption":"txt","image":"image"}'
    assert (pictures_of(corpus), captions_of(corpus)) == ([RED, BLUE], ["red", "blue"])
    assert corpus.take([1])["mask.png"].to_pylist() == [GREEN]
    assert [row["json"] for row in rows_of(corpus)] == [{"w": 1}, None]


def test_a_label_file_and_a_caption_in_json_of_a_tar_are_found(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard-0.tar", "w") as tar:
        for key, raw in (("n01/a", RED), ("n02/b", BLUE)):
            for end, content in (
                (".jpg", raw), (".cls", key[:3].encode()), (".json", json.dumps({"caption": f"of {key}"}).encode()),
            ):  # fmt: skip
                info = tarfile.TarInfo(key + end)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    corpus = open_corpus(tmp_path)
    assert (corpus.roles.label, corpus.shape.columns["caption"]) == ("cls", "json.caption")
    assert captions_of(corpus) == ["of n01/a", "of n02/b"] and pictures_of(corpus) == [RED, BLUE]


def test_batches_of_pictures_hold_few_bytes(tmp_path: Path) -> None:
    corpus = open_corpus(write_files(tmp_path, ANIMALS))
    (shard,) = corpus.shards()
    sizes = [len(batch.pictures) for batch in read_batches(corpus, shard, max_bytes=len(RED) + len(BLUE))]
    assert sizes == [2, 1]
    held = list(corpus.picture_batches(shard, columns=["path"], max_rows=1))
    assert [pictures.to_pylist() for pictures, _ in held] == [[RED], [BLUE], [GREEN]]
    assert [rows.column("path").to_pylist() for _, rows in held] == [[name] for name in sorted(ANIMALS)]
