"""A small corpus with planted near-duplicates, long documents and texts of many scripts, as a study for training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.analytics.training.built import BuiltPlan, build
from tamis.analytics.training.plan import TrainingPlan
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

WORDS = (
    "river", "mill", "stone", "water", "bridge", "harbour", "lantern", "cellar", "winter", "market", "garden", "copper",
    "silver", "feather", "mountain", "valley", "orchard", "kitchen", "window", "letter", "paper", "engine", "signal",
    "castle", "island", "forest", "meadow", "harvest", "thunder", "shadow", "mirror",
)  # fmt: skip
STRANGE = (
    "naïve café 🦊🦊",
    "漢字かな交じり文。もう一つの文。",
    "Привет, мир",
    "<|endoftext|> [SEP] is only text",
    "a\u0301e\u0301",
    "\t \n",
)


def texts_of(count: int, *, seed: int = 0) -> list[str]:
    """Return texts: sentences in paragraphs, one in ten long, one in ten strange."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        sentences = int(draw.integers(1, 6)) * (12 if number % 10 == 0 else 1)
        lines = [" ".join(draw.choice(WORDS, int(draw.integers(4, 14)))).capitalize() + "." for _ in range(sentences)]
        breaks = draw.choice([" ", "\n", "\n\n"], sentences, p=[0.7, 0.15, 0.15])
        text = "".join(line + mark for line, mark in zip(lines, breaks, strict=True)).rstrip()
        found.append(f"{text} {STRANGE[number // 10 % len(STRANGE)]}" if number % 10 == 3 else text)
    return found


def rows_of(count: int, *, twins: int = 0, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows; the last ``twins`` documents are near-duplicates of as many others."""
    texts = texts_of(count - twins, seed=seed)
    longer = [text for text in texts if len(text.split()) > 40][:twins]
    texts += [f"{text} Twin." for text in longer]
    sources = ("books", "web", "web", "web", "forum")
    return [{"id": f"d{k:05d}", "text": text, "source": sources[k % 5]} for k, text in enumerate(texts)]


def write_rows(path: Path, rows: list[dict[str, Any]], *, group: int = 1000) -> Path:
    """Write rows as Parquet with row groups of a size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def study_of(path: Path, home: Path, **opening: Any) -> Study:
    """Return the study of a corpus: columns, tokens and exact duplicates."""
    corpus = open_corpus(path, **opening)
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step())
    return Study.open(corpus, Workspace(home), steps=(*measured, facts_step(measured)))


def planned(study: Study, recipe: Recipe) -> TrainingPlan:
    """Return the plan of a recipe."""
    study.measure(recipe)
    return TrainingPlan.make(study, study.evaluate(recipe))


def built(study: Study, recipe: Recipe) -> BuiltPlan:
    """Return the plan of a recipe, carried out."""
    return build(planned(study, recipe))


def full_recipe(**pack: Any) -> Recipe:
    """Return a recipe that repeats, orders, edits, splits, expands, packs and composes batches."""
    recipe = Recipe(title="All of training").with_operator("signal_range", signal="bytes", min=20)
    recipe = recipe.with_operator(
        "rehydrate", signal="n_tokens", bins=[{"at_least": 0, "copies": 1}, {"at_least": 60, "copies": 2}]
    )
    recipe = recipe.with_operator("curriculum", order="easy to hard", difficulty="n_tokens")
    recipe = recipe.with_operator("unicode_normalization", form="NFC")
    recipe = recipe.with_operator("split", validation=0.1, test=0.05, similarity=0.6)
    recipe = recipe.with_operator("expand", epochs=2, order="recipe order, then shuffle", seed=1)
    recipe = recipe.with_operator("pack", **{"length": 128, "window": 100, **pack})
    return recipe.with_operator("batches", size=8, mode="mixture", by="source")


def byte_level_tokenizer(
    folder: Path, *, special: tuple[str, ...] = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
) -> Path:
    """Train a byte-level vocabulary with GPT-2's pattern and write it as a folder; return its ``tokenizer.json``."""
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    library.train_from_iterator(texts_of(300, seed=9), trainer)
    folder.mkdir(parents=True, exist_ok=True)
    library.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings if special else {}))
    return folder / "tokenizer.json"
