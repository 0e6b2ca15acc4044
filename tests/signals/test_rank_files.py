"""Vocabularies of tiktoken count as the library does, from a file or from its cache, and are refused by name."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from vocabularies import TEXTS, trained, write_ranks

from tamis.analytics.signals.rank_file import ENCODINGS, rank_path
from tamis.analytics.signals.token_counter import count, is_by_chunk, tokenizer_path
from tamis.analytics.signals.tokens import count_tokens, tokens_step
from tamis.data.errors import SettingError

tiktoken = pytest.importorskip("tiktoken")
KINDS = {"r50k_base": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


@cache
def file_of(name: str) -> Path:
    """Return a small vocabulary of an encoding."""
    path = Path(mkdtemp()) / f"{name}-small.tiktoken"
    write_ranks(trained(KINDS[name] if name != "r50k_base" else "plain"), path)
    return path


@cache
def encoding(name: str) -> Any:
    """Return the library's own encoding of the vocabulary."""
    rows = (line.split() for line in file_of(name).read_bytes().splitlines())
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in rows}
    return tiktoken.Encoding(name, pat_str=library_pattern(name), mergeable_ranks=ranks, special_tokens={})


def library_pattern(name: str) -> str:
    """Return the regular expression that the library has for an encoding, without its vocabulary."""
    from tiktoken_ext import openai_public

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
        return str(openai_public.ENCODING_CONSTRUCTORS[name]()["pat_str"])


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_regular_expressions_are_those_of_the_library(name: str) -> None:
    assert ENCODINGS[name][1] == library_pattern(name)


@pytest.mark.parametrize("name", KINDS)
@given(texts=TEXTS)
def test_counts_are_those_of_the_library(name: str, texts: list[str]) -> None:
    found = count(pa.array(texts, pa.large_string()), str(file_of(name)))
    assert found.known.tolist() == [len(encoding(name).encode_ordinary(text)) for text in texts]
    assert not found.unknown.any()


@pytest.mark.parametrize("name", KINDS)
def test_every_character_between_letters_spaces_and_line_feeds_parts_as_in_the_library(name: str) -> None:
    points = [point for point in range(1, 0x3100) if not 0xD800 <= point < 0xE000]
    texts = [
        f"a{chr(point)} b{chr(point)}\n{chr(point)}c{chr(point)}.{chr(point)}'s 1{chr(point)}2" for point in points
    ]
    expected = [len(encoding(name).encode_ordinary(text)) for text in texts]
    assert count_tokens(pa.array(texts), str(file_of(name))).tolist() == expected
    assert is_by_chunk(str(file_of(name)))


@pytest.mark.parametrize("name", KINDS)
def test_a_million_characters_of_white_space_are_counted(name: str) -> None:
    # The library itself ends the program with these.
    counts = count_tokens(pa.array([" " * 1_020_000 + "x", "\n" * 1_020_000 + "x"]), str(file_of(name)))
    assert (counts > 30_000).all()


def test_a_name_stands_for_the_file_in_the_library_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    with pytest.raises(SettingError, match="not in the cache of tiktoken"):
        tokenizer_path("cl100k_base")
    asked: list[str] = []
    monkeypatch.setattr(
        tiktoken.load, "read_file", lambda path: asked.append(path) or file_of("cl100k_base").read_bytes()
    )
    tiktoken.load.load_tiktoken_bpe("https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken")
    path = rank_path("cl100k_base")
    assert path is not None
    assert (path.parent, len(asked)) == (tmp_path, 1)
    texts = pa.array(["The quick brown fox doesn't jump.", "中文\n\n x"])
    assert count_tokens(texts, "cl100k_base").tolist() == count_tokens(texts, str(file_of("cl100k_base"))).tolist()
    assert tokens_step("cl100k_base").params["sha256"] == tokens_step(str(file_of("cl100k_base"))).params["sha256"]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    bytes_alone = [b"%s %d" % (base64.b64encode(bytes([byte])), byte) for byte in range(256)]
    wrong = {
        "mine.tiktoken": (bytes_alone, "does not tell how texts are parted"),
        "cl100k_base.tiktoken": ([b"no ranks"], "cannot be read"),
        "cl100k_base-a.tiktoken": (bytes_alone[:-1], "not whole"),
        "cl100k_base-b.tiktoken": ([*bytes_alone, b"YWI= 7"], "not whole"),
    }
    for name, (rows, message) in wrong.items():
        (tmp_path / name).write_bytes(b"\n".join(rows))
        with pytest.raises(SettingError, match=message):
            count_tokens(pa.array(["x"]), str(tmp_path / name))
    (tmp_path / "o200k_base.tiktoken").write_bytes(b"\n".join(bytes_alone))
    assert count_tokens(pa.array(["abc é"]), str(tmp_path / "o200k_base.tiktoken")).tolist() == [6]
