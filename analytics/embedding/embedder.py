"""Embedders: models that turn texts into unit vectors, and their descriptions.

Three tiers. ``fast`` is the static model distilled from all-MiniLM-L6-v2, ``tuned`` one that is fitted to the corpus,
``precise`` a sentence-transformers model. Vectors of different embedders have different spaces and are never
compared; ``space`` names the space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from tamis.analytics.embedding.static_model import (
    MINILM,
    MINILM_SHA256,
    StaticModel,
    distillation,
    load_plain_model,
    minilm_path,
    offline,
    unit_rows,
)
from tamis.analytics.embedding.tuned_model import TunedModel
from tamis.data.errors import SettingError
from tamis.data.hashing import digest, file_sha256

Tier = Literal["fast", "tuned", "precise", "given"]
Reads = Literal["texts", "pictures"]
BATCH = 32
"""Texts per forward pass of a precise model."""
_STEADY_TOKENS = 64
"""Tokens of a forward pass, copies of the empty text among them, from which on tiles give each row the same bits."""

_POOL = 2048


class Embedder(Protocol):
    """Anything that embeds texts, or pictures."""

    @property
    def reads(self) -> Reads:
        """Return what it embeds."""

    @property
    def about(self) -> Mapping[str, Any]:
        """Return tier, model, weights, dtype and batch for manifests."""

    @property
    def space(self) -> str:
        """Return the digest that names the space of the vectors."""

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""

    def encode(self, texts: pa.Array | Sequence[Any]) -> NDArray[np.float16]:
        """Return float16 (n, d): unit rows, rows of zeros for texts without a known token.

        An embedder of pictures takes encoded pictures.
        """


@dataclass(frozen=True, eq=False)
class StaticEmbedder:
    """A static model as an embedder.

    Attributes:
        model: token vectors.
        tier: ``fast`` or ``tuned``.
        origin: description of the source of the vectors.
    """

    model: StaticModel
    tier: Tier
    origin: Mapping[str, Any]

    reads: Reads = "texts"

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the description for manifests."""
        return {
            "tier": self.tier,
            "model": dict(self.origin),
            "sha256": self.model.sha256,
            "dtype": "float16",
            "compute": "float32",
            "batch": "any",
            "dimensions": self.dimensions,
        }

    @property
    def space(self) -> str:
        """Return the digest of the token vectors and the tokenizer."""
        return digest({"static": self.model.sha256})

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return self.model.dimensions

    def encode(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors; the same bits for any batch."""
        return self.model.encode(texts)


@dataclass(frozen=True, eq=False)
class TunedEmbedder:
    """A model fitted to a corpus, as an embedder.

    Attributes:
        model: vectors of tokens and token pairs.
        asset: digest of the model in the workspace; it names the space.
    """

    model: TunedModel
    asset: str

    reads: Reads = "texts"

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the description for manifests."""
        return {
            "tier": "tuned",
            "model": {"source": "fitted to the corpus", "teacher": MINILM, "pairs": len(self.model.pairs)},
            "sha256": self.asset,
            "dtype": "float16",
            "compute": "float32",
            "batch": "any",
            "dimensions": self.dimensions,
        }

    @property
    def space(self) -> str:
        """Return the digest of the model."""
        return self.asset

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return self.model.dimensions

    def encode(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors; the same bits for any batch."""
        return self.model.encode(texts)


@dataclass(frozen=True, eq=False)
class PreciseEmbedder:
    """A sentence-transformers model on the processor.

    Attributes:
        name: name given by the person.
        folder: folder of its files.
        weights: sha256 over its files.
        dtype: ``bfloat16`` or ``float32``.
    """

    name: str
    folder: Path
    weights: str
    dtype: str

    reads: Reads = "texts"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: another machine uses its own files, which must have the same weights."""
        return _same_there, (MINILM if self.name == MINILM else str(self.folder), self.weights, self.dtype)

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the description for manifests."""
        return {
            "tier": "precise",
            "model": {"source": self.name},
            "sha256": self.weights,
            "dtype": "float16",
            "compute": self.dtype,
            "batch": BATCH,
            "dimensions": self.dimensions,
        }

    @property
    def space(self) -> str:
        """Return the digest of weights and number format."""
        return digest({"precise": self.weights, "compute": self.dtype})

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return int(self._model.get_embedding_dimension())

    def encode(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors, computed in ``batches``; a text gets the same bits in any batch."""
        values = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else list(texts)
        plain = [(text or "")[: 8 * int(self._model.max_seq_length or 512)] for text in values]
        found = np.zeros((len(plain), self.dimensions), dtype=np.float32)
        _forbid_nested_threads()
        lengths, known = self._measured(plain)
        with _steady_kernels() as least:
            for rows in batches(lengths):
                # The empty text makes every batch a padded one: unpadded batches use other kernels, with other bits.
                padding = max(1, -(-least // lengths[rows[0]]) - len(rows))
                given = self._given([*(plain[row] for row in rows), *[""] * padding])
                made = self._model.encode(given, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)
                found[rows] = made[: len(rows)]
        found[~known] = 0.0
        return unit_rows(found)

    def _given(self, texts: list[str]) -> list[Any]:
        """Return texts as the model takes them; one that reads pictures too would open a text that looks like one."""
        plain = "image" not in getattr(self._model, "modalities", ())
        return [*texts] if plain else [{"text": text} for text in texts]

    def _measured(self, texts: list[str]) -> tuple[list[int], NDArray[np.bool_]]:
        """Return the number of tokens read per text, and whether each text has a token of the vocabulary, bool (n,)."""
        tokenizer = self._model.tokenizer
        strange = set(tokenizer.all_special_ids)
        lengths: list[int] = []
        known = np.zeros(len(texts), dtype=bool)
        for first in range(0, len(texts), _POOL):
            ids = tokenizer(texts[first : first + _POOL], truncation=True, padding=False)["input_ids"]
            known[first : first + len(ids)] = [not strange.issuperset(row) for row in ids]
            lengths += map(len, ids)
        return lengths, known

    @cached_property
    def _model(self) -> Any:
        # Late: torch.
        import torch

        with offline():
            # Late: sentence-transformers.
            from sentence_transformers import SentenceTransformer

            kind = {"model_kwargs": {"dtype": getattr(torch, self.dtype)}}
            return SentenceTransformer(str(self.folder), device="cpu", local_files_only=True, **kind)


def _forbid_nested_threads() -> None:
    """Run nested parallel operations of this thread on the thread itself.

    numba's parallel kernels allow OpenMP to nest, for the whole process; torch would then start and end a thread in
    each of its thousands of small operations, which makes it four times slower.
    """
    for library in ThreadpoolController().select(user_api="openmp").lib_controllers:
        library.dynlib.omp_set_max_active_levels(1)


@contextmanager
def _steady_kernels() -> Iterator[int]:
    """Make the kernels of torch the same for every batch; yields the least tokens that a batch needs for that, or 0.

    On processors with tiles (AMX) they depend on the rows of a product where it has few, and on the number of threads.
    """
    # Late: torch.
    import torch

    if not torch.cpu._is_amx_tile_supported():
        yield 0
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield _STEADY_TOKENS
    finally:
        torch.set_num_threads(threads)


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the rows of each forward pass: texts of the same number of tokens, at most ``BATCH`` - 1.

    Without padding the vector of a text depends on the text only. In a batch of mixed lengths its last digits depend on
    the longest text; then other shards would give other vectors, and copies of a text would not be equal.

    Args:
        lengths: tokens of each text.
    """
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        by_length.setdefault(length, []).append(row)
    most = BATCH - 1
    return [rows[first : first + most] for _, rows in sorted(by_length.items()) for first in range(0, len(rows), most)]


def fast_embedder(models: Path) -> StaticEmbedder:
    """Return the embedder of the fast tier; the first call distils it into ``models`` (about 15 s)."""
    return StaticEmbedder(load_plain_model(models), "fast", distillation())


def tuned_embedder(table: pa.Table, asset: str, models: Path) -> TunedEmbedder:
    """Return the embedder of a stored tuned model.

    Args:
        table: the model, see ``TunedModel.table``.
        asset: its digest.
        models: the model cache, which holds the plain static model.

    Raises:
        StoreError: the table is not a model, or belongs to another static model.
    """
    return TunedEmbedder(TunedModel.from_table(table, load_plain_model(models)), asset)


def precise_embedder(model: str = MINILM, *, dtype: str | None = None) -> PreciseEmbedder:
    """Return a precise embedder.

    Args:
        model: ``all-MiniLM-L6-v2`` (packaged), a folder, or the name of a model in the local Hugging Face cache.
        dtype: ``bfloat16`` or ``float32``; None for bfloat16 if the processor supports it.

    Raises:
        SettingError: the model is not on this machine, or an unknown number format.
    """
    chosen = checked_dtype(dtype)
    if model == MINILM:
        return PreciseEmbedder(model, minilm_path(), MINILM_SHA256, chosen)
    folder = model_folder(model)
    if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
        raise SettingError(
            "This folder holds no model",
            value=model,
            allowed="config.json or modules.json in it",
            fix="name another, or --tier fast",
        )
    return PreciseEmbedder(model if not Path(model).is_dir() else folder.name, folder, weights_of(folder), chosen)


def checked_dtype(dtype: str | None) -> str:
    """Return a number format, by default bfloat16 if the processor supports it.

    Raises:
        SettingError: an unknown one.
    """
    chosen = dtype or ("bfloat16" if has_bfloat16() else "float32")
    if chosen not in ("bfloat16", "float32"):
        raise SettingError("Number format of a precise model", value=chosen, allowed="bfloat16, float32")
    return chosen


def _same_there(model: str, weights: str, dtype: str) -> PreciseEmbedder:
    """Return the precise embedder of this machine.

    Raises:
        SettingError: the model is not on this machine, or has other weights.
    """
    found = precise_embedder(model, dtype=dtype)
    if found.weights != weights:
        raise SettingError(
            "A worker has other weights of the model", value=found.weights, allowed=weights, fix="copy the same files"
        )
    return found


def model_folder(model: str) -> Path:
    """Return the folder of a model.

    Raises:
        SettingError: it is not on this machine.
    """
    if Path(model).is_dir():
        return Path(model).resolve()
    # Late: huggingface_hub.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise SettingError(
            "This model is not on this machine",
            value=model,
            allowed=f"{MINILM}, a folder, or a name in the local Hugging Face cache",
            fix="put the folder back, name another, or --tier fast"
            if Path(model).is_absolute()
            else f"fetch it once with: hf download {model}",
        ) from error


@lru_cache(maxsize=8)
def weights_of(folder: Path) -> str:
    """Return a digest of the files of a model."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _MODEL_FILES)
    return digest({str(path.relative_to(folder)): file_sha256(path) for path in files})


_MODEL_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Say whether this processor multiplies bfloat16 in hardware; emulation is slower than float32."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and any(
        name in flags.read_text("utf-8", "replace") for name in ("avx512_bf16", "amx_bf16", " bf16")
    )
