"""A corpus of many tiny documents whose map is given, analysed no further than its map: large pages in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.embedding.own_vectors import given_map_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.step import StepSpec
from tamis.app.dashboard import open_corpus as library
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace

GROUPS = 60
FILES = 4
SERVER = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from mapped_corpus import serve; serve()
"""


def write_mapped(folder: Path, n: int, *, spread: float = 0.7) -> Path:
    """Write ``n`` documents ``document 0``, ... with a source and coordinates x, y (float32) in round groups.

    Args:
        folder: where; it must not exist.
        n: number of documents.
        spread: standard deviation of a group; the groups lie in a square of 20 by 20.
    """
    draw = np.random.default_rng(0)
    group = draw.integers(0, GROUPS, n)
    centres = draw.uniform(-10, 10, (GROUPS, 2))
    places = (centres[group] + draw.normal(size=(n, 2)) * spread).astype(np.float32)
    table = pa.table(
        {
            "text": [f"document {k}" for k in range(n)],
            "source": pa.DictionaryArray.from_arrays(group % 7, [f"source {k}" for k in range(7)]).cast(pa.string()),
            "x": places[:, 0],
            "y": places[:, 1],
        }
    )
    folder.mkdir(parents=True)
    size = -(-n // FILES)
    for number in range(FILES):
        pq.write_table(table.slice(number * size, size), folder / f"part-{number}.parquet")
    return folder


def map_only(corpus: Corpus, workspace: Workspace) -> tuple[StepSpec, ...]:
    """Return the steps of an analysis that ends at a given map: no signals, no vectors, no clusters."""
    steps = (documents_step(), columns_step(corpus), tokens_step(), given_map_step(corpus, "x", "y"))
    return (*steps, facts_step(steps))


def analysed(folder: Path, home: Path, name: str) -> None:
    """Analyse a corpus up to its map and register it in the workspace."""
    workspace = Workspace(home)
    corpus = open_corpus(folder, probes=workspace.probes)
    analyze(corpus, workspace, steps=map_only(corpus, workspace))
    workspace.remember(CorpusEntry(name, str(folder), fingerprint=corpus.fingerprint))


def serve() -> None:
    """Run the command line with an analysis that ends at the map."""
    from tamis.app.cli.main import main

    library.analysis_steps = library.steps_on_screen = map_only
    main()
