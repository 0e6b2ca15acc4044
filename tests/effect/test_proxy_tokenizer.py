"""Proxy models that read tokens: bits per byte all the same, honest sizes, own results, and bytes as they were."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from planted_study import planted_study
from training_corpus import byte_level_tokenizer
from vocabularies import trained

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.dataset_card import to_card
from tamis.analytics.effect.mixture_transformer import TransformerProxy
from tamis.analytics.effect.proxy_arm import Arm, ArmReader
from tamis.analytics.effect.proxy_effect import measure_proxy
from tamis.analytics.effect.proxy_ground import ProxyGround
from tamis.analytics.effect.proxy_model import ProxyModel
from tamis.analytics.effect.proxy_plan import (
    SIZES,
    SYMBOLS,
    ProxyPlan,
    find_tokenizer,
    tokenizer_anywhere,
    tokenizer_title,
)
from tamis.analytics.effect.proxy_result import ProxyEffect
from tamis.analytics.effect.proxy_text import TokenTexts
from tamis.analytics.effect.proxy_training import train_proxy
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.report import collect_report
from tamis.analytics.effect.report_html import to_html
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import SettingError

TEXTS = ["the river runs", "", "Ünïcode 中文 😀", "  white \n\n space\t", "x" * 300]
CLEAN = Recipe(title="clean").with_operator("category", values=["target"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(byte_level_tokenizer(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> EffectStudy:
    study, target, _ = planted_study(tmp_path_factory.mktemp("tokens"))
    return EffectStudy.open(study, target, protocol=Protocol(budget_bytes=60_000, holdout_bytes=40_000))


@pytest.fixture(scope="module")
def plan(tokenizer: str) -> ProxyPlan:
    return ProxyPlan(tokens=33_000, seeds=1, shares=(), tokenizer=tokenizer)


@pytest.fixture(scope="module")
def clean(bed: EffectStudy, plan: ProxyPlan) -> ProxyEffect:
    return measure_proxy(bed, CLEAN, plan)


@pytest.mark.parametrize(("size", "digest"), [("0.5M", "c481e5c0c6b966af"), ("2M", "953755b7937b275c")])
def test_models_of_bytes_have_the_key_and_the_job_they_had_before_there_were_tokenizers(size: str, digest: str) -> None:
    plan = ProxyPlan(size, 500_000)
    params = json.dumps(plan.params("float32"), sort_keys=True)
    assert hashlib.sha256(params.encode()).hexdigest().startswith(digest)
    assert set(plan.to_json()) == {"size", "tokens", "seeds", "shares", "device"}
    assert ProxyPlan(size, 500_000, tokenizer="bytes") == plan and plan.spec is SIZES[size]


def test_results_of_bytes_have_no_word_of_tokenizers(clean: ProxyEffect) -> None:
    assert clean.to_json()["tokenizer"] == clean.tokenizer and ProxyEffect.from_json(clean.to_json()) == clean
    of_bytes = replace(clean, tokenizer="bytes", bytes_per_token=1.0)
    assert {"tokenizer", "bytes_per_token"}.isdisjoint(of_bytes.to_json())
    assert ProxyEffect.from_json(of_bytes.to_json()) == of_bytes


def test_a_tokenizer_counts_by_its_content(tokenizer: str, plan: ProxyPlan, tmp_path: Path) -> None:
    copy = tmp_path / "tokenizer.json"
    copy.write_bytes(Path(tokenizer).read_bytes())
    same = replace(plan, tokenizer=str(copy))
    assert same.params("float32") == plan.params("float32") != replace(plan, tokenizer="bytes").params("float32")
    other = tmp_path / "other.json"
    trained("gpt2").save(str(other))
    assert replace(plan, tokenizer=str(other)).params("float32")["tokenizer"] != plan.params("float32")["tokenizer"]


def test_a_size_says_what_it_is_with_a_vocabulary(plan: ProxyPlan) -> None:
    vocabulary = find_tokenizer(plan.tokenizer).vocabulary
    size, of_bytes = plan.spec, SIZES["0.5M"]
    assert size.symbols == vocabulary + 1
    assert size.parameters - of_bytes.parameters == (size.symbols - SYMBOLS) * size.width
    assert sum(part.numel() for part in ProxyModel(size, seed=0).parameters()) == size.parameters
    assert size.speed < of_bytes.speed and plan.seconds > 0
    large = of_bytes.with_symbols(200_019)
    assert large.scored_rows * large.context * large.symbols <= 1 << 25 and of_bytes.scored_rows == 64


def test_tokens_and_bytes_of_a_text_are_both_known(tokenizer: str) -> None:
    given = pa.array([*TEXTS, None], pa.large_string())
    made = TokenTexts.of(given, tokenizer)
    known = find_tokenizer(tokenizer)
    for row, text in enumerate(TEXTS):
        own = made.symbols[made.starts[row] : made.starts[row + 1]]
        assert own[-1] == made.end == known.vocabulary and own[:-1].max(initial=0) < made.end
        assert known.decode(own[:-1].astype(np.uint32)) == text
    assert made.bytes.tolist() == [*(len(text.encode()) for text in TEXTS), 0]
    assert (made.sizes <= made.bytes).all() and made.sizes.sum() < made.bytes.sum()
    assert made.first().bytes.tolist() == [len(TEXTS[0])] and len(made.first()) == 1


def test_bits_per_byte_divide_by_bytes_not_tokens(tokenizer: str, plan: ProxyPlan) -> None:
    texts = TokenTexts.of(pa.array([" ".join(["the river runs to the sea"] * 20)] * 3, pa.large_string()), tokenizer)
    stream = texts.stream(np.zeros(plan.tokens, dtype=np.int64), plan.tokens)
    found = train_proxy(plan, stream, texts, texts.first(), seed=0, precision="float32")
    assert found.losses[-1] == pytest.approx(found.bits.sum() / texts.bytes.sum())
    assert found.losses[0] < np.log2(plan.spec.symbols) * texts.sizes.sum() / texts.bytes.sum() * 1.5


def test_the_target_s_own_domain_wins_with_tokens_too(clean: ProxyEffect, plan: ProxyPlan) -> None:
    assert clean.verdict == "better" and clean.whole and clean.parameters == plan.spec.parameters
    assert clean.speed_up is not None and clean.speed_up.interval.middle > 1.2
    assert clean.bytes_per_token > 1.2 and "not measured" in clean.trust
    read = {curve.tokens for arm in clean.arms for curve in arm.curves}
    assert len(read) == 1 and read.pop()[-1] == clean.tokens == plan.read


def test_every_model_reads_the_first_documents_that_have_enough_tokens(bed: EffectStudy, plan: ProxyPlan) -> None:
    reader = ArmReader(bed, plan)
    rows = np.flatnonzero(bed.bench.allowed)[:40]
    arm = Arm("few", 1.0, 0, rows, np.ones(len(rows), np.int32))
    order = reader.order(arm)
    texts, places = reader.texts([order])
    ends = np.cumsum(texts.sizes[places[order]] + 1)
    assert ends[-1] >= plan.tokens > ends[-2]
    assert len(texts.stream(places[order], plan.tokens)) == plan.tokens + 1
    assert np.array_equal(reader.first(arm, 10 * plan.tokens)[: len(order)], order)


def test_results_of_a_tokenizer_are_kept_apart(bed: EffectStudy, plan: ProxyPlan, clean: ProxyEffect) -> None:
    rows = np.flatnonzero(bed.bench.allowed)[:40]
    arm = Arm("few", 1.0, 0, rows, np.ones(len(rows), np.int32))
    keys = {ProxyGround(bed, replace(plan, tokenizer=name)).key(arm).digest for name in (plan.tokenizer, "bytes")}
    assert len(keys) == 2
    assert TransformerProxy(plan).name != TransformerProxy(replace(plan, tokenizer="bytes")).name


def test_the_report_names_the_tokenizer_and_all_parameters(bed: EffectStudy, clean: ProxyEffect) -> None:
    report = collect_report(bed.study, CLEAN, proxies=[clean], examples=0)
    page, card = to_html(report), to_card(report)
    assert f"{clean.parameters:,} parameters" in page and escape(clean.reading) in page
    assert "million tokens read" in page and clean.tokenizer in card


def test_a_path_means_the_same_anywhere_and_is_not_shown(
    tokenizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(tokenizer)
    monkeypatch.chdir(path.parent)
    assert tokenizer_anywhere("tokenizer.json") == str(path) and tokenizer_anywhere("bytes") == "bytes"
    assert tokenizer_title(tokenizer) == f"{path.parent.name}/tokenizer.json" and tokenizer_title("bytes") == "bytes"
    ranks = tmp_path / "gpt2.tiktoken"
    ranks.write_bytes(b"")
    assert tokenizer_anywhere(f"tiktoken:{ranks}") == f"tiktoken:{ranks}"
    assert tokenizer_title(f"tiktoken:{ranks}") == "gpt2.tiktoken"
    assert tokenizer_anywhere("tiktoken:cl100k_base") == tokenizer_title("tiktoken:cl100k_base")


@pytest.mark.parametrize(
    ("name", "words"),
    [("minilm-wordpiece", "does not give texts back"), ("nothing", "No such tokenizer"), ("minilm-bytes", "no ids")],
)
def test_a_tokenizer_that_loses_text_is_refused(name: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        ProxyPlan(tokenizer=name)
