"""A whole analysis that kills itself: ``python killed.py HOME CORPUS TIER CALL`` dies at the CALL-th call of the model.

Calls are forward passes of a piece of text and rounds of a fit, counted from the start of the process; 0 never dies.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tamis.analytics.embedding import embedder, step, tuned_step
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data import jsonl_reader, shards
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def dying(real: Callable[..., Any], calls: list[int], last: int) -> Callable[..., Any]:
    """Return a function that counts and is killed at the last call."""

    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    return call


def main() -> None:
    """Analyse, unless killed."""
    home, path, tier, last = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    shards.SHARD_ROWS, jsonl_reader.BLOCK_ROWS = 64, 32
    step._ROWS, tuned_step._BLOCK = 24, 48
    calls: list[int] = []
    inside = (
        (embedder.StaticEmbedder, "encode"),
        (embedder.TunedEmbedder, "encode"),
        (embedder.PreciseEmbedder, "encode"),
        (tuned_step, "_advance"),
    )
    for owner, name in inside:
        setattr(owner, name, dying(getattr(owner, name), calls, last))
    workspace = Workspace(home)
    corpus = open_corpus(path, probes=workspace.probes)
    write_options(workspace, corpus, MapOptions(tier=tier))
    analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))
    print("done", len(calls), flush=True)


if __name__ == "__main__":
    main()
