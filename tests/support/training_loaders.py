"""Prepared training data read by the library of its format: ``python training_loaders.py FORMAT OUT`` prints JSON.

Only the library and the folder are used, nothing that Tamis wrote about it. The digests are those of
``sample_digests``, over what the library gives.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tamis.analytics.training.sample_digests import content_digest, text_digest, token_digest

Sample = dict[str, Any]
SPLITS = ("train", "validation", "test")


def read_datasets(out: Path, split: str) -> Iterator[Sample]:
    """Read a folder that was saved to disk."""
    import datasets

    yield from datasets.load_from_disk(str(out))[split]


def read_loaded(out: Path, split: str) -> Iterator[Sample]:
    """Read what ``load_dataset`` makes of the folder."""
    import datasets

    yield from datasets.load_dataset(str(out), split=split)


def read_streamed(out: Path, split: str) -> Iterator[Sample]:
    """Read the folder as a stream, without a copy."""
    import datasets

    yield from datasets.load_dataset(str(out), split=split, streaming=True)


def import_streaming() -> None:
    """Make ``streaming.base`` importable: the package's own start loads its image data sets, which need torchvision."""
    if "streaming" in sys.modules:
        return
    spec = importlib.util.find_spec("streaming")
    assert spec is not None and spec.submodule_search_locations
    bare = types.ModuleType("streaming")
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules["streaming"] = bare


def read_mds(out: Path, split: str) -> Iterator[Sample]:
    """Read MDS shards."""
    import_streaming()
    from streaming.base import StreamingDataset

    for sample in StreamingDataset(local=str(out / split), shuffle=False, batch_size=1):
        yield dict(sample)


def read_litdata(out: Path, split: str) -> Iterator[Sample]:
    """Read chunks as a stream."""
    import litdata

    for sample in litdata.StreamingDataset(str(out / split), shuffle=False):
        if "messages" in sample:
            sample["messages"] = json.loads(sample["messages"])
        yield sample


def read_webdataset(out: Path, split: str) -> Iterator[Sample]:
    """Read tar files in the order of their names."""
    import webdataset

    files = sorted(map(str, (out / split).glob("*.tar")))
    for number, sample in enumerate(webdataset.WebDataset(files, shardshuffle=False).decode()):
        assert sample["__key__"] == f"{split}-{number:012d}", sample["__key__"]
        if "txt" in sample:
            yield {"text": sample["txt"], **sample["json"]}
        else:
            yield {name.removesuffix(".npy"): value for name, value in sample.items() if name.endswith(".npy")}


def read_megatron(out: Path, split: str) -> Iterator[Sample]:
    """Read indexed data sets: a sample is a document, a piece of it a sequence."""
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    for path in sorted((out / split).glob("shard-?????.bin")):
        prefix = str(path.with_suffix(""))
        ids = IndexedDataset(prefix)
        mask = IndexedDataset(f"{prefix}.loss_mask") if Path(f"{prefix}.loss_mask.idx").exists() else None
        bounds = ids.document_indices
        for first, last in pairwise(bounds):
            sample = {"input_ids": _pieces(ids, first, last), "piece_lengths": ids.sequence_lengths[first:last]}
            yield sample if mask is None else {**sample, "loss_mask": _pieces(mask, first, last)}


def _pieces(indexed: Any, first: int, last: int) -> np.ndarray[Any, Any]:
    return np.concatenate([indexed[place] for place in range(first, last)])


def read_lance(out: Path, split: str) -> Iterator[Sample]:
    """Read the rows of a Lance data set in order."""
    import lance

    for batch in lance.dataset(str(out / split)).to_batches(batch_size=1024):
        yield from batch.to_pylist()


READERS: dict[str, dict[str, Callable[[Path, str], Iterator[Sample]]]] = {
    "datasets": {"load_from_disk": read_datasets, "load_dataset": read_loaded, "streaming": read_streamed},
    "jsonl.zst": {"load_dataset": read_loaded, "streaming": read_streamed},
    "mds": {"StreamingDataset": read_mds},
    "litdata": {"StreamingDataset": read_litdata},
    "webdataset": {"WebDataset": read_webdataset},
    "megatron": {"IndexedDataset": read_megatron},
    "lance": {"lance.dataset": read_lance},
}


def digest_of(sample: Sample) -> bytes:
    """Return the digest of a sample as a library gives it."""
    if "input_ids" in sample:
        mask = sample.get("loss_mask")
        return token_digest(
            np.asarray(sample["input_ids"]),
            np.asarray(sample["piece_lengths"]),
            None if mask is None else np.asarray(mask),
        )
    return text_digest(
        sample["document_id"], sample["text"], int(sample["copy"]), int(sample["epoch"]), sample.get("messages")
    )


def read(form: str, out: Path) -> dict[str, dict[str, Any]]:
    """Return, for each way the library reads a folder: samples and tokens by split, and the digest of all samples."""
    found = {}
    splits = [split for split in SPLITS if (out / split).is_dir()]
    for way, reader in READERS[form].items():
        digests: dict[str, list[bytes]] = {}
        tokens = dict.fromkeys(splits, 0)
        for split in splits:
            own = digests[split] = []
            for sample in reader(out, split):
                own.append(digest_of(sample))
                tokens[split] += len(sample.get("input_ids", ()))
        counts = {split: len(own) for split, own in digests.items()}
        found[way] = {"samples": counts, "tokens": tokens, "content": content_digest(digests)}
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(read(sys.argv[1], Path(sys.argv[2]))))
