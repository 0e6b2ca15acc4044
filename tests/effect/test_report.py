"""The report and the dataset card: complete, whole in one file, and harmless whatever the corpus says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings, write_corpus
from narrow_analysis import narrow_steps
from planted_study import planted_study

from tamis.analytics.duplicates.evaluation_sets import save_evaluation
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.references import save_reference
from tamis.analytics.effect.bench import RECIPE, Cleaning, Protocol
from tamis.analytics.effect.charts import Bar, Series, bars, plot, ticks
from tamis.analytics.effect.composition import Coverage, CoveragePoint, Diversity, IssueShift, Repetition
from tamis.analytics.effect.dataset_card import size_category, to_card
from tamis.analytics.effect.label_probe import ProbeCurve, ProbePoint
from tamis.analytics.effect.report import FunnelStep, QuotedExample, Report, collect_report
from tamis.analytics.effect.report_html import to_html
from tamis.analytics.effect.report_writer import write_report
from tamis.analytics.effect.result import Effect, TrialPoint
from tamis.analytics.effect.scorer_fit import relevance_operator
from tamis.analytics.effect.target import Target
from tamis.analytics.effect.verdict import Difference
from tamis.analytics.export.lock import LockedSample
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.recipe.yaml_text import parse_yaml
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.extrapolation import Prediction
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "[x](javascript:alert(1)) | ![y](http://evil.example/z)",
    "<!--",
    "</details></table></body>",
    "```\n# out of the fence",
)


class Tags(HTMLParser):
    """Collects tags, attributes and visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def _parsed(html: str) -> Tags:
    found = Tags()
    found.feed(html)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Recipe, Path]:
    folder = tmp_path_factory.mktemp("report")
    study, entry, _ = planted_study(folder)
    target = Target.open(study.workspace, entry.digest)
    rule = relevance_operator(study, target, entry, "classifier", share=0.1)
    recipe = (
        Recipe(title="Sea", why="For the sea").with_operator(OPERATORS.build("exact_dedup", {})).with_operator(rule)
    )
    write_report(
        study,
        recipe,
        folder / "report.html",
        card=folder / "card.md",
        target=entry,
        protocol=Protocol(budget_bytes=60_000, holdout_bytes=40_000),
    )
    return study, recipe, folder


def test_report_says_everything_in_one_file(made: tuple[Study, Recipe, Path]) -> None:
    study, recipe, folder = made
    html = (folder / "report.html").read_text("utf-8")
    page = _parsed(html)
    for said in (
        "Sea", "For the sea", *(step.operator.sentence() for step in recipe.active), "better", "target bits per byte",
        "dedup + random", "macro-F1", "Kept", "Dropped by exact-dedup", recipe.digest, study.corpus.fingerprint,
        study.corpus.files[0].sha256, "kept twin",
    ):  # fmt: skip
        assert said in page.text, said
    assert page.tags.count("svg") >= 4
    assert f"{study.facts.n:,}" in page.text


def test_report_asks_no_other_host_and_holds_no_script(made: tuple[Study, Recipe, Path]) -> None:
    page = _parsed((made[2] / "report.html").read_text("utf-8"))
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    policy = [value for name, value in page.attributes if name == "content" and "default-src" in value]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "@import" not in (made[2] / "report.html").read_text("utf-8")


def test_same_report_has_the_same_bytes(made: tuple[Study, Recipe, Path]) -> None:
    study, recipe, _ = made
    reports = [collect_report(study, recipe) for _ in range(2)]
    assert to_html(reports[0]) == to_html(reports[1])
    assert to_card(reports[0]) == to_card(reports[1])


def test_report_without_examples_quotes_nothing(made: tuple[Study, Recipe, Path]) -> None:
    study, recipe, _ = made
    quoting, silent = collect_report(study, recipe), collect_report(study, recipe, examples=0)
    assert quoting.examples and not silent.examples
    assert "Examples" not in _parsed(to_html(silent)).text
    assert not any(example.text[:40] in to_card(quoting) for example in quoting.examples)


