"""Compile all kernels once: ``python -m tamis.analytics.warm_up``.

A kernel is compiled when it is first called, one after the other, and then kept (see ``kernel_cache``). Processes that
start beside each other would each compile the same ones. So one of them runs everything on a corpus of a few hundred
short texts, in a workspace that it throws away; whatever comes later finds all kernels ready.
"""

from __future__ import annotations

import builtins
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.duplicates.references import save_reference
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.nearest_documents import neighbours_of
from tamis.analytics.study.study import Study
from tamis.data.corpus import Corpus, open_corpus
from tamis.data.workspace import Workspace

TEXTS = 300


def compiled_kernels() -> dict[str, bool]:
    """Return for each kernel of the imported modules, by full name, whether this process has compiled or read it.

    Kernels that are only written out inside others are not among them.
    """
    found = {}
    for module in [each for name, each in sys.modules.items() if name.startswith(f"{__package__}.")]:
        for name, value in vars(module).items():
            if hasattr(value, "py_func") and value.__module__ == module.__name__ and not _is_inlined(value):
                found[f"{module.__name__}.{name}"] = bool(value.signatures)
    return found


def warm_up(folder: Path) -> None:
    """Run everything that has kernels once, on a small corpus, in an empty folder."""
    workspace, corpus = Workspace(folder / "home"), _corpus(folder / "corpus.parquet")
    write_options(workspace, corpus, MapOptions(tier="tuned", min_cluster_size=5))
    study = Study.open(corpus, workspace)
    for recipe in _recipes(workspace, corpus):
        study.measure(recipe)
        study.evaluate(recipe)
    neighbours_of(study, 0)


def _is_inlined(kernel: Any) -> bool:
    return kernel.targetoptions.get("inline") == "always"


def _texts() -> Iterator[str]:
    for kind in vars(builtins).values():
        for member in [kind, *vars(kind).values()] if isinstance(kind, type) else [kind]:
            text = getattr(member, "__doc__", None)
            if isinstance(text, str):
                yield text


def _corpus(path: Path) -> Corpus:
    texts = list(_texts())[:TEXTS]
    texts += (
        [text.upper() for text in texts[::9]] + [f"{text} More." for text in texts[::7]] + ["", "中文文本 一二三。"]
    )
    sources = [f"source {k % 3}" for k in range(len(texts))]
    pq.write_table(pa.table({"text": texts, "source": sources, "label": sources}), path)
    return open_corpus(path)


def _recipes(workspace: Workspace, corpus: Corpus) -> Iterator[Recipe]:
    reference = save_reference(workspace, "reference", [corpus.path], n=13).digest
    for name, params in (
        ("near_dedup", {}),
        ("near_dedup", {"similarity": "containment"}),
        ("semantic_dedup", {"allow_static": True}),
        ("boilerplate", {}),
        ("decontaminate", {"evaluation": reference}),
        ("coverage_sample", {"share": 0.5}),
    ):
        yield Recipe().with_operator(OPERATORS.build(name, params))


def main() -> None:
    """Compile all kernels."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        warm_up(Path(folder))


if __name__ == "__main__":
    main()
