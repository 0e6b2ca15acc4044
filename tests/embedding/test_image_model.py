"""The packaged picture model: its weights are read without running code, its features are those of its reference."""

from __future__ import annotations

import io
import pickle
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from tamis.analytics.embedding import image_model
from tamis.analytics.embedding.image_model import (
    PictureEmbedder,
    load_weights,
    network_input,
    packaged_weights,
    picture_embedder,
    weights_hash,
)
from tamis.analytics.embedding.image_network import FeatureNetwork
from tamis.data.errors import SettingError

SHARED = files("sklearn.datasets.images")


@pytest.fixture(scope="module")
def weights() -> image_model.Weights:
    return packaged_weights()


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    """Return real photographs and cuttings of them, as PNG and JPEG."""
    whole = [Image.open(io.BytesIO((SHARED / name).read_bytes())) for name in ("china.jpg", "flower.jpg")]
    cuts = [image.crop((40 * k, 30 * k, 40 * k + 300, 30 * k + 200 + 20 * k)) for image in whole for k in range(5)]
    return [saved(image, "JPEG" if k % 2 else "PNG") for k, image in enumerate([*whole, *cuts])]


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def test_features_equal_those_of_the_reference_implementation(
    weights: image_model.Weights, photos: list[bytes]
) -> None:
    reference = EfficientNet.from_name("efficientnet-lite0")
    state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    missing = reference.load_state_dict(state, strict=False).missing_keys
    assert all(name.startswith("_fc.") or name.endswith("num_batches_tracked") for name in missing)
    reference.eval()
    inputs = np.stack([network_input(raw) for raw in photos[:6]])
    with torch.inference_mode():
        expected = reference.extract_features(torch.from_numpy(inputs.transpose(0, 3, 1, 2).copy())).mean((2, 3))
    found = FeatureNetwork(weights).features(inputs)
    assert np.abs(found - expected.numpy()).max() < 1e-4
    assert found.max() > 1  # The features are not all small.


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_picture_has_the_same_bits_in_any_batch_and_for_any_threads(
    weights: image_model.Weights, photos: list[bytes], dtype: str
) -> None:
    embedder = PictureEmbedder(weights, dtype)
    whole = embedder.encode(photos)
    order = np.random.default_rng(3).permutation(len(photos))
    assert np.array_equal(embedder.encode([photos[row] for row in order]), whole[order])
    assert np.array_equal(embedder.encode(photos[5:8]), whole[5:8])
    assert np.array_equal(PictureEmbedder(weights, dtype, threads=3).encode(photos), whole)
    assert np.allclose(np.linalg.norm(whole.astype(np.float32), axis=1), 1, atol=2e-3)


def test_half_precision_hardly_turns_a_vector(weights: image_model.Weights, photos: list[bytes]) -> None:
    made = [PictureEmbedder(weights, dtype).encode(photos) for dtype in ("float32", "bfloat16")]
    one, other = (vectors.astype(np.float32) for vectors in made)
    assert (one * other).sum(axis=1).min() > 0.99


def test_parts_of_one_photograph_are_nearer_than_parts_of_another(
    weights: image_model.Weights, photos: list[bytes]
) -> None:
    vectors = PictureEmbedder(weights, "bfloat16").encode(photos).astype(np.float32)
    alike = vectors @ vectors.T
    china, flower = np.r_[0, 2:7], np.r_[1, 7:12]
    assert alike[np.ix_(china, flower)].max() < min(np.median(alike[np.ix_(g, g)]) for g in (china, flower))


def test_a_missing_picture_has_no_vector_and_a_transparent_one_lies_on_white(weights: image_model.Weights) -> None:
    hidden = Image.new("RGBA", (50, 40), (255, 0, 0, 0))
    vectors = PictureEmbedder(weights, "bfloat16").encode(
        [None, saved(hidden), saved(Image.new("RGB", (50, 40), "white")), saved(Image.new("RGB", (50, 40), "red"))]
    )
    assert not vectors[0].any() and vectors[1].any()
    assert np.array_equal(vectors[1], vectors[2]) and not np.array_equal(vectors[1], vectors[3])


def test_the_converted_weights_are_kept_and_a_damaged_file_is_made_again(
    tmp_path: Path, weights: image_model.Weights
) -> None:
    load_weights.cache_clear()
    assert weights_hash(picture_embedder(tmp_path, dtype="float32").weights) == image_model.WEIGHTS_SHA256
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-4] + b"\0\0\0\x01")
    load_weights.cache_clear()
    assert weights_hash(load_weights(tmp_path)) == image_model.WEIGHTS_SHA256
    assert path.read_bytes() == whole


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harm"),))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    monkeypatch.setattr(image_model, "PACKAGED", str(path))
    with pytest.raises(SettingError, match="other weights"):
        packaged_weights()
    # Even with the expected hash nothing of it would run.
    monkeypatch.setattr(image_model, "PACKAGED_SHA256", image_model.file_sha256(path))
    with pytest.raises(pickle.UnpicklingError):
        packaged_weights()
    assert not (tmp_path / "harm").exists()


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_model, "PACKAGE", "a-package-that-nobody-has")
    with pytest.raises(SettingError, match=r"tamis\[images\]"):
        packaged_weights()


def test_an_embedder_travels_to_another_process(weights: image_model.Weights, photos: list[bytes]) -> None:
    embedder = PictureEmbedder(weights, "bfloat16")
    first = embedder.encode(photos[:2])
    assert np.array_equal(pickle.loads(pickle.dumps(embedder)).encode(photos[:2]), first)
