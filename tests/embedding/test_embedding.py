"""Vectors of texts: unit rows, never NaN, the same bits in any batch, always named by their space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, prange
from threadpoolctl import ThreadpoolController
from topics import topic_texts

from tamis.analytics.embedding.embedder import BATCH, batches, fast_embedder, precise_embedder
from tamis.analytics.embedding.static_model import MINILM_SHA256, StaticModel, load_plain_model, minilm_path, unit_rows
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256

STRANGE = ["", " \n", "😀🙃", "\U0001d573\U0001d574", "\x00", "ꙮ"]


@njit(parallel=True)
def place_in_parallel(points):  # type: ignore[no-untyped-def]
    """Run numba's threads, whatever they do."""
    for row in prange(len(points)):
        points[row] += 1


@pytest.fixture(scope="module")
def model(models: Path) -> StaticModel:
    return load_plain_model(models)


def test_static_vector_is_the_unit_mean_of_its_tokens(model: StaticModel) -> None:
    text = "An editor for plain text."
    ids, starts = model.tokens([text])
    mean = model.vectors[ids].mean(axis=0)
    expected = mean / np.linalg.norm(mean)
    assert starts.tolist() == [0, len(ids)] and len(ids) == 6
    np.testing.assert_allclose(model.encode([text])[0], expected, atol=1e-3)


def test_static_model_ranks_related_texts_first(model: StaticModel) -> None:
    cat, kitten, stock = model.encode(["a cat sleeps", "the kitten naps", "stock market prices fell"]).astype(
        np.float32
    )
    assert cat @ kitten > cat @ stock + 0.1


def test_static_model_agrees_with_model2vec(model: StaticModel) -> None:
    from model2vec import StaticModel as Reference
    from tokenizers import Tokenizer

    reference = Reference(model.vectors, Tokenizer.from_str(model.tokenizer), normalize=True)
    texts = ["An editor for plain text.", "Größe über alles", "C++ compiler 漢字"]
    expected = reference.encode(texts, use_multiprocessing=False)
    np.testing.assert_allclose(model.encode(texts), expected, atol=1e-3)


def test_texts_without_known_words_are_zero_and_never_nan(model: StaticModel) -> None:
    vectors = model.encode([*STRANGE, "漢字", "plain words"])
    assert np.isfinite(vectors).all()
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    assert (lengths[: len(STRANGE)] == 0).all()
    np.testing.assert_allclose(lengths[-1], 1, atol=1e-3)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8), st.integers(0, 7))
@settings(max_examples=30, deadline=None)
def test_static_vector_has_the_same_bits_in_any_batch(model: StaticModel, texts: list[str], cut: int) -> None:
    whole = model.encode(pa.array(texts, pa.large_string()))
    parts = np.concatenate([model.encode(texts[:cut]), model.encode(texts[cut:])])
    assert np.array_equal(whole.view(np.uint16), parts.view(np.uint16))


def test_only_the_beginning_of_a_long_text_is_embedded(model: StaticModel) -> None:
    beginning = "word " * 1000
    assert np.array_equal(model.encode([beginning]), model.encode([beginning + "something else " * 10_000]))


def test_saved_model_is_read_back_and_a_damaged_one_refused(model: StaticModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model", {"source": "test"})
    again = StaticModel.load(tmp_path / "model")
    assert again is not None and again.sha256 == model.sha256
    np.save(tmp_path / "model" / "vectors.npy", model.vectors * 2)
    assert StaticModel.load(tmp_path / "model") is None
    assert StaticModel.load(tmp_path / "nowhere") is None


def test_the_packaged_weights_are_the_pinned_ones() -> None:
    assert file_sha256(minilm_path() / "model.safetensors") == MINILM_SHA256


def test_unit_rows_turns_what_is_not_finite_into_zeros() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 0.0], [np.inf, 1.0]]))
    np.testing.assert_allclose(rows[0], [0.6, 0.8], atol=1e-3)
    assert rows[1].tolist() == [0, 0] and rows[2].tolist() == [0, 0] and np.isfinite(rows).all()


def test_precise_embedder_says_what_it_is_and_flags_unknown_texts(models: Path) -> None:
    embedder = precise_embedder(dtype="float32")
    cat, kitten, stock, *strange = embedder.encode(
        ["a cat sleeps", "the kitten naps", "stock market prices fell", *STRANGE]
    ).astype(np.float32)
    assert cat @ kitten > cat @ stock + 0.2
    assert not np.any(strange)
    assert embedder.about["tier"] == "precise" and embedder.about["batch"] == 32 and embedder.about["dimensions"] == 384
    assert embedder.space != fast_embedder(models).space
    assert embedder.space != precise_embedder(dtype="bfloat16").space


def test_parallel_kernels_before_it_do_not_make_the_precise_model_nest_threads() -> None:
    place_in_parallel(np.zeros((64, 2), dtype=np.float32))
    precise_embedder().encode(["a text"])
    libraries = ThreadpoolController().select(user_api="openmp").lib_controllers
    assert libraries
    assert [library.dynlib.omp_get_max_active_levels() for library in libraries] == [1] * len(libraries)


def test_batches_hold_texts_of_one_length_and_leave_room_for_an_empty_one() -> None:
    lengths = [3 + row * 7 % 50 for row in range(640)] + [99] * 70
    made = batches(lengths)
    assert sorted(row for rows in made for row in rows) == list(range(710))
    assert all(len({lengths[row] for row in rows}) == 1 and len(rows) < BATCH for rows in made)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_precise_vector_depends_on_the_text_alone(dtype: str) -> None:
    texts = topic_texts(8)[0]
    texts = [" ".join(text.split()[: 3 + row % 9]) for row, text in enumerate(texts)]
    embedder = precise_embedder(dtype=dtype)
    together = embedder.encode(texts)
    rows = [*range(20, 3, -1), 5, 5, 30]
    assert np.array_equal(embedder.encode([texts[row] for row in rows]), together[rows])
    assert all(np.array_equal(embedder.encode([texts[row]])[0], together[row]) for row in (0, 7, 31))


def test_a_model_that_is_not_here_is_refused_with_the_way_to_get_it() -> None:
    with pytest.raises(SettingError, match="hf download nobody/nothing"):
        precise_embedder("nobody/nothing")
    with pytest.raises(SettingError, match="bfloat16, float32"):
        precise_embedder(dtype="int4")
