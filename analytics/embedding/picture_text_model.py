"""Models with a tower for pictures and one for texts, such as CLIP and SigLIP, by sentence-transformers.

Pictures are embedded in batches of one size, texts in such batches of texts of the same number of tokens, each batch by
one thread; so a picture or a text gets the same bits in any batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.embedding.embedder import Reads, checked_dtype, model_folder, weights_of
from tamis.analytics.embedding.image_network import use_one_thread
from tamis.analytics.embedding.static_model import offline, unit_rows
from tamis.data.errors import SettingError
from tamis.data.hashing import digest
from tamis.data.picture import read_picture

BATCH = 8


@dataclass(frozen=True, eq=False)
class TwoTowers:
    """A model of pictures and texts on the processor, as an embedder of pictures.

    Attributes:
        name: name given by the person.
        folder: folder of its files.
        weights: digest of its files.
        dtype: ``bfloat16`` or ``float32``.
        threads: batches computed at once; changes no bit.
    """

    name: str
    folder: Path
    weights: str
    dtype: str
    threads: int = 1

    reads: Reads = "pictures"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: another machine uses its own files, which must have the same weights."""
        return _same_there, (str(self.folder), self.weights, self.dtype, self.threads)

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the description for manifests."""
        return {
            "tier": "precise",
            "model": {"source": str(self.folder) if Path(self.name).is_dir() else self.name},
            "reads": self.reads,
            "texts": reads_texts(self.folder),
            "sha256": self.weights,
            "dtype": "float16",
            "compute": self.dtype,
            "batch": BATCH,
            "dimensions": self.dimensions,
        }

    @property
    def space(self) -> str:
        """Return the digest of weights and number format."""
        return digest({"towers": self.weights, "compute": self.dtype})

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return int(self._model.get_embedding_dimension())

    def encode(self, texts: pa.Array | Sequence[Any]) -> NDArray[np.float16]:
        """Return the vectors of pictures, float16 (n, d): unit rows, zeros for NULL.

        Args:
            texts: encoded pictures, or NULL.

        Raises:
            PictureError: one cannot be decoded.
        """
        values = _values(texts)
        there = [row for row, value in enumerate(values) if value is not None]
        return self._vectors(values, _cut(there), _shown)

    def encode_texts(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors of texts in the same space, float16 (n, d): unit rows, zeros for empty ones and NULL.

        Raises:
            SettingError: the model reads no texts.
        """
        if not reads_texts(self.folder):
            raise SettingError("This model reads pictures only", value=self.name, fix="choose a CLIP or SigLIP model")
        values = _values(texts)
        there = [row for row, value in enumerate(values) if value and not value.isspace()]
        by_length: dict[int, list[int]] = {}
        if there:
            # Never more than the model reads, and a token has at least one character.
            ids = self._model.tokenizer([values[row] for row in there], truncation=True, padding=False)["input_ids"]
            for row, own in zip(there, ids, strict=True):
                by_length.setdefault(len(own), []).append(row)
        batches = [batch for _, rows in sorted(by_length.items()) for batch in _cut(rows)]
        return self._vectors(values, batches, _said)

    def _vectors(
        self, values: Sequence[Any], batches: Sequence[list[int]], given: Callable[[Any], Any]
    ) -> NDArray[np.float16]:
        """Return the vectors of the rows in batches, zeros elsewhere."""
        found = np.zeros((len(values), self.dimensions), dtype=np.float32)
        model = self._model

        def made(rows: list[int]) -> NDArray[np.float32]:
            inputs = [given(values[row]) for row in rows]
            inputs += inputs[:1] * (BATCH - len(inputs))
            vectors = model.encode(inputs, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)
            return np.asarray(vectors[: len(rows)], dtype=np.float32)

        with ThreadPoolExecutor(self.threads, initializer=use_one_thread) as pool:
            for rows, vectors in zip(batches, pool.map(made, batches), strict=True):
                found[rows] = vectors
        return unit_rows(found)

    @cached_property
    def _model(self) -> Any:
        # Late: torch.
        import torch

        with offline():
            # Late: sentence-transformers.
            from sentence_transformers import SentenceTransformer

            kind = {"model_kwargs": {"dtype": getattr(torch, self.dtype)}}
            return SentenceTransformer(str(self.folder), device="cpu", local_files_only=True, **kind)


@dataclass(frozen=True, eq=False)
class TextTower:
    """The texts of a model of pictures and texts, as an embedder in the space of its pictures.

    Attributes:
        model: the whole model.
    """

    model: TwoTowers

    reads: Reads = "texts"

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the description for manifests."""
        return self.model.about

    @property
    def space(self) -> str:
        """Return the space of the model."""
        return self.model.space

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return self.model.dimensions

    def encode(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors of texts, float16 (n, d)."""
        return self.model.encode_texts(texts)


def _values(given: pa.Array | Sequence[Any]) -> list[Any]:
    return given.to_pylist() if isinstance(given, pa.Array | pa.ChunkedArray) else list(given)


def _cut(rows: list[int]) -> list[list[int]]:
    return [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]


def _shown(raw: bytes) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(read_picture(raw).on_white().samples[:, :, :3]))


def _said(text: str) -> dict[str, str]:
    # Named as a text: the library takes a bare string that looks like an address or a file for a picture, and reads it.
    return {"text": text}


def two_towers(model: str, *, dtype: str | None = None, threads: int = 1) -> TwoTowers:
    """Return the embedder of a model.

    Args:
        model: a folder, or the name of a model in the local Hugging Face cache.
        dtype: ``bfloat16`` or ``float32``; None for bfloat16 if the processor supports it.
        threads: batches computed at once.

    Raises:
        SettingError: the model is not on this machine, or reads no pictures.
    """
    folder = model_folder(model)
    if not _states(folder, "vision_config"):
        raise SettingError(
            "This model reads no pictures", value=model, allowed="CLIP, SigLIP and their like",
            fix="choose another model, or --tier fast for the packaged one",
        )  # fmt: skip
    return TwoTowers(model, folder, weights_of(folder), checked_dtype(dtype), threads)


def reads_texts(folder: Path) -> bool:
    """Say whether the model in a folder reads texts too."""
    return _states(folder, "text_config")


def _states(folder: Path, name: str) -> bool:
    """Say whether the configuration of a model, or of one of its modules, has an entry."""
    for path in (folder / "config.json", *sorted(folder.glob("*/config.json"))):
        try:
            known = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(known, dict) and (known.get(name) is not None or known.get(f"{name}_dict") is not None):
            return True
    return False


def _same_there(model: str, weights: str, dtype: str, threads: int) -> TwoTowers:
    """Return the model of this machine.

    Raises:
        SettingError: it is not on this machine, or has other weights.
    """
    found = two_towers(model, dtype=dtype, threads=threads)
    if found.weights != weights:
        raise SettingError(
            "A worker has other weights of the model", value=found.weights, allowed=weights, fix="copy the same files"
        )
    return found
