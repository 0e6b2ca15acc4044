"""Messages that ``datasets`` stores as JSON, since their calls differ, are conversations like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from curating import SmallCorpus
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.operators.operator import OPERATORS
from tamis.data.json_text import json_as_text, text_as_json
from tamis.data.message import message_parts
from tamis.data.open_corpus import open_corpus

datasets = pytest.importorskip("datasets")

CONVERSATIONS = [
    [
        {"role": "user", "content": "What is the weather in Oslo? Write to ann@example.org."},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {"at": 1}}}]},
        {"role": "tool", "content": "rain"},
    ],
    [
        {"role": "user", "content": "Read two pages"},
        {
            "role": "assistant",
            "content": "Here",
            "tool_calls": [{"function": {"name": "read", "arguments": {"deep": {"k": None}, "pages": ["a", 2]}}}],
        },
    ],
    [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}],
]
PARTS = [
    [{"role": "user", "content": "What is this? ann@example.org"}, {"role": "assistant", "content": 'A "cat"'}],
    [
        {"role": "user", "content": [{"type": "text", "text": "Look at this"}, {"type": "image"}]},
        {"role": "assistant", "content": "Two cats"},
    ],
]
"""Contents that are text in one conversation and a list of parts in another."""


@pytest.fixture(autouse=True)
def _offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the library's cache in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()
        yield
        datasets.enable_progress_bars()


STORED = {
    "calls": (CONVERSATIONS, lambda: datasets.List(datasets.Json())),
    "parts": (PARTS, lambda: datasets.List({"role": datasets.Value("string"), "content": datasets.Json()})),
}
"""Conversations, and the feature as which the library stores them."""


def written(folder: Path, form: str, kind: str = "calls") -> Path:
    """Write conversations as the library does that read them from JSON Lines."""
    lines, (conversations, feature) = folder / "lines.jsonl", STORED[kind]
    lines.write_text("\n".join(json.dumps({"messages": messages}) for messages in conversations))
    corpus = folder / "corpus"
    if form == "jsonl":
        corpus.mkdir()
        return lines.rename(corpus / "a.jsonl").parent
    loaded = datasets.load_dataset("json", data_files=str(lines), split="train")
    assert loaded.features["messages"] == feature()
    if form == "arrow":
        loaded.save_to_disk(str(corpus))
        return corpus
    corpus.mkdir()
    loaded.to_parquet(corpus / "a.parquet")
    return corpus


def texts(corpus: Path) -> set[str]:
    """Return the texts of the documents of a corpus."""
    opened = open_corpus(corpus)
    assert opened.shape.kind == "conversation"
    return {text for shard in opened.shards() for some in opened.texts(shard) for text in some.to_pylist()}


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_they_are_the_documents_that_json_lines_hold(tmp_path: Path, form: str, kind: str) -> None:
    for name in ("lines", form):
        (tmp_path / name).mkdir()
    found = texts(written(tmp_path / form, form, kind))
    assert found == texts(written(tmp_path / "lines", "jsonl", kind))


@pytest.mark.parametrize("kind", STORED)
def test_a_run_changes_the_texts_inside_and_nothing_else(tmp_path: Path, kind: str) -> None:
    conversations, feature = STORED[kind]
    expected = {json.dumps(each).replace("ann@example.org", "<EMAIL>") for each in conversations}
    small = SmallCorpus(tmp_path / "home", written(tmp_path, "parquet", kind), text=None)
    for form in ("parquet", "jsonl"):
        small.curate(tmp_path / form, OPERATORS.build("pii_redaction", {}), format=form)
    after = datasets.load_dataset("parquet", data_files=str(tmp_path / "parquet/curated/*.parquet"), split="train")
    assert after.features["messages"] == feature()
    assert {json.dumps(each["messages"]) for each in after} == expected
    [file] = (tmp_path / "jsonl/curated").glob("*.jsonl")
    assert {json.dumps(json.loads(line)["messages"]) for line in file.read_text().splitlines()} == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(VALUES | VALUES.map(json.dumps), max_size=5))
def test_columns_of_json_are_written_with_the_values_that_were_read(values: list[Any]) -> None:
    stored = pa.array([None if value is None else json.dumps(value) for value in values], pa.string())
    read = json_as_text(stored)
    for value, text in zip(values, read.to_pylist(), strict=True):
        assert not isinstance(value, str) or text in (value, json.dumps(value))
    after = [None if text is None else json.loads(text) for text in text_as_json(read).to_pylist()]
    assert after == values


MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.text(max_size=20) | st.none()},
    optional={"tool_calls": st.just([{"function": {"name": "f", "arguments": {"a": [1, "b"]}}}])},
)


@given(MESSAGES)
def test_a_message_as_json_has_the_parts_of_the_object(message: dict[str, Any]) -> None:
    plain = list(message_parts(message, 0, ("m", 0), "role", "content"))
    stated = list(message_parts(json.dumps(message), 0, ("m", 0), "role", "content"))
    assert [part._replace(path=()) for part in stated] == [part._replace(path=()) for part in plain]
    assert all(part.path[:3] == ("m", 0, "json()") for part in stated)
