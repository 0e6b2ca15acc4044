"""Training data from one call: the same content in every format, its documents, and errors before it is written."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis.analytics.facts.facts import Facts
from tamis.analytics.handover.figures import compose
from tamis.analytics.handover.prepare import PrepareOptions, prepare_bundle
from tamis.analytics.handover.prepared import Prepared
from tamis.analytics.steps.engine import Engine
from tamis.analytics.steps.ray_engine import connect
from tamis.analytics.training.trace import trace_sample
from tamis.analytics.training.writers import WRITERS
from tamis.app.cli.main import app
from tamis.app.cli.training import TrainingFormat
from tamis.data.errors import SettingError, StoreError, TamisError
from tamis.data.workspace import Workspace

FORMATS = [writer.name for writer in WRITERS]
CURATED = """
schema_version: 1
title: Grain and chaff
steps:
  - {id: long, operator: signal_range, params: {signal: n_words, min: 6}}
  - {id: once, operator: exact_dedup, params: {keep: longest}}
  - {id: mail, operator: pii_redaction, params: {kinds: [email]}}
"""
PACKED = (
    CURATED
    + """
  - {id: split, operator: split, params: {validation: 0.1, share_of: documents, together: []}}
  - {id: expand, operator: expand, params: {epochs: 2}}
  - {id: pack, operator: pack, params: {length: 128, tokenizer: bytes}}
  - {id: batches, operator: batches, params: {size: 8}}
"""
)
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "beside",
    "an",
    "old",
    "stone",
    "bridge",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a corpus of two sources, three licences and two domains, and two recipes."""
    folder = tmp_path_factory.mktemp("prepare")
    rows = []
    for number in range(300):
        length = 3 + number % 17
        text = f"{number % 250}: " + " ".join(WORDS[(number + place) % len(WORDS)] for place in range(length))
        if number % 9 == 0:
            text += f" write to anna{number % 250}@mail.org"
        source, licence = ("books", "CC-BY-4.0") if number % 3 else ("web", ("MIT", "CC0-1.0")[number % 2])
        domain = None if source == "books" else f"site{number % 4}.org"
        rows.append({"text": text, "source": source, "license": licence, "domain": domain})
    pq.write_table(pa.Table.from_pylist(rows), folder / "corpus.parquet")
    (folder / "curated.yaml").write_text(CURATED)
    (folder / "packed.yaml").write_text(PACKED)
    return folder


@pytest.fixture(scope="module")
def made(root: Path) -> dict[str, Prepared]:
    """Return the packed recipe in every format."""
    return {form: prepare(root, f"out-{form}", form) for form in FORMATS}


def prepare(
    root: Path,
    out: str,
    form: str,
    *,
    recipe: str = "packed",
    home: str = "home",
    engine: Engine | None = None,
    **options: Any,
) -> Prepared:
    chosen, workspace = PrepareOptions(format=form, **options), Workspace(root / home)
    path = root / "corpus.parquet"
    return prepare_bundle(root / f"{recipe}.yaml", path, root / out, chosen, workspace=workspace, engine=engine)


def test_every_format_holds_the_same_samples(made: dict[str, Prepared]) -> None:
    assert len({prepared.content for prepared in made.values()}) == 1
    assert len({prepared.plan for prepared in made.values()}) == 1
    first = made["jsonl.zst"]
    assert [each.split for each in first.splits] == ["train", "validation"]
    assert all(each.tokens >= each.used > 0 for each in first.splits)
    for prepared in made.values():
        prepared.check_files()
        assert [each.samples for each in prepared.splits] == [each.samples for each in first.splits]


def test_a_second_call_returns_what_is_there_and_other_options_are_refused(
    root: Path, made: dict[str, Prepared]
) -> None:
    before = (root / "out-lance/prepare.json").stat().st_mtime_ns
    again = prepare(root, "out-lance", "lance")
    assert again == made["lance"]
    assert (root / "out-lance/prepare.json").stat().st_mtime_ns == before
    with pytest.raises(StoreError, match="other training data"):
        prepare(root, "out-lance", "mds")