def test_card_has_the_front_matter_of_the_hub(made: tuple[Study, Recipe, Path]) -> None:
    card = (made[2] / "card.md").read_text("utf-8")
    front, body = re.match(r"---\n(.*?)---\n(.*)", card, re.DOTALL).groups()  # type: ignore[union-attr]
    values = parse_yaml(front)
    assert values["pretty_name"] == "Sea" and values["license"] == "unknown"
    assert values["size_categories"] == ["n<1K"] and values["task_categories"] == ["text-generation"]
    for heading in ("# Sea", "## Curation", "## Composition", "## Effect", "## Limits", "## Provenance"):
        assert f"\n{heading}\n" in body
    assert size_category(999) == "n<1K" and size_category(10_000) == "10K<n<100K" and size_category(2 * 10**9) == "n>1B"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("hostile")
    rows = [f"{payload} number {k}" for k in range(12) for payload in PAYLOADS]
    pq.write_table(
        pa.table({"id": [f"{k}-{PAYLOADS[0]}" for k in range(len(rows))], "text": rows, "source": rows}),
        folder / "corpus.parquet",
    )
    corpus = open_corpus(folder / "corpus.parquet")
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step())
    study = Study.open(corpus, Workspace(folder / "home"), steps=(*measured, facts_step(measured)))
    recipe = Recipe(title=PAYLOADS[1], why=PAYLOADS[5], author=PAYLOADS[0])
    recipe = recipe.with_operator(OPERATORS.build("category", {"values": rows[:40]}), note=PAYLOADS[2])
    return collect_report(study, recipe.with_operator(OPERATORS.build("random_sample", {"count": 20})))


def test_hostile_texts_stay_texts_in_html(hostile: Report) -> None:
    page = _parsed(to_html(hostile))
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert PAYLOADS[1] in page.text and PAYLOADS[0] in page.text
    assert page.tags.count("body") == 1 and "Provenance" in page.text


def _everywhere(report: Report, text: str) -> Report:
    """Return the report with every section filled and ``text`` wherever a text may stand."""
    difference = Difference(text, text, -1.0, 0.1, -1.2, -0.8, 1.0, 2.0, 5, True, text)
    effect = Effect(
        recipe=text,
        title=text,
        target=text,
        target_digest=text,
        documents=1,
        budget_bytes=1,
        selection_bytes=1,
        differences=(difference,),
        trials=(TrialPoint(RECIPE, 0, 1, 1, 2.0, 2.0, 0.1),),
        coverage=(Coverage(text, 1, difference, (CoveragePoint(0.1, 0.2, 0.3, 0.4, 0.5),), 1),),
        diversity=Diversity(None, None, 0, 1.0, 1.0),
        probe=ProbeCurve(text, 2, 1, 0.1, (ProbePoint(0.1, 1, (0.5,), (0.4,), 0.5, 0.4),), difference, False),
        compositions=(),
        issues=(IssueShift(text, text, 0.1, 0.2),),
        repetition=Repetition(1, 1, 1.0, 1.0, 1, 0.0, text),
        cleaning=Cleaning(),
        protocol=Protocol(),
        notes=(text,),
    )
    groups = {"value": [text], "documents": [1], "kept": [1], "tokens": [1], "kept_tokens": [1]}
    funnel = (FunnelStep("", "", "", "", "", 2, 2, 0), FunnelStep(text, text, text, text, text, 1, 1, 1))
    return replace(
        report,
        corpus=text,
        files=((text, text),),
        fingerprint=text,
        funnel=funnel,
        selection=text,
        groups={text: pa.table(groups)},
        attribution=pa.table({"any": [1], "only": [1]}),
        examples=(QuotedExample(text, "", text, text), QuotedExample(text, text, text, text)),
        effect=effect,
        tools={text: text},
        sample=LockedSample(text, 2, 1, 0, {text: (2, 1)}, (Prediction(text, 1, 1, 1, "share"),)),
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_any_section_becomes_markup(hostile: Report, payload: str) -> None:
    harmless, harmful = ("harmless".ljust(64, "."), payload.ljust(64, "."))
    expected, page = (_parsed(to_html(_everywhere(hostile, text))) for text in (harmless, harmful))
    assert page.tags == expected.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in expected.attributes]
    assert page.text.count(harmful) == expected.text.count(harmless) >= 30


