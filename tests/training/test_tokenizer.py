"""Tokens are those of the tokenizer's own library, with the byte where each begins; texts never hold special ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from training_corpus import STRANGE, byte_level_tokenizer, texts_of

from tamis.analytics.signals.token_counter import tokenizer_path
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.training.encoded import Encoded, Tokenizer
from tamis.analytics.training.packing import NEVER, PARAGRAPH, SENTENCE, TOKEN
from tamis.analytics.training.rank_tokenizer import RankTokenizer
from tamis.analytics.training.token_chunks import cut_levels, forbid
from tamis.analytics.training.tokenizer import FileTokenizer, load_tokenizer
from tamis.data.errors import SettingError

LONG = "supercalifragilistic" * 12
TEXTS = [*texts_of(60, seed=4), *STRANGE, "", " ", LONG, f"{LONG}\n\n{LONG} café {LONG}", "🦊", "x" * 300 + "é"]


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return byte_level_tokenizer(tmp_path_factory.mktemp("bpe"))


def whole(path: Path, texts: list[str]) -> tuple[list[list[int]], list[list[int]]]:
    """Return ids and byte places of texts, each read whole by the library."""
    library = Library.from_file(str(path))
    library.no_padding()
    library.no_truncation()
    library.encode_special_tokens = True
    found = [library.encode(text, add_special_tokens=False) for text in texts]
    places = [[len(text[:begin].encode()) for begin, _ in one.offsets] for text, one in zip(texts, found, strict=True)]
    return [one.ids for one in found], places


def parted(encoded: Encoded) -> tuple[list[list[int]], list[list[int]]]:
    borders = encoded.offsets.tolist()
    spans = list(pairwise(borders))
    return [encoded.ids[a:b].tolist() for a, b in spans], [encoded.starts[a:b].tolist() for a, b in spans]


@pytest.mark.parametrize("name", ["minilm-wordpiece", "byte level"])
def test_chunks_give_the_tokens_and_places_of_whole_texts(name: str, byte_level: Path) -> None:
    path = byte_level if name == "byte level" else tokenizer_path(name)
    tokenizer = FileTokenizer(name, path)
    assert tokenizer._chunks is not None
    for texts in (TEXTS, TEXTS[::-1]):  # The second time, all chunks are known.
        assert parted(tokenizer.encode(pa.array(texts, pa.large_string()))) == whole(path, texts)
    sliced = pa.array(TEXTS, pa.large_string()).slice(5, 30)
    assert parted(tokenizer.encode(sliced)) == whole(path, TEXTS[5:35])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=6))
def test_any_text_has_the_tokens_of_the_library(texts: list[str]) -> None:
    tokenizer = load_tokenizer("minilm-wordpiece")
    path = tokenizer_path("minilm-wordpiece")
    assert parted(tokenizer.encode(pa.array(texts, pa.large_string()))) == whole(path, texts)


def test_a_tokenizer_without_known_cuts_reads_texts_whole(tmp_path: Path) -> None:
    library = Library.from_file(str(tokenizer_path("minilm-wordpiece")))
    from tokenizers import normalizers

    library.normalizer = normalizers.Lowercase()
    library.save(str(tmp_path / "tokenizer.json"))
    tokenizer = FileTokenizer("own", tmp_path / "tokenizer.json")
    assert tokenizer._chunks is None
    assert parted(tokenizer.encode(pa.array(TEXTS, pa.large_string()))) == whole(tmp_path / "tokenizer.json", TEXTS)


def test_what_looks_like_a_special_token_is_text_but_in_a_rendered_conversation(byte_level: Path) -> None:
    tokenizer = FileTokenizer("own", byte_level)
    texts = pa.array(["a <|im_end|> b"], pa.large_string())
    mark = tokenizer.id_of("<|im_end|>")
    assert mark not in tokenizer.encode(texts).ids and mark in tokenizer.encode(texts, special=True).ids
    assert (tokenizer.end, tokenizer.begin, tokenizer.pad) == ("<|endoftext|>",) * 3


def test_bytes_are_the_text_itself() -> None:
    tokenizer = load_tokenizer("bytes")
    found = tokenizer.encode(pa.array(["é🦊", "", "ab"], pa.large_string()))
    assert bytes(found.ids.astype(np.uint8)) == "é🦊ab".encode()
    assert found.starts.tolist() == [0, 1, 2, 3, 4, 5, 0, 1] and found.offsets.tolist() == [0, 6, 6, 8]
    assert (tokenizer.id_of("<end>"), tokenizer.id_of("<pad>"), tokenizer.vocabulary) == (256, 257, 258)


def test_a_counting_tokenizer_an_unknown_one_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"gives no ids.*choose minilm-wordpiece or bytes"):
        load_tokenizer("minilm-bytes")
    with pytest.raises(SettingError, match=r"No such tokenizer: got 'nowhere/at all'.*tokenizer.json, its folder"):
        load_tokenizer("nowhere/at all")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(SettingError, match="cannot be read"):
        load_tokenizer(str(tmp_path / "tokenizer.json"))


def test_ranks_of_tiktoken_are_read_from_a_file_or_the_library_is_asked_for(tmp_path: Path) -> None:
    try:
        import tiktoken
    except ImportError:
        with pytest.raises(SettingError, match=r"pip install 'tamis\[training\]'"):
            load_tokenizer("tiktoken:cl100k_base")
        return
    import base64

    pieces = [bytes([value]) for value in range(256)] + [b"th", b"the", b" the"]
    file = tmp_path / "gpt2.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(piece) + b" %d\n" % rank for rank, piece in enumerate(pieces)))
    tokenizer: Tokenizer = RankTokenizer.load(f"tiktoken:{file}")
    texts = ["the fox 🦊 the", "", "<|endoftext|>"]
    found = tokenizer.encode(pa.array(texts, pa.large_string()))
    assert isinstance(tiktoken.Encoding, type) and (found.ids < len(pieces)).all()
    for row, text in enumerate(texts):
        own = slice(found.offsets[row], found.offsets[row + 1])
        tokens = [pieces[number] for number in found.ids[own]]
        assert b"".join(tokens) == text.encode()
        assert found.starts[own].tolist() == np.cumsum([0, *map(len, tokens)])[:-1].tolist()
    file.write_bytes(file.read_bytes().replace(base64.b64encode(b" the"), base64.b64encode(b" fox")))
    again = RankTokenizer.load(f"tiktoken:{file}")
    assert again.sha256 != tokenizer.sha256 and len(again.encode(pa.array([" fox"], pa.large_string())).ids) == 1
    file.write_text("no ranks at all")
    with pytest.raises(SettingError, match="cannot be loaded"):
        RankTokenizer.load(f"tiktoken:{file}")
    (tmp_path / "mine.tiktoken").write_bytes(file.read_bytes())
    with pytest.raises(SettingError, match=r"its name must.*gpt2.tiktoken"):
        RankTokenizer.load(f"tiktoken:{tmp_path / 'mine.tiktoken'}")


def levels_of(text: str) -> dict[str, int]:
    """Return the level before each word, by what follows."""
    texts = pa.array([text], pa.large_string())
    encoded = load_tokenizer("minilm-wordpiece").encode(texts)
    offsets, data = utf8_buffers(texts)
    levels = cut_levels(data, offsets, encoded.offsets, encoded.starts)
    return {
        text.encode()[at:].decode().split()[0]: int(level) for at, level in zip(encoded.starts, levels, strict=True)
    }


def test_texts_may_be_cut_after_paragraphs_sentences_and_between_tokens() -> None:
    found = levels_of("One two. Three! “Four.” Five\nsix 3.5 v\n \n\tseven (eight?) nine … ten 一。二")
    assert {word for word, level in found.items() if level == PARAGRAPH} == {"seven"}
    assert {word for word, level in found.items() if level == SENTENCE} == {
        "Three!",
        "“Four.”",
        "Five",
        "six",
        "nine",
        "ten",
        "二",
    }
    assert found["One"] == found["two."] == found["3.5"] == TOKEN


def test_no_cut_is_left_inside_a_span() -> None:
    levels, offsets = np.full(9, TOKEN, np.uint8), np.array([0, 4, 9])
    starts = np.array([0, 2, 4, 6, 0, 3, 6, 9, 12], np.uint32)
    forbid(levels, offsets, starts, np.array([1, 0]), np.array([3, 1]), np.array([12, 1]))
    assert levels.tolist() == [TOKEN] * 4 + [TOKEN, TOKEN, NEVER, NEVER, TOKEN]