def test_a_cluster_makes_the_same_files_from_an_analysis_of_its_own(root: Path, made: dict[str, Prepared]) -> None:
    with connect("local") as cluster:
        by_cluster = prepare(root, "by-cluster", "mds", home="home-of-cluster", engine=cluster)
    assert by_cluster.files == made["mds"].files
    assert by_cluster.content == made["mds"].content


def test_a_trace_names_the_bytes_that_the_tokens_of_a_sample_are(root: Path, made: dict[str, Prepared]) -> None:
    texts = edited_texts(root)
    samples = pq.read_table(root / "out-jsonl.zst/shards.parquet")
    assert samples.num_rows == 2
    lines = json_lines(root / "out-jsonl.zst", "train")
    seen = 0
    for number in range(0, len(lines), 3):
        found = trace_sample(root / "out-jsonl.zst", "train/0", number)
        ids, place = lines[number]["input_ids"], 0
        assert found.number == number
        for piece, length in zip(found.pieces, lines[number]["piece_lengths"], strict=True):
            assert piece.tokens[1] - piece.tokens[0] == length
            # The end of a document is no byte.
            own = bytes(token for token in ids[place : place + length] if token < 256)
            assert own == texts[piece.document][slice(*piece.bytes)]
            place, seen = place + length, seen + 1
        for document in found.documents:
            assert document.times == {"train": 2}, "two epochs, and never in validation"
            rules = {rule.step: rule for rule in document.rules}
            assert list(rules) == ["long", "once"]
            assert float(rules["long"].value or 0) >= 6
            assert rules["long"].threshold is not None
    assert seen > 30


def edited_texts(root: Path) -> dict[str, bytes]:
    """Return the texts as the recipe's text step leaves them, from the text form of the same recipe."""
    prepare(root, "texts", "jsonl.zst", recipe="curated")
    return {row["document_id"]: row["text"].encode() for row in json_lines(root / "texts", "train")}


def json_lines(out: Path, split: str) -> list[dict[str, Any]]:
    import zstandard

    rows = []
    for path in sorted((out / split).glob("*.jsonl.zst")):
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            rows += [json.loads(line) for line in stream.read().splitlines()]
    return rows


@pytest.mark.parametrize("form", FORMATS)
def test_the_catalogue_entry_is_valid_croissant_and_its_tables_can_be_read(
    made: dict[str, Prepared], form: str
) -> None:
    folder = made[form].folder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant

        data = mlcroissant.Dataset(str(folder / "croissant.json"))
        assert not data.metadata.ctx.issues.errors
        assert data.metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
        pieces = sum(1 for _ in data.records("index_train"))
    assert pieces == pq.read_metadata(folder / "index/train.parquet").num_rows
    listed = {file.name: file.sha256 for file in made[form].files}
    entry = json.loads((folder / "croissant.json").read_bytes())
    for file in entry["distribution"]:
        assert listed[file["contentUrl"]] == file["sha256"]


def test_the_summary_of_content_has_every_section_and_names_what_is_missing(made: dict[str, Prepared]) -> None:
    text = (made["mds"].folder / "training_content_summary.md").read_text()
    heads = [line.lstrip("# ").split(". ")[0] for line in text.splitlines() if line.startswith("##")]
    assert heads[:-1] == [
        "1", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6", "3",
        "3.1", "3.2", "3.3",
    ]  # fmt: skip
    told, listed = text.split("## What is missing")
    names = [line.split(": **MISSING**")[0].removeprefix("- ") for line in told.splitlines() if "**MISSING**" in line]
    assert [line.split(" ", 2)[2] for line in listed.splitlines() if line.startswith("- ")] == names
    used = sum(each.used for each in made["mds"].splits)
    assert f"less than 1 billion tokens: {used:,} tokens by bytes" in told
    assert "| books |" in told and "CC-BY-4.0" in told
    assert "the 1 largest of 4 that the corpus names" in told and ".org |" in told
    assert "Replace email" in told.split("personal data:")[1].splitlines()[0]


