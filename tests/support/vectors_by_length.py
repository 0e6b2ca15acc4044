"""A step that gives each document a vector by the length of its text: cheap, known, of any tier."""

from __future__ import annotations

import numpy as np

from tamis.analytics.steps.step import Estimate, StepContext, StepSpec


def by_length(name: str, tier: str, turn: float) -> StepSpec:
    """Return a step that turns the vector of each document by the length of its text."""

    def run(context: StepContext) -> None:
        for shard in context.shards_to_do():
            sizes = [len(text) for part in context.corpus.document_texts(shard) for text in part.to_pylist()]
            angle = turn * np.array(sizes) / 100
            context.out.write_array(shard.part, np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float16))
        context.out.commit(rows=context.documents.n, facts={"tier": tier, "space": name})

    return StepSpec(name, 1, ("documents",), {}, "Vectors", lambda size: Estimate(1, 1), run)
