"""The step that counts turns and parts by role of a corpus whose rows are more than one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.parts import CONVENTION, KINDS, ROLES, Parts
from tamis.data.shards import Shard

NAME = "parts"
VERSION = 1


@dataclass(frozen=True)
class PartCount:
    """The parts of one role and kind in all documents.

    Attributes:
        role: one of ``parts.ROLES``.
        kind: one of ``parts.KINDS``.
        parts: how many.
        bytes: UTF-8 bytes of their texts.
    """

    role: str
    kind: str
    parts: int
    bytes: int


@dataclass(frozen=True)
class PartCounts:
    """Turns and parts of all documents, exact.

    Attributes:
        turns: number of turns.
        counts: by role and kind, in the order of ``parts.ROLES`` and ``parts.KINDS``; what does not occur is left out.
    """

    turns: int
    counts: tuple[PartCount, ...]

    @classmethod
    def read(cls, artifacts: Mapping[str, Artifact]) -> PartCounts | None:
        """Return the counts of an analysis, None for a corpus of plain text."""
        artifact = artifacts.get(NAME)
        if artifact is None:
            return None
        facts = artifact.facts
        return cls(int(facts["turns"]), tuple(PartCount(*each) for each in facts["counts"]))

    @property
    def parts(self) -> int:
        """Return the number of parts."""
        return sum(each.parts for each in self.counts)

    def of_role(self, role: str) -> int:
        """Return the number of parts of a role."""
        return sum(each.parts for each in self.counts if each.role == role)


def part_counts_step() -> StepSpec:
    """Return the step that counts turns and parts; its artifact's facts hold the sums."""

    def count(shard: Shard, given: PieceInput) -> pa.Table:
        counts, sizes = (np.zeros((len(ROLES), len(KINDS)), dtype=np.int64) for _ in range(2))
        turns = 0
        for parts, _ in given.corpus.document_parts(shard):
            given.check()
            np.add.at(counts, (parts.role, parts.kind), 1)
            np.add.at(sizes, (parts.role, parts.kind), parts.sizes)
            turns += count_turns(parts)
        return pa.table({"parts": counts.ravel(), "bytes": sizes.ravel(), "turns": [turns] * counts.size})

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, count, part=_name))
        tables = [context.out.read_table(_name(shard)) for shard in context.corpus.shards()]
        found = [sum(table.column(name).to_numpy() for table in tables) for name in ("parts", "bytes")]
        places = [(role, kind) for role in ROLES for kind in KINDS]
        counts = [
            [role, kind, int(parts), int(size)]
            for (role, kind), parts, size in zip(places, *found, strict=True)
            if parts
        ]
        turns = sum(int(table.column("turns")[0].as_py()) for table in tables)
        context.out.commit(rows=context.documents.n, facts={"turns": turns, "counts": counts})

    return StepSpec(
        name=NAME,
        version=VERSION,
        upstream=("documents",),
        params={"convention": CONVENTION},
        title="Counting turns and parts",
        estimate=lambda size: Estimate(0.2 + size.bytes / 100e6, 8_000),
        run=run,
    )


def _name(shard: Shard) -> str:
    return f"counts-{shard.index:05d}"


def count_turns(parts: Parts) -> int:
    """Return the number of turns of all rows; parts of one turn lie side by side."""
    if not len(parts.turn):
        return 0
    begins = parts.first.copy()
    begins[1:] |= parts.turn[1:] != parts.turn[:-1]
    return int(begins.sum())
