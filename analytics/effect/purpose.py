"""A study with a purpose: target, protocol and bench to measure effects with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.effect.bench import Bench, Cleaning, Protocol
from tamis.analytics.effect.target import SEARCH_HALVES, Target, TargetEntry
from tamis.analytics.embedding.stored_vectors import load_vectors, text_embedder_of
from tamis.analytics.facts.facts import Facts
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.word_numbers import NAME as WORDS
from tamis.analytics.signals.word_numbers import WordTable, words_step
from tamis.analytics.study.pictures import is_pictured
from tamis.analytics.study.study import Study, artifacts_of, find_artifact
from tamis.analytics.text.word_stream import WordHashes, WordStream
from tamis.data.artifact import Artifact
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress
from tamis.data.store import ArtifactKey

BENCH_VERSION = 1
LABELS = ("label",)
STRATA = ("cluster", "source", "lang")
MOST_REFERENCES = 1_000
UNIT_OF_PICTURES = "pictures"


@dataclass(frozen=True, eq=False)
class EffectStudy:
    """Everything to measure effects with; ``open`` makes it.

    Attributes:
        study: the analysed corpus.
        target: texts of the purpose, None to measure without a verdict.
        name: of the target, empty without one.
        protocol: sizes and seeds.
        words: the corpus as word numbers.
        bench: training candidates, hold-out and test texts.
        label_column: facts column of the probed labels, empty for none.
    """

    study: Study
    target: Target | None
    name: str
    protocol: Protocol
    words: WordTable
    bench: Bench
    label_column: str

    @classmethod
    def open(
        cls,
        study: Study,
        target: TargetEntry | None = None,
        *,
        protocol: Protocol | None = None,
        label_column: str | None = None,
        search: bool = False,
        halves: str = SEARCH_HALVES,
        progress: Progress | None = None,
    ) -> EffectStudy:
        """Number the words of the corpus and set test texts and hold-out apart, or load the stored results.

        Args:
            study: the analysed corpus.
            target: what it is for.
            protocol: sizes and seeds.
            label_column: facts column to probe; the role ``label`` by default, empty for none.
            search: measure on the half that recipes may see, cut in two again; the test half stays unread.
            halves: salt of that cut.
            progress: where to report.

        Raises:
            SettingError: no test text of the target can be scored, or the corpus holds pictures.
        """
        if target is not None and is_pictured(study.corpus):
            raise SettingError(
                "A target of texts gives no verdict on pictures", value=target.name,
                fix="measure without a target: by a linear probe on the labels, and by coverage",
            )  # fmt: skip
        watch, rules = progress or NullProgress(), protocol or Protocol()
        artifact = artifacts_of(study, [words_step()], progress=watch)[WORDS]
        words = WordTable(artifact, study.documents)
        texts = Target.open(study.workspace, target.digest) if target else None
        if search and texts is not None:
            texts = texts.for_search(study.workspace, halves=halves)
        bench = _bench(study, words, texts, rules, watch)
        known = [name for name in LABELS if name in study.facts.columns]
        column = (known[0] if known else "") if label_column is None else label_column
        return cls(study, texts, target.name if target else "", rules, words, bench, column)

    @property
    def params(self) -> Mapping[str, Any]:
        """Return the parameters of results besides the corpus and the selection."""
        return {
            "protocol": asdict(self.protocol),
            "target": self.target.digest if self.target else "",
            "halves": self.target.halves if self.target else "",
            "label": self.label_column,
            **({"unit": UNIT_OF_PICTURES} if self.pictures else {}),
        }

    @property
    def pictures(self) -> bool:
        """Return whether the documents are pictures: no text is measured then, and sizes are numbers of documents."""
        return is_pictured(self.study.corpus)

    @property
    def upstream(self) -> tuple[str, ...]:
        """Return the input artifacts of results."""
        embeddings = find_artifact(self.study, "embeddings")
        return (self.words.artifact.digest, *([embeddings.digest] if embeddings else []))

    def copies(self, recipe: Recipe, *, progress: Progress | None = None) -> NDArray[np.int32]:
        """Measure what the rules of a recipe need and return the copies it selects, int32 (n,)."""
        self.study.measure(recipe, progress=progress)
        return self.study.evaluate(recipe, progress=progress).copies

    @cached_property
    def group(self) -> NDArray[np.int64]:
        """Return the facts row of the first document with the same normalised text, int64 (n,), -1 for none."""
        return groups_of(self.study.facts)

    @cached_property
    def labels(self) -> NDArray[np.int64] | None:
        """Return the class of each document, int64 (n,), -1 without one; None without labels."""
        if not self.label_column:
            return None
        values = self.study.facts.array(self.label_column).cast(pa.string())
        names = pa.array(sorted(name for name in values.unique().to_pylist() if name is not None), pa.string())
        places = pc.index_in(values, value_set=names).fill_null(-1)
        return np.asarray(places.to_numpy(zero_copy_only=False), dtype=np.int64)

    @cached_property
    def _embeddings(self) -> Artifact | None:
        return find_artifact(self.study, "embeddings")

    @cached_property
    def vectors(self) -> NDArray[np.float16] | None:
        """Return the embeddings in facts order, (n, d), None without any."""

        return None if self._embeddings is None else load_vectors(self._embeddings, self.study.documents)

    @cached_property
    def target_vectors(self) -> NDArray[np.float16] | None:
        """Return embeddings of the target's test half in the same space, None without embeddings or target."""

        if self._embeddings is None or self.target is None:
            return None
        return text_embedder_of(self._embeddings, self.study.workspace).encode(self.target.unseen[:MOST_REFERENCES])


