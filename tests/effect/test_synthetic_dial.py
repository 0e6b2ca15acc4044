"""The dial of synthetic text: planted good text helps with every share, noise harms, impossible sweeps are said."""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape

import pytest
from planted_study import planted_study

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.dataset_card import to_card
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.report import collect_report
from tamis.analytics.effect.report_html import to_html
from tamis.analytics.effect.synthetic_dial import DialParams, ReportedDial, SyntheticDial, sweep_shares
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError

PROTOCOL = Protocol(budget_bytes=60_000, draws=3, holdout_bytes=40_000)
GOOD = DialParams("source", ("target",), 20_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TargetEntry]:
    study, entry, _ = planted_study(tmp_path_factory.mktemp("dial"))
    return study, entry


@pytest.fixture(scope="module")
def good(made: tuple[Study, TargetEntry]) -> SyntheticDial:
    return sweep_shares(*made, GOOD, protocol=PROTOCOL)


def test_more_of_a_text_that_is_like_the_target_needs_fewer_bits(good: SyntheticDial) -> None:
    bits = [point.bits for point in good.points]
    assert bits == sorted(bits, reverse=True) and good.best.asked == 0.5
    assert good.points[0].difference is None
    assert [point.difference.verdict for point in good.points[1:] if point.difference] == ["better"] * 3
    assert "better" in good.points[-1].sentence


def test_more_noise_needs_more_bits(made: tuple[Study, TargetEntry]) -> None:
    found = sweep_shares(*made, replace(GOOD, synthetic=("noise",)), protocol=PROTOCOL)
    assert found.best.asked == 0.0
    assert found.points[-1].difference is not None and found.points[-1].difference.verdict == "worse"


def test_the_shares_of_a_sweep_are_those_of_its_rule(made: tuple[Study, TargetEntry], good: SyntheticDial) -> None:
    assert [point.share for point in good.points] == pytest.approx([0, 0.1, 0.3, 0.5], abs=0.05)
    study, entry = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL)
    source = study.facts.array("source").to_pylist()
    supply: dict[str, float] = {}
    for name, tokens in zip(source, study.facts.whole("n_tokens").tolist(), strict=True):
        supply[name] = supply.get(name, 0) + tokens
    copies = bed.copies(Recipe().with_operator(GOOD.rule(0.3, supply)))
    tokens = study.facts.whole("n_tokens") * copies
    mine = sum(tokens[k] for k, name in enumerate(source) if name == "target")
    assert mine / tokens.sum() == pytest.approx(0.3, abs=0.02) and 18_000 < tokens.sum() <= 20_000


def test_a_sweep_is_kept_as_json(good: SyntheticDial) -> None:
    assert SyntheticDial.from_json(json.loads(json.dumps(good.to_json()))) == good
    with pytest.raises(SettingError, match="no sweep"):
        SyntheticDial.from_json({})


def test_the_report_and_the_card_show_every_share_with_its_interval(
    made: tuple[Study, TargetEntry], good: SyntheticDial
) -> None:
    found = ReportedDial(good, 1)
    report = collect_report(made[0], Recipe(title="all"), dials=[found], examples=0)
    page, card = to_html(report), to_card(report)
    assert "How much synthetic text: target by source" in page and f"at {good.best.share:.0%}.</p>" in page
    assert "after the first rule of the recipe" in page and "## Synthetic text" in card
    for point in good.points:
        assert f"<title>{escape(point.sentence)}</title>" in page and f"<td>{point.asked:.0%}</td>" in page
        assert point.sentence.split(":")[0] in card
    assert "How much synthetic text" not in to_html(collect_report(made[0], Recipe(title="all"), examples=0))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"synthetic": ()}, "Say which values"),
        ({"shares": (0.3, 0.1)}, "Shares ascend"),
        ({"shares": (0.0, 1.5)}, "Shares ascend"),
        ({"tokens": 0}, "needs a budget"),
    ],
)
def test_what_cannot_be_swept_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        replace(GOOD, **changed)  # type: ignore[arg-type]


def test_values_that_are_not_there_and_budgets_that_cannot_be_filled_are_said(made: tuple[Study, TargetEntry]) -> None:
    with pytest.raises(SettingError, match="No documents with this value"):
        sweep_shares(*made, replace(GOOD, synthetic=("rephrased",)), protocol=PROTOCOL)
    with pytest.raises(SettingError, match="cannot fill the budget"):
        sweep_shares(*made, replace(GOOD, tokens=10_000_000), protocol=PROTOCOL)
