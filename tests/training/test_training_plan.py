"""A plan carried out gives every token of the stream once, traceable to bytes, for any layout of the corpus."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from training_corpus import built, byte_level_tokenizer, full_recipe, planned, rows_of, study_of, write_rows

import tamis.data.shards as shards_module
from tamis.analytics.operators.text import normalize_text
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.analytics.training.built import BuiltPlan, build, estimate
from tamis.analytics.training.data import PIECES_SCHEMA, TrainingData
from tamis.analytics.training.packing import Method
from tamis.analytics.training.plan import TrainingPlan
from tamis.analytics.training.splits import check_leaks, random_split
from tamis.analytics.training.tokenizer import load_tokenizer
from tamis.data.errors import RecipeError, SettingError

ROWS = rows_of(400, twins=30)
METHODS: tuple[Method, ...] = ("best fit", "in order", "concatenate", "bucketed")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("training")
    return study_of(write_rows(folder / "corpus.parquet", ROWS), folder / "home")


def content(data: TrainingData) -> str:
    """Return the sha256 of all samples and their index, in order."""
    state = hashlib.sha256()
    for part in (*pa.Table.from_batches(data.batches(), data.schema).to_pylist(), *data.pieces().to_pylist()):
        state.update(repr(part).encode())
    return state.hexdigest()


def contents(plan: BuiltPlan) -> dict[str, str]:
    return {name: content(data) for name, data in plan.data.items()}


@pytest.mark.parametrize("tokenizer", ["bytes", "minilm-wordpiece", "byte level"])
@pytest.mark.parametrize("method", METHODS)
def test_sequences_hold_every_token_of_the_edited_texts_once(
    study: Study, method: Method, tokenizer: str, tmp_path: Path
) -> None:
    name = str(byte_level_tokenizer(tmp_path)) if tokenizer == "byte level" else tokenizer
    whole = built(study, full_recipe(method=method, tokenizer=name))
    own = load_tokenizer(name)
    texts = {row["id"]: normalize_text(row["text"]) for row in ROWS}
    for split, data in whole.data.items():
        assert data.tokens is not None and data.tokens.length == 128 and data.form == "tokens"
        table, index = pa.Table.from_batches(data.batches(), data.schema), data.pieces()
        assert index.schema == PIECES_SCHEMA
        found: dict[tuple[str, int, int], list[tuple[int, int, list[int], bytes]]] = {}
        at = 0
        for sample, row in enumerate(table.to_pylist()):
            assert 0 < len(row["input_ids"]) <= 128 and sum(row["piece_lengths"]) == len(row["input_ids"])
            begin = 0
            for size in row["piece_lengths"]:
                piece = index.slice(at, 1).to_pylist()[0]
                assert piece["sample"] == sample and piece["last_token"] - piece["first_token"] == size
                key = (piece["document_id"], piece["epoch"], piece["copy"])
                part = texts[piece["document_id"]].encode()[piece["first_byte"] : piece["last_byte"]]
                ids = row["input_ids"][begin : begin + size]
                found.setdefault(key, []).append((piece["first_token"], piece["last_token"], ids, part))
                begin, at = begin + size, at + 1
        assert at == index.num_rows
        stream = whole.plan.streams[split]
        keys = zip(
            study.facts.ids.take(stream.row).to_pylist(), stream.epoch.tolist(), stream.copy.tolist(), strict=True
        )
        assert sorted(found) == sorted(keys)
        for (document, _, _), pieces in found.items():
            pieces.sort()
            assert pieces[0][0] == 0 and all(a[1] == b[0] for a, b in pairwise(pieces))
            ids = [number for piece in pieces for number in piece[2]]
            expected = own.encode(pa.array([texts[document]], pa.large_string())).ids.tolist()
            assert ids == [*expected, data.eos_id]
            assert b"".join(piece[3] for piece in pieces) == texts[document].encode()


def test_any_slice_of_samples_is_read_alone(study: Study) -> None:
    data = built(study, full_recipe()).data["train"]
    whole, index = pa.Table.from_batches(data.batches(), data.schema).to_pylist(), data.pieces().to_pylist()
    for first, last in ((0, 1), (7, 30), (data.samples - 3, data.samples), (5, 5)):
        assert pa.Table.from_batches(data.batches(first, last), data.schema).to_pylist() == whole[first:last]
        assert data.pieces(first, last).to_pylist() == [row for row in index if first <= row["sample"] < last]
    assert data.sizes.tolist() == [2 * len(row["input_ids"]) for row in whole]


def test_rows_shards_and_threads_change_neither_digest_nor_samples(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built(study, full_recipe())
    order = np.random.default_rng(5).permutation(len(ROWS))
    shuffled = [ROWS[int(k)] for k in order]
    write_rows(tmp_path / "corpus" / "a.parquet", shuffled[:150], group=40)
    write_rows(tmp_path / "corpus" / "b.parquet", shuffled[150:], group=40)
    monkeypatch.setattr(shards_module, "SHARD_ROWS", 90)
    other = study_of(tmp_path / "corpus", tmp_path / "home")
    assert len(other.corpus.shards()) > 3
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    load_tokenizer.cache_clear()
    second = built(other, full_recipe())
    assert first.plan.digest == second.plan.digest
    assert contents(first) == contents(second)
    assert first.summary == second.summary


def test_the_same_tokenizer_in_another_folder_gives_the_same_digest_and_any_change_another(
    study: Study, tmp_path: Path
) -> None:
    one, two = byte_level_tokenizer(tmp_path / "one"), byte_level_tokenizer(tmp_path / "two")
    digests = [planned(study, full_recipe(tokenizer=str(path))).digest for path in (one, two)]
    assert digests[0] == digests[1]
    base, seen = full_recipe(), {digests[0]}
    changes = {
        "split": {"validation": 0.2}, "expand": {"epochs": 3}, "batches": {"size": 4},
        "pack": {"length": 64}, "unicode_normalization": {"form": "NFKC"}, "curriculum": {"order": "hard to easy"},
    }  # fmt: skip
    plans = [base]
    for name, params in changes.items():
        step = next(step for step in base if step.operator.name == name)
        plans.append(base.replaced(step.id, operator=type(step.operator)(**{**step.params, **params})))
    for recipe in plans:
        seen.add(planned(study, recipe).digest)
    assert len(seen) == 2 + len(changes)


def test_no_verified_twin_crosses_the_split_where_a_random_split_leaks(study: Study) -> None:
    plan = planned(study, full_recipe())
    assert plan.twins is not None and plan.leaks is not None and plan.leaks.pairs == 0
    assert len(plan.twins.pairs.left) >= 25, "planted"
    random = random_split(study.facts.keys[plan.rows], validation=0.1, test=0.05, seed=0)
    assert check_leaks(random, plan.twins, study.facts.ids.take(plan.rows)).pairs > 0
    shares = np.bincount(plan.split, weights=study.facts.whole("n_tokens")[plan.rows], minlength=3)
    assert (np.abs(shares / shares.sum() - [0.85, 0.1, 0.05]) < 0.02).all()


def test_epochs_and_copies_are_for_train_only(study: Study) -> None:
    plan = planned(study, full_recipe())
    for name in ("validation", "test"):
        stream = plan.streams[name]
        assert len(np.unique(stream.row)) == len(stream) and not stream.epoch.any() and not stream.copy.any()
    assert plan.streams["train"].epoch.max() == 1 and plan.streams["train"].copy.max() == 1


def test_batches_of_a_mixture_read_consecutive_samples(study: Study) -> None:
    whole = built(study, full_recipe())
    train = whole.splits["train"]
    assert train.batches is not None and train.summary.steps == len(train.batches)
    sources = {row["id"]: row["source"] for row in ROWS}
    index = train.data.pieces().to_pandas()
    index["tokens"] = index["last_token"] - index["first_token"]
    index["source"] = index["document_id"].map(sources)
    most = index.groupby(["sample", "source"], sort=True)["tokens"].sum().reset_index()
    group = (
        most.sort_values(["sample", "tokens", "source"], ascending=[True, False, True])
        .groupby("sample")
        .first()["source"]
    )
    share = group.value_counts() * 8 / len(group)
    for step in range(train.batches.full):
        held = group.iloc[8 * step : 8 * step + 8].value_counts()
        assert all(abs(held.get(name, 0) - share[name]) < 1 for name in share.index)


def test_without_pack_samples_are_texts_in_the_order_of_the_stream(study: Study) -> None:
    recipe = full_recipe().without("pack").without("batches")
    whole = built(study, recipe)
    texts = {row["id"]: normalize_text(row["text"]) for row in ROWS}
    for split, data in whole.data.items():
        table = pa.Table.from_batches(data.batches(), data.schema)
        stream = whole.plan.streams[split]
        assert (
            data.form == "text"
            and table.column("document_id").to_pylist() == study.facts.ids.take(stream.row).to_pylist()
        )
        assert table.column("text").to_pylist() == [texts[name] for name in table.column("document_id").to_pylist()]
        index = data.pieces()
        assert index.column("last_byte").to_pylist() == [
            len(text.encode()) for text in table.column("text").to_pylist()
        ]
        assert data.sizes.tolist() == index.column("last_byte").to_pylist()


def test_a_recipe_without_steps_of_training_is_one_text_per_copy(study: Study) -> None:
    whole = built(study, Recipe().with_operator("rehydrate", signal="n_tokens", bins=[{"at_least": 0, "copies": 2}]))
    assert list(whole.data) == ["train"] and whole.data["train"].samples == 2 * study.facts.n


def test_padding_fills_every_sequence_and_no_piece(study: Study) -> None:
    whole = built(study, full_recipe(pad=True))
    for data, summary in zip(whole.data.values(), whole.summary, strict=True):
        for row in pa.Table.from_batches(data.batches(), data.schema).to_pylist():
            used = sum(row["piece_lengths"])
            assert len(row["input_ids"]) == 128 and set(row["input_ids"][used:]) <= {data.pad_id}
        assert summary.padding == pytest.approx(1 - summary.tokens / (128 * summary.samples))


def test_the_estimate_is_close_where_the_counts_are_those_of_the_tokenizer(study: Study) -> None:
    recipe = full_recipe()
    exact, guessed = built(study, recipe).summary, estimate(planned(study, recipe))
    for one, two in zip(exact, guessed, strict=True):
        assert (
            one.exact
            and not two.exact
            and (one.split, one.documents, one.items) == (two.split, two.documents, two.items)
        )
        assert abs(one.samples - two.samples) <= 0.05 * one.samples + 1


@pytest.mark.parametrize("separator", ["begin", "none"])
def test_the_separator_is_where_the_recipe_wants_it(study: Study, separator: str) -> None:
    data = built(study, full_recipe(separator=separator)).data["test"]
    index = data.pieces().to_pylist()
    ids = [
        number for row in pa.Table.from_batches(data.batches(), data.schema).to_pylist() for number in row["input_ids"]
    ]
    marks = ids.count(101)  # [CLS]
    begins = sum(piece["first_token"] == 0 for piece in index)
    assert marks == (begins if separator == "begin" else 0)


def test_a_stopped_run_goes_on_and_gives_the_same(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "SHARD_ROWS", 90)
    other = study_of(write_rows(tmp_path / "corpus.parquet", ROWS, group=40), tmp_path / "home")
    plan = planned(other, full_recipe())
    module = __import__("tamis.analytics.training.token_store", fromlist=["_make"])
    made, real = [], module._make

    def stop(shard, given):  # type: ignore[no-untyped-def]
        made.append(shard.index)
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(shard, given)

    monkeypatch.setattr(module, "_make", stop)
    with pytest.raises(KeyboardInterrupt):
        build(plan)
    again = build(plan)
    assert made == [0, 1, 2, 2, *range(3, len(other.corpus.shards()))] or (made[:3] == [0, 1, 2] and 0 not in made[3:])
    assert contents(again) == contents(built(study, full_recipe()))


def recipe_with(**params: object) -> Recipe:
    """Return a recipe with one step of training."""
    ((name, given),) = params.items()
    return Recipe().with_operator(name, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        (recipe_with(split={"validation": 0.000001}), "split validation is empty.*raise the share"),
        (recipe_with(split={"by": "source", "validation": 0.1}), "split validation is empty.*largest of"),
        (recipe_with(expand={"order": "recipe order"}), "no step gives one.*add a curriculum"),
        (recipe_with(expand={"epochs": 3, "window": 400}), "cannot lie so far apart.*smaller window"),
        (recipe_with(pack={"tokenizer": "none/such"}), "No such tokenizer"),
        (recipe_with(pack={"tokenizer": "minilm-bytes"}), "gives no ids"),
        (recipe_with(pack={"special": "<|nothing|>"}), "no such special token.*separator none"),
        (Recipe().with_operator("signal_range", signal="bytes", min=10**9), "keeps no document"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_made(study: Study, recipe: Recipe, fault: str) -> None:
    study.measure(recipe)
    outcome = study.evaluate(recipe)
    before = sorted(study.workspace.root.rglob("*"))
    with pytest.raises((RecipeError, SettingError), match=fault):
        TrainingPlan.make(study, outcome)
    assert sorted(study.workspace.root.rglob("*")) == before
