"""Conversations go the whole way: rendered, masked, split, written in every format that trainers of chat read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import training_loaders
from chat_corpora import conversations
from training_corpus import byte_level_tokenizer
from typer.testing import CliRunner

from tamis.analytics.handover.prepared import Prepared
from tamis.analytics.training.tokenizer import load_tokenizer
from tamis.analytics.training.trace import trace_sample
from tamis.app.cli.main import app

ROWS = conversations(60)
RECIPE = """
schema_version: 1
title: Chat
steps:
  - {{id: once, operator: exact_dedup, params: {{keep: longest}}}}
  - {{id: mail, operator: pii_redaction, params: {{kinds: [email]}}}}
  - {{id: split, operator: split, params: {{validation: 0.1, share_of: documents, together: []}}}}
  - {{id: pack, operator: pack, params: {{length: 512, tokenizer: {tokenizer}}}}}
"""
FORMATS = ("datasets", "jsonl.zst", "mds", "webdataset")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    lines = [json.dumps(row, ensure_ascii=False) for row in ROWS]
    (folder / "chat.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "tokenizer").mkdir()
    (folder / "recipe.yaml").write_text(RECIPE.format(tokenizer=byte_level_tokenizer(folder / "tokenizer")))
    return folder


@pytest.fixture(scope="module")
def made(root: Path) -> dict[str, Prepared]:
    """Prepare the conversations in every format from the command line."""
    found = {}
    for form in FORMATS:
        command = [
            "prepare",
            root / "recipe.yaml",
            root / "chat.jsonl",
            "-o",
            root / form,
            "--as",
            form,
            "--skip-bad-lines",
        ]
        result = CliRunner().invoke(app, list(map(str, command)), env={"TAMIS_HOME": str(root / "home")})
        assert result.exit_code == 0, result.output
        found[form] = Prepared.open(root / form)
    return found


def samples_of(root: Path, form: str, split: str) -> list[training_loaders.Sample]:
    """Return the samples of a split as the first reader of the format's own library gives them."""
    reader = next(iter(training_loaders.READERS[form].values()))
    return list(reader(root / form, split))


def test_every_library_reads_the_same_masked_sequences(root: Path, made: dict[str, Prepared]) -> None:
    assert len({prepared.content for prepared in made.values()}) == 1
    for split in ("train", "validation"):
        digests = {
            form: [training_loaders.digest_of(each) for each in samples_of(root, form, split)] for form in FORMATS
        }
        first = digests["datasets"]
        assert first and all(found == first for found in digests.values())


def test_loss_lies_on_the_answers_alone_and_no_address_is_left(root: Path, made: dict[str, Prepared]) -> None:
    library = load_tokenizer(str(next((root / "tokenizer").iterdir())))._library  # type: ignore[attr-defined]
    said, other = [], []
    for split in ("train", "validation"):
        for sample in samples_of(root, "webdataset", split):
            ids, mask = np.asarray(sample["input_ids"]), np.asarray(sample["loss_mask"], bool)
            assert len(ids) == len(mask) <= 512
            said.append(library.decode(ids[mask].tolist(), skip_special_tokens=False))
            other.append(library.decode(ids[~mask].tolist(), skip_special_tokens=False))
    answers = sum(text.count("<|im_end|>") for text in said)
    assert answers > 50
    assert not any("<|im_start|>" in text for text in said)
    assert sum(text.count("<|im_start|>assistant\n") for text in other) == answers
    assert any("<EMAIL>" in text for text in other)
    assert not any("@" in text for text in (*said, *other))


def test_a_sample_is_traced_to_conversations_of_the_corpus_by_their_ids(root: Path, made: dict[str, Prepared]) -> None:
    traced = trace_sample(root / "webdataset", "train/shard-00000.tar", 0)
    assert {piece.document for piece in traced.pieces} <= {row["id"] for row in ROWS if "id" in row}
    assert {rule.step for document in traced.documents for rule in document.rules} == {"once"}
