"""Texts given to several processes come back as the columns one process makes, in order, whatever happens to them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from tamis.analytics.signals.language import language_step
from tamis.analytics.signals.token_counter import BYTES, is_by_chunk
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps import text_processes
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.text_processes import TextFunction, TextWorkers, processes_for
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

TOKENS = TextFunction("signals.tokens", "token_columns", ("minilm-wordpiece",))
LANGUAGE = TextFunction("signals.language", "language_columns")


def batches() -> list[pa.Array]:
    """Return texts of many kinds in batches of unlike size, an empty one among them."""
    texts = [*docstrings()["text"].drop_null().to_pylist()[:40], "", " ", "日本語の文章です。", "a\x00b", "é" * 3000]
    column = pa.array(texts, pa.large_string())
    return [column.slice(0, 7), column.slice(7, 0), column.slice(7, 1), column.slice(8, 30), column.slice(38)]


def child_of_this_process() -> int:
    """Return the number of a worker."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    found = [int(child) for child in children if b"text_processes" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return found[0]


@pytest.mark.parametrize("function", [TOKENS, LANGUAGE], ids=["tokens", "language"])
def test_two_processes_make_the_columns_of_one(function: TextFunction) -> None:
    with TextWorkers(2) as workers:
        twice = [list(workers.map(function, batches())) for _ in range(2)]
    alone = list(TextWorkers(1).map(function, batches()))
    assert twice == [alone, alone]
    assert [table.num_rows for table in alone] == [len(batch) for batch in batches()]


def test_a_single_batch_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(text_processes, "Worker", refuse)
    long = pa.array(["word " * 100_000], pa.large_string())
    with TextWorkers(2) as workers:
        (table,) = workers.map(TOKENS, iter([long]))
        assert table.column("n_tokens").to_pylist() == [100_000]
        assert list(workers.map(TOKENS, [])) == []
        with pytest.raises(AssertionError, match="was started"):
            list(workers.map(TOKENS, [long, long]))


def test_a_killed_process_changes_nothing() -> None:
    with TextWorkers(1 + 1) as workers:
        before = list(workers.map(TOKENS, batches()))
        os.kill(child_of_this_process(), signal.SIGKILL)
        assert list(workers.map(TOKENS, batches())) == before


def test_what_a_worker_cannot_do_is_said_as_without_workers() -> None:
    wrong = TextFunction("signals.tokens", "token_columns", ("nonsense",))
    with TextWorkers(2) as workers, pytest.raises(SettingError, match="minilm-wordpiece"):
        list(workers.map(wrong, batches()))


def test_workers_end_with_the_block() -> None:
    with TextWorkers(2) as workers:
        list(workers.map(TOKENS, batches()))
        worker = child_of_this_process()
    assert not Path(f"/proc/{worker}").exists()


def test_artifacts_have_the_same_bytes_with_and_without_threads_and_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = pa.concat_tables([docstrings()] * 3)  # more than one batch of tokens
    corpus = open_corpus(write_corpus(tmp_path / "corpus", several))
    words = Tokenizer(WordLevel({"the": 0, "[UNK]": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    words.save(str(tmp_path / "words.json"))
    assert not is_by_chunk(str(tmp_path / "words.json"))

    def made(name: str, tokenizer: str) -> list[str]:
        steps = (language_step(), tokens_step(tokenizer))
        artifacts = analyze(corpus, Workspace(tmp_path / name), steps=steps).artifacts
        files = [path for step in ("language", "tokens") for path in sorted(artifacts[step].path.iterdir())]
        return [file_sha256(file) for file in files if file.name != "manifest.json"]

    assert processes_for(1000) == 1
    tokenizers = {"threads": BYTES, "processes": str(tmp_path / "words.json")}
    alone = {name: made(f"alone-{name}", tokenizer) for name, tokenizer in tokenizers.items()}
    monkeypatch.setattr(text_processes, "LEAST_BYTES", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert processes_for(1000) == 3
    assert {name: made(f"three-{name}", tokenizer) for name, tokenizer in tokenizers.items()} == alone
    assert all(alone.values())