def test_hostile_texts_stay_texts_in_markdown(hostile: Report) -> None:
    card = to_card(hostile).split("\n---\n", 1)[1]
    fences = re.split(r"^```.*$", card, flags=re.MULTILINE)
    outside = "".join(fences[::2])
    assert len(fences) == 3
    assert not re.search(r"(?<!\\)<(script|img|svg)", outside)
    assert "](javascript" not in outside and "](http" not in outside


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.65, 1.8), (-3.0, 7e5), (2.0, 2.0), (1e-7, 3e-7)])
def test_ticks_are_round_and_cover_the_range(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 12
    steps = {round(b - a, 12) for a, b in pairwise(found)}
    assert len(steps) == 1


def test_charts_escape_labels_and_survive_nothing() -> None:
    assert plot([], x="x", y="y", title="t") == "" and bars([], title="t") == ""
    svg = plot(
        [Series("<b>", ((0.0, 1.0), (2.0, 1.0)), "red", line=True, labels=("<i>", "&"))], x="<x>", y="y", title="<t>"
    )
    assert "<b>" not in svg and "<i>" not in svg and "&lt;t&gt;" in svg and "polyline" in svg
    rows = bars([Bar("<script>", -1.0, low=-2.0, high=0.5), Bar("b", 3.0, other=1.0, note="n")], title="t")
    assert "<script>" not in rows and rows.count("<rect") == 3


def test_report_and_card_count_what_each_step_found_of_each_evaluation_set(tmp_path: Path) -> None:
    texts = [text for text in docstrings(("email",)).column("text").to_pylist() if text and len(text.split()) > 40][:40]
    write_corpus(tmp_path / "corpus", pa.table({"text": texts}))
    for name, rows in (("exam", texts[:3]), ("quiz", [*texts[3:5], "no document holds these words " * 6])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    workspace = Workspace(tmp_path / "home")
    files = [tmp_path / "exam.jsonl", tmp_path / "quiz.jsonl"]
    rules = {
        "decontaminate": {"evaluation": save_reference(workspace, "sets", files, n=13).digest},
        "exclude_known": {"reference": save_reference(workspace, "known", files, n=5).digest},
        "idf_decontaminate": {"evaluation": save_evaluation(workspace, "both", files, convention="words-1").digest},
    }
    recipe = Recipe(title="Clean")
    for name, params in rules.items():
        recipe = recipe.with_operator(OPERATORS.fresh(name, params))
    corpus = open_corpus(tmp_path / "corpus")
    study = Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "columns", "tokens", "exact"))
    made = write_report(study, recipe, tmp_path / "r.html", card=tmp_path / "card.md", measure=False)
    counts = {
        step: {each.name: (each.items, each.found, each.documents) for each in found}
        for step, found in made.report.contamination.items()
    }
    assert list(counts) == ["decontaminate", "exclude-known", "idf-decontaminate"]
    for found in counts.values():
        assert {name.removesuffix(".jsonl"): value for name, value in found.items()} == {
            "exam": (3, 3, 3), "quiz": (3, 2, 2),
        }  # fmt: skip
    page, card = _parsed((tmp_path / "r.html").read_text("utf-8")).text, (tmp_path / "card.md").read_text("utf-8")
    assert "Evaluation sets" in page and page.count("exam") == 3 and "matches best" in page
    assert "## Evaluation sets" in card and card.count("| quiz") == 3 and "| idf\\_decontaminate" not in card
    plain = write_report(study, Recipe(title="Plain"), tmp_path / "p.html", card=tmp_path / "p.md", measure=False)
    assert not plain.report.contamination
    assert "Evaluation sets" not in (tmp_path / "p.html").read_text("utf-8") + (tmp_path / "p.md").read_text("utf-8")
