"""Parameters to try every operator with, and the evidence they need on synthetic facts.

Each registered operator has at least one entry: the laws run over all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.analytics.embedding.kmeans import rescale_rows
from tamis.analytics.embedding.stored_vectors import VECTORS
from tamis.analytics.facts.facts import Facts
from tamis.analytics.facts.stored_sets import FrozenClustering, MemorySources
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.steps.measures import MEASURES, Measure, Pairs
from tamis.analytics.study.evidence import LocalEvidence
from tamis.analytics.text.siphash import hash_slices
from tamis.data.hashing import digest, uniform

CLUSTERING = digest("a clustering")
ID_SET = digest("an id set")
MAP = digest("a map")
SCORER = digest("a scorer")
CONCEPTS = digest("concepts")
SPANS = digest("spans")

EXAMPLES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "signal_range": [
        {"signal": "n_words", "min": 60, "max": 400},
        {"signal": "symbol_word_ratio", "max": 0.1, "strict_max": True, "missing": "drop"},
        {"signal": "mean_word_length", "min": 5.25, "strict_min": True, "mode": "drop"},
    ],
    "language": [{"languages": ["en", "de"]}, {"languages": ["zh"], "min_confidence": 0.8, "mode": "drop"}],
    "category": [
        {"column": "source", "values": ["source-01", "source-00", "it's"]},
        {"column": "label", "values": ["news"]},
    ],
    "grouped_range": [
        {"signal": "n_words", "bounds": [{"value": "en", "min": 50}, {"value": "de", "min": 40, "max": 900}]},
        {
            "signal": "mean_word_length",
            "by": "source",
            "bounds": [{"value": "it's", "max": 5.1}, {"value": "", "min": 1}],
            "others": "drop",
            "mode": "drop",
        },
    ],
    "regex": [{"pattern": "(?i)lorem"}, {"pattern": "[0-9]{4}", "min_matches": 2, "mode": "keep"}],
    "chat_tokens": [
        {"template": "{{ messages }}", "min": 1, "max": 2},
        {"template": "{{ 1 }}", "context": 9, "value_of": "cut_share", "max": 0, "mode": "drop", "missing": "drop"},
    ],
    "ifd_band": [{"max": 1.0}, {"model": "there", "most": 64, "min": 0.2, "max": 0.9, "mode": "drop"}],
    "pair_likelihood": [{"min": 0.0}, {"model": "there", "min": -1.5, "max": 2, "missing": "drop"}],
    "sql_predicate": [
        {"predicate": "n_words > 100 AND (lang = 'en' OR digit_share / upper_share < 0.5)"},
        {"predicate": "source LIKE 'source-0%' and not label in ('news')", "mode": "drop"},
    ],
    "cluster": [{"clusters": [3, 1, 3, -1], "clustering": CLUSTERING}],
    "id_list": [{"stored": ID_SET}, {"ids": ["not there", "0"], "mode": "drop"}],
    "map_polygon": [
        {"vertices": [[0, 0], [5, 0], [5.5, 5]], "map": MAP, "ids": ID_SET, "documents": 4, "mode": "drop"}
    ],
    "all_of": [
        {
            "rules": [
                {"operator": "signal_range", "params": {"signal": "n_words", "min": 100}},
                {"operator": "language", "params": {"languages": ["en"]}},
            ],
            "mode": "drop",
        }
    ],
    "any_of": [
        {
            "rules": [
                {"operator": "signal_range", "params": {"signal": "n_words", "max": 90, "missing": "drop"}},
                {"operator": "regex", "params": {"pattern": "lorem", "mode": "keep", "missing": "drop"}},
            ],
        }
    ],
    "percentile_band": [
        {"signal": "compression_ratio", "low": 5, "high": 95},
        {"signal": "mean_word_length", "high": 80, "within": "lang", "missing": "drop"},
        {
            "signal": "n_words",
            "low": 5,
            "within": "source",
            "bounds": [{"value": "source-01", "min": 30, "max": 400}, {"value": "", "min": 1}],
        },
    ],
    "exact_dedup": [
        {},
        {"compare": "raw text", "keep": "highest signal", "signal": "unigram_entropy", "max_copies": 2},
        {"keep": "source order", "sources": ["source-03", "source-00"], "within": "lang"},
    ],
    "image_exact_dedup": [
        {"keep": "first id"},
        {"compare": "bytes", "keep": "best caption", "max_copies": 2, "within": "lang"},
    ],
    "image_near_dedup": [
        {"keep": "best caption"},
        {"threshold": 0.55, "turned": True, "keep": "highest signal", "signal": "outlier", "within": "lang"},
        {"keep": "source order", "sources": ["source-03"], "then": ["newest"], "date": "meta_year", "max_copies": 2},
    ],
    "image_semantic_dedup": [
        {"keep": "best caption"},
        {"eps": 0.3, "keep": "oldest", "date": "meta_year", "max_copies": 2, "within": "lang"},
    ],
    "near_dedup": [
        {},
        {"threshold": 0.6, "similarity": "containment", "n": 3, "keep": "newest", "date": "meta_year", "max_copies": 2},
        {"within": "lang", "keep": "longest", "then": ["oldest"], "date": "label", "unit": "character"},
        {"clustering": CLUSTERING, "cluster_copies": [[3, 4], [-1, 2]], "keep": "lowest signal", "signal": "outlier"},
    ],
    "semantic_dedup": [
        {"eps": 0.3},
        {"eps": 0.2, "rule": "published", "vectors": "analysis", "allow_static": True},
        {"eps": 0.1, "within": "lang", "keep": "highest signal", "signal": "outlier", "max_copies": 3},
    ],
    "decontaminate": [
        {"evaluation": digest("evaluation")},
        {"evaluation": digest("evaluation"), "min_matches": 2, "overlap": 0.5, "shortest": 4, "mode": "keep"},
    ],
    "idf_decontaminate": [
        {"evaluation": digest("evaluation")},
        {"evaluation": digest("evaluation"), "parts": ["passage", "answer"], "share": 1, "shortest": 3, "mode": "keep"},
    ],
    "exclude_known": [{"reference": digest("known")}, {"reference": digest("known"), "similarity": 1, "bands": 8}],
    "boilerplate": [{}, {"unit": "paragraph", "documents": 3, "words": 5, "share": 1, "mode": "keep"}],
    "line_quality": [{}, {"below": 0.5}],
    "line_loss": [{}, {"below": 0.4, "share": 0, "mode": "keep", "missing": "drop"}],
    "cut_spans": [{"spans": SPANS}],
    "substring_dedup": [{}, {"length": 40, "share": 1, "mode": "keep"}],
    "c4_lines": [{}, {"variant": "c4_any_end"}],
    "unicode_normalization": [{}, {"form": "NFKC", "controls": False}],
    "mojibake_repair": [{}],
    "pii_redaction": [{}, {"kinds": ["ip", "email"], "style": "example"}],
    "repeat_removal": [{}, {"unit": "paragraph", "shortest": 20}],
    "remove_passages": [{"passages": ["All rights reserved.", " Page 1 "]}, {"passages": ["x"], "unit": "paragraph"}],
    "split": [
        {},
        {
            "validation": 0.1,
            "test": 0.05,
            "share_of": "documents",
            "together": ["same text"],
            "by": "source",
            "seed": 3,
        },
    ],
    "expand": [{}, {"epochs": 3, "order": "recipe order, then shuffle", "weights": False, "window": 20}],
    "pack": [
        {},
        {"length": 64, "tokenizer": "bytes", "method": "in order", "separator": "none", "cuts": "token", "pad": True},
        {"length": 512, "method": "bucketed", "special": "[SEP]", "template": "{{ messages }}", "mask": "none"},
    ],
    "batches": [
        {},
        {"size": 8, "mode": "mixture", "by": "source"},
        {"size": 16, "mode": "homogeneous", "difficulty": "n_words", "bins": 3, "seed": 4},
    ],
    "random_sample": [{"share": 0.4, "seed": 7}, {"count": 50}, {"count": 9, "within": "source", "seed": 1}],
    "token_budget": [
        {"amount": 20_000},
        {"amount": 60_000, "unit": "bytes", "order": "lowest", "signal": "compression_ratio"},
        {"amount": 77, "unit": "documents", "seed": 5},
    ],
    "top_share": [
        {"signal": "unigram_entropy", "share": 0.3},
        {"signal": "outlier", "best": "lowest", "tokens": 9_000, "within": "lang"},
    ],
    "softmax_sample": [
        {"signal": "compression_ratio", "share": 0.5, "seed": 3},
        {"signal": "n_words", "documents": 40, "temperature": 0.2, "within": "source"},
    ],
    "coverage_sample": [
        {"share": 0.2},
        {"documents": 15, "within": "lang", "neighbours": 3},
        {"tokens": 9_000},
        {"share": 0.1, "by": "vectors"},
    ],
    "diverse_sample": [{"share": 0.1}, {"documents": 12, "within": "lang"}, {"tokens": 9_000, "vectors": "precise"}],
    "orthogonal_scores": [
        {"scores": [{"signal": "unigram_entropy"}, {"signal": "n_words", "weight": -0.5}], "share": 0.2},
        {
            "scores": [{"signal": "outlier"}, {"signal": "digit_share"}, {"signal": "compression_ratio", "weight": 2}],
            "tokens": 9_000,
            "within": "lang",
            "components": 2,
        },
    ],
    "stratified_share": [{"signal": "compression_ratio"}, {"signal": "n_words", "share": 0.6, "drop_hardest": 0.2}],
    "perplexity_band": [
        {"share": 0.5, "signal": "unigram_entropy"},
        {"tokens": 20_000, "part": "low", "within": "lang", "signal": "compression_ratio"},
    ],
    "dsir": [{"model": SCORER, "share": 0.4, "temperature": 0.5}, {"model": SCORER, "tokens": 30_000}],
    "moore_lewis": [{"model": SCORER, "documents": 100, "target": "manuals"}],
    "target_classifier": [{"model": SCORER, "share": 0.2, "within": "lang"}],
    "embedding_classifier": [
        {"model": SCORER, "share": 0.2},
        {"model": SCORER, "target": "complaints", "min_probability": 0.6, "vectors": "precise"},
    ],
    "target_similarity": [{"model": SCORER, "share": 0.7, "temperature": 2.0, "seed": 8}],
    "similar_meaning": [
        {"model": SCORER, "target": "a licence text", "min_cosine": 0.625},
        {"model": SCORER, "vectors": "precise", "min_cosine": 0.1, "mode": "drop", "missing": "drop"},
    ],
    "cluster_budget": [
        {"concepts": CONCEPTS, "share": 0.3},
        {"concepts": CONCEPTS, "documents": 200, "complexity": "measured", "keep": "random", "alpha": 0.5, "tau": 2},
    ],
    "mixture": [
        {"by": "lang", "alpha": 0.3},
        {"by": "lang", "alpha": 0.3, "unit": "documents", "documents": 40, "max_copies": 2},
        {"weights": [{"group": "source-00", "weight": 2}, {"group": "source-05", "weight": 1}], "share": 0.2},
        {"by": "label", "alpha": 0, "share": 1.5, "max_copies": 3, "prefer": "unigram_entropy"},
        {"by": "label", "weights": [{"group": "news", "weight": 3}], "other": 1, "output": "weights"},
        {
            "by": "lang",
            "tiers": 2,
            "quality": "unigram_entropy",
            "weights": [{"group": "en · tier 2", "weight": 3}, {"group": "de · tier 1", "weight": 1}],
            "other": 0.5,
            "share": 0.2,
        },
    ],
    "rehydrate": [{}, {"signal": "n_words", "bins": [{"at_least": 50, "copies": 2}, {"at_least": 500, "copies": 0}]}],
    "quality_curve": [
        {"signal": "unigram_entropy", "tokens": 30_000},
        {"signal": "unigram_entropy", "unit": "documents", "share": 0.5},
        {
            "signal": "compression_ratio",
            "best": "lowest",
            "within": "lang",
            "share": 1.5,
            "below": 0,
            "power": 2,
            "rate": 0,
            "max_copies": 3,
            "weights": [{"group": "en", "weight": 2}, {"group": "fi", "weight": 9}],
        },
    ],
    "quadmix": [
        {"scores": [{"signal": "unigram_entropy"}]},
        {"scores": [{"signal": "unigram_entropy"}], "unit": "documents", "documents": 60},
        {
            "scores": [{"signal": "n_words", "weight": -1}, {"signal": "outlier", "weight": 0.5}],
            "within": "source",
            "threshold": 0.4,
            "share": 0.8,
            "seed": 4,
            "domains": [{"value": "source-01", "threshold": 0, "floor": 0.5}, {"value": "it's", "strength": 3}],
        },
        {
            "scores": [{"signal": "n_words"}, {"signal": "outlier", "weight": 0.5}],
            "within": "source",
            "weights": [
                {"value": "source-01", "signal": "n_words", "weight": -2},
                {"value": "it's", "signal": "outlier"},
            ],
        },
    ],
    "upsample": [{"signal": "unigram_entropy"}, {"signal": "n_words", "best": "lowest", "max_copies": 9, "power": 2}],
    "curriculum": [
        {},
        {"order": "easy to hard", "difficulty": "compression_ratio"},
        {"order": "hard to easy", "difficulty": "compression_ratio", "hard": "lowest"},
        {"order": "warm-up then random", "difficulty": "n_words", "seed": 2},
        {"order": "interleaved", "difficulty": "n_words", "slices": 7},
        {"order": "best last", "difficulty": "unigram_entropy", "warm_up": 0.25},
    ],
}


def operators() -> list[Operator]:
    """Return every example as an operator."""
    return [OPERATORS.build(name, params) for name, examples in EXAMPLES.items() for params in examples]


class Evidence(LocalEvidence):
    """Evidence for examples: heavy measures are invented from the document keys, quick ones are real."""

    def array(self, measure: Measure, name: str) -> Any:
        """Return a measured array: quick ones as they are, invented vectors, others as small keyed counts."""
        if MEASURES[measure.kind].quick is not None:
            return super().array(measure, name)
        if measure.kind == VECTORS:
            draws = [uniform(self.facts.keys, seed=k, salt="vectors") - 0.5 for k in range(6)]
            return rescale_rows(np.array(draws, dtype=np.float32).T).astype(np.float16)
        if name == "first":
            return self._first()
        return (self.facts.keys % np.uint64(4)).astype(np.int32)

    def pairs(self, measure: Measure) -> Pairs:
        """Return invented pairs: each set with the two that follow it, similarity by keys."""
        alone = np.unique(self._first())
        left = np.concatenate([alone[:-1], alone[:-2]])
        right = np.concatenate([alone[1:], alone[2:]])
        mixed = (self.facts.keys[left] ^ self.facts.keys[right]) % np.uint64(100)
        return Pairs(left, right, (mixed.astype(np.float32) / np.float32(99)))

    def _first(self) -> Any:
        group = self.facts.whole("norm_group")
        return np.where(group < 0, np.arange(self.facts.n), group)


def evidence(facts: Facts) -> Evidence:
    """Return evidence with the id set and the clustering that the examples name."""
    chosen = facts.ids.take(pa.array(np.flatnonzero(facts.keys % np.uint64(3) == 0)))
    clustering = FrozenClustering(CLUSTERING, facts.ids, facts.array("cluster").to_numpy().astype(np.int32))
    return Evidence(facts, MemorySources({ID_SET: chosen}, {CLUSTERING: clustering}))


def repeated_spans(_: str) -> pa.Table:
    """Return the table of spans that the examples name: one text loses its first three bytes."""
    text = b"abcdef\xff"
    one, two = hash_slices(np.frombuffer(text, dtype=np.uint8), np.array([0, len(text)]))[0].tolist()
    columns = {"one": pa.array([one], pa.uint64()), "two": pa.array([two], pa.uint64())}
    return pa.table({**columns, "begin": pa.array([0], pa.int64()), "end": pa.array([3], pa.int64())})