def test_the_card_tells_the_hub_which_files_are_the_data(made: dict[str, Prepared]) -> None:
    card = (made["datasets"].folder / "README.md").read_text()
    assert "path: train/*.arrow" in card and "split: validation" in card
    assert "## Sources and licences" in card and "| web |" in card
    assert "configs" not in (made["mds"].folder / "README.md").read_text()


def test_figures_count_each_time_a_document_comes(made: dict[str, Prepared]) -> None:
    prepared = made["jsonl.zst"]
    rows = pa.concat_tables(
        [pq.read_table(prepared.folder / f"index/{each.split}.parquet") for each in prepared.splits]
    )
    comes = rows.group_by(["document_id", "copy", "epoch"]).aggregate([]).num_rows
    text = (prepared.folder / "training_content_summary.md").read_text()
    assert f"which come {comes:,} times" in text


def test_a_document_whose_first_bytes_are_in_no_token_counts_once_for_each_time(tmp_path: Path) -> None:
    rows = [
        {"document_id": "a", "first_token": 0, "last_token": 4, "first_byte": 2, "last_byte": 9},
        {"document_id": "a", "first_token": 4, "last_token": 6, "first_byte": 9, "last_byte": 12},
        {"document_id": "b", "first_token": 0, "last_token": 3, "first_byte": 0, "last_byte": 3},
        {"document_id": "a", "first_token": 0, "last_token": 6, "first_byte": 2, "last_byte": 12},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    facts = Facts.from_table(pa.table({"id": ["a", "b", "c"], "bytes": [12, 3, 5]}), digest="small")
    found = compose(facts, [tmp_path / "train.parquet"])
    assert (found.documents, found.times, found.bytes, found.tokens) == (2, 3, 23, 15)


@pytest.mark.parametrize(
    ("form", "recipe", "options", "message"),
    [
        ("parquet", "packed", {}, "Unknown format of training data"),
        ("megatron", "curated", {}, "megatron holds only tokens"),
        ("mds", "packed", {"shard_mb": 0}, "Size of a shard"),
        ("mds", "packed", {"shard_mb": 5000}, "Size of a shard"),
        ("mds", "none", {}, "empty|no samples|no document"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    root: Path, form: str, recipe: str, options: dict[str, int], message: str
) -> None:
    (root / "none.yaml").write_text(PACKED.replace("min: 6", "min: 600"))
    with pytest.raises(TamisError, match=message):
        prepare(root, "refused", form, recipe=recipe, **options)
    assert not [path for path in root.iterdir() if "refused" in path.name]


@pytest.mark.parametrize("form", ["litdata", "webdataset", "megatron", "lance"])
def test_a_library_that_is_missing_is_named_with_what_to_install(
    root: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, WRITERS[form].module, None)
    with pytest.raises(SettingError, match=rf"pip install 'tamis\[{WRITERS[form].extra}\]'"):
        prepare(root, "refused", form)
    assert not [path for path in root.iterdir() if "refused" in path.name]


def test_the_commands_say_what_they_do_without_a_terminal(
    root: Path, made: dict[str, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMIS_HOME", str(root / "home"))
    arguments = ["prepare", str(root / "packed.yaml"), str(root / "corpus.parquet"), "-o", str(root / "by-command")]
    done = CliRunner().invoke(app, [*arguments, "--as", "webdataset", "--license", "cc0-1.0"])
    assert done.exit_code == 0, done.output
    assert "about to write" in done.stderr and "train as webdataset" in done.stderr
    assert made["webdataset"].content in done.stdout
    assert "license: cc0-1.0" in (root / "by-command/README.md").read_text()
    traced = CliRunner().invoke(app, ["trace", str(root / "by-command"), "train/shard-00000.tar", "0"])
    assert traced.exit_code == 0, traced.output
    assert "piece 0" in traced.stdout and "Keep documents with n_words" in traced.stdout
    assert sorted(get_args(TrainingFormat)) == sorted(FORMATS)
    wrong = CliRunner().invoke(app, ["trace", str(root / "by-command"), "train/shard-00009.tar", "0"])
    assert isinstance(wrong.exception, SettingError)
    outside = CliRunner().invoke(app, ["trace", str(root / "by-command"), "train/0", "99999"])
    assert isinstance(outside.exception, SettingError)