def groups_of(facts: Facts) -> NDArray[np.int64]:
    """Return the duplicate groups of a corpus, int64 (n,), -1 for ungrouped documents."""
    return facts.whole("norm_group") if "norm_group" in facts.columns else np.full(facts.n, -1, dtype=np.int64)


def strata_of(facts: Facts) -> NDArray[np.int64]:
    """Return the strata of the hold-out, int64 (n,) from 0: clusters, else sources, else languages."""
    name = next((name for name in STRATA if name in facts.columns), None)
    if name is None:
        return np.zeros(facts.n, dtype=np.int64)
    values = facts.array(name).cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False).astype(str)
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _bench(study: Study, words: WordTable, target: Target | None, protocol: Protocol, progress: Progress) -> Bench:
    """Prepare the bench, or read the stored one."""
    empty = WordStream(np.empty(0, dtype=np.uint16), np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64))
    seen = unseen = empty
    if target is not None:
        seen, unseen = (words.vocabulary.encode(WordHashes.of(part)) for part in (target.seen, target.unseen))
    params = {
        "protocol": asdict(protocol),
        "target": target.digest if target else "",
        "halves": target.halves if target else "",
        "facts": study.facts.digest,
    }
    facts, store, size = study.facts, study.workspace.store, study.documents.bytes
    if is_pictured(study.corpus):
        params["unit"], size = UNIT_OF_PICTURES, np.ones(study.facts.n, dtype=np.int64)
    key = ArtifactKey("effect_bench", BENCH_VERSION, study.corpus.text_fingerprint, params, (words.artifact.digest,))
    found = store.find(key)
    if found is None:
        progress.step("setting test texts apart", facts.n)
        with store.writer(key) as out:
            bench = Bench.prepare(
                words,
                facts.keys,
                size,
                group=groups_of(facts),
                stratum=strata_of(facts),
                seen=seen,
                unseen=unseen,
                protocol=protocol,
            )
            out.write_array("allowed", bench.allowed)
            out.write_array("first", bench.first)
            out.write_array("holdout", bench.holdout)
            out.write_array("scored", bench.scored)
            out.commit(rows=facts.n, facts={"cleaning": asdict(bench.cleaning)})
        return bench
    return Bench(
        words=words,
        keys=facts.keys,
        bytes=size,
        allowed=found.array("allowed"),
        first=found.array("first"),
        holdout=found.array("holdout"),
        scored=found.array("scored"),
        unseen=unseen.take(found.array("scored")),
        seen=seen,
        cleaning=Cleaning(**found.facts["cleaning"]),
        protocol=protocol,
    )
