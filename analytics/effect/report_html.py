"""A report as one HTML file: no scripts, no other hosts, every quoted text escaped.

The page is ``report.html.j2``. Its environment escapes whatever the template shows; only the stylesheet and the charts,
which escape their own labels, are marked as markup here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tamis.analytics.effect.bench import DEDUP, RANDOM, RECIPE
from tamis.analytics.effect.charts import Bar, Series, bars, plot
from tamis.analytics.effect.composition import Coverage
from tamis.analytics.effect.label_probe import ProbeCurve
from tamis.analytics.effect.proxy_result import EVERYTHING, ProxyEffect
from tamis.analytics.effect.report import CONTAMINATION_HEADS, CONTAMINATION_NOTE, Report
from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.synthetic_dial import SyntheticDial
from tamis.analytics.study.extrapolation import MEANING

_FOLDER = Path(__file__).parent
_MOST_FILES = 20


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        heads: names of the columns.
        rows: numbers, texts, or None for no value.
    """

    heads: tuple[str, ...]
    rows: Sequence[Sequence[object]]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Return which columns hold only numbers."""
        return tuple(
            bool(self.rows) and all(isinstance(row[k], int | float | None) for row in self.rows)
            for k in range(len(self.heads))
        )


def to_html(report: Report) -> str:
    """Return the report as one HTML document; the same report gives the same text."""
    return _TEMPLATES.get_template("report.html.j2").render(report=report)


def format_cell(value: object) -> str:
    """Return the text of a value in a table."""
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def list_cards(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the figures at the top of the page, each with its label."""
    first = report.funnel[0]
    yield f"{report.documents:,}", f"documents kept of {first.documents:,}"
    yield f"{report.tokens:,}", f"tokens of {first.tokens:,}"
    yield f"{len(report.recipe.active)}", "steps"
    if report.effect and report.effect.headline:
        yield f"{report.effect.headline.mean:+.3f}", "target bits per byte against random"


def draw_funnel(report: Report) -> Markup:
    """Draw the documents left after each step."""
    first = max(report.funnel[0].documents, 1)
    rows = [
        Bar(step.step or "input", float(step.documents), note=f"{step.documents:,} ({step.documents / first:.0%})")
        for step in report.funnel
    ]
    return Markup(bars(rows, title="Documents left after each step"))


def list_drops(report: Report) -> Table:
    """Return the documents each step drops first, at all, and alone."""
    counted = zip(report.funnel[1:], report.attribution.to_pylist(), strict=True)
    rows = [(step.step, step.dropped, row["any"], row["only"]) for step, row in counted]
    return Table(("step", "dropped as the first reason", "fail the rule", "fail only this rule"), rows)


def list_predictions(report: Report) -> Table:
    """Return the documents each step will leave of the whole corpus; no rows if the corpus is no sample."""
    predictions = report.sample.predictions if report.sample else ()
    rows = [
        (each.step, f"{each.middle:,}", f"{each.low:,} to {each.high:,}", MEANING[each.method]) for each in predictions
    ]
    return Table(("step", "documents left", "95%", "derived from"), rows)


def list_contamination(report: Report) -> Table:
    """Return what each step found of each evaluation set; no rows if no step compares the corpus with other files."""
    return Table(CONTAMINATION_HEADS, report.contamination_rows)


def list_differences(effect: Effect) -> Table:
    """Return every comparison that has an interval."""
    rows = [
        (
            item.figure,
            item.against,
            item.recipe,
            item.other,
            f"{item.mean:+.4f} ({item.low:+.4f} to {item.high:+.4f})",
            item.verdict,
        )
        for item in effect.differences
    ]
    return Table(("figure", "against", "recipe", "other", "difference (± 2 sd)", "verdict"), rows)


def list_issues(effect: Effect) -> Table:
    """Return the issues, before and after."""
    rows = [(issue.title, f"{issue.before:.2%}", f"{issue.after:.2%}") for issue in effect.issues]
    return Table(("documents that", "before", "after"), rows)


def list_probe(probe: ProbeCurve) -> Table:
    """Return macro-F1 against the fraction kept."""
    rows = [
        (
            f"{point.fraction:.1%}",
            point.documents,
            sum(point.recipe) / len(point.recipe),
            sum(point.random) / len(point.random),
        )
        for point in probe.points
    ]
    return Table(("fraction kept", "documents", "macro-F1, recipe", "macro-F1, random"), rows)


def draw_trials(effect: Effect) -> Markup:
    """Draw target against general bits per byte of every training set."""
    colours = {RANDOM: "var(--faint)", DEDUP: "var(--dropped)", RECIPE: "var(--kept)"}
    series = [
        Series(
            name,
            tuple((trial.target or 0.0, trial.general) for trial in effect.trials if trial.name == name),
            colour,
            labels=tuple(f"{name}, draw {trial.seed}" for trial in effect.trials if trial.name == name),
            size=6 if name == RECIPE else 4,
        )
        for name, colour in colours.items()
    ]
    chart = plot(
        series,
        x="target bits per byte (left is better)",
        y="general bits per byte",
        title="Target against general bits per byte of the recipe and of random draws",
    )
    return Markup(chart)


def draw_coverage(coverage: Coverage) -> Markup:
    """Draw how well a growing share of the corpus covers the target or the corpus."""
    lines = [
        Series(name, tuple((point.fraction, getattr(point, name)) for point in coverage.points), colour, line=True)
        for name, colour in (("recipe", "var(--kept)"), ("random", "var(--faint)"))
    ]
    title = f"Coverage of the {coverage.of}"
    return Markup(plot(lines, x="share of the corpus", y="mean largest cosine", title=title, percent_x=True))


def draw_learning(proxy: ProxyEffect) -> Markup:
    """Draw the mean learning curve of every kind of selection."""
    looks = {RECIPE: "var(--kept)", RANDOM: "var(--faint)", EVERYTHING: "var(--dropped)"}
    series = []
    unit, million = ("bytes", "megabytes") if proxy.reads_bytes else ("tokens", "million tokens")
    for arm in proxy.arms:
        tokens = arm.curves[0].tokens
        means = [sum(curve.losses[k] for curve in arm.curves) / len(arm.curves) for k in range(len(tokens))]
        points = tuple(zip((read / 1e6 for read in tokens), means, strict=True))
        labels = tuple(
            f"{arm.title}: {mean:.3f} after {read:,} {unit}" for read, mean in zip(tokens, means, strict=True)
        )
        series.append(Series(arm.title, points, looks.get(arm.name, "var(--accent)"), line=True, labels=labels))
    title = f"Learning curves of {proxy.model} transformers"
    return Markup(plot(series, x=f"{million} read", y="target bits per byte", title=title))


def list_arms(proxy: ProxyEffect) -> Table:
    """Return what the models were trained on."""
    rows = [
        (arm.title, f"{arm.share:.1%}", arm.documents, f"{arm.passes:.2f}", f"{arm.effective / proxy.tokens:.0%}",
         sum(curve.final for curve in arm.curves) / len(arm.curves))
        for arm in proxy.arms
    ]  # fmt: skip
    heads = ("trained on", "share of the corpus", "documents", "times read", "worth of what was read", "bits per byte")
    return Table(heads, rows)


def draw_dial(dial: SyntheticDial) -> Markup:
    """Draw the target's bits per byte by share of synthetic text, with the interval to the first share."""
    series = Series(
        "bits per byte; lines are intervals of the difference to the first share",
        tuple((point.share, point.bits) for point in dial.points),
        "var(--kept)",
        line=True,
        labels=tuple(point.sentence for point in dial.points),
        spread=tuple(2 * point.difference.sd if point.difference else 0.0 for point in dial.points),
    )
    x, y = "synthetic share of the tokens", "target bits per byte (less is better)"
    return Markup(plot([series], x=x, y=y, title="Bits per byte by share of synthetic text", percent_x=True))


def list_shares(dial: SyntheticDial) -> Table:
    """Return every share that was tried."""
    rows = []
    for point in dial.points:
        found = point.difference
        change = f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})" if found else "the first share"
        rows.append((f"{point.asked:.0%}", f"{point.share:.1%}", point.bits, change, found.verdict if found else ""))
    return Table(("synthetic, asked for", "reached", "bits per byte", "difference (± 2 sd)", "verdict"), rows)


def draw_groups(column: str, groups: pa.Table) -> Markup:
    """Draw the share of tokens of each group, after and before."""
    rows = groups.to_pylist()
    total, kept = (max(sum(row[name] for row in rows), 1) for name in ("tokens", "kept_tokens"))
    drawn = [
        Bar(
            str(row["value"] if row["value"] is not None else "no value"),
            row["kept_tokens"] / kept,
            other=row["tokens"] / total,
            note=f"{row['kept']:,} of {row['documents']:,}",
        )
        for row in rows
    ]
    return Markup(bars(drawn, title=f"Share of tokens by {column}, after and before"))


def list_provenance(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the provenance of the report: corpus, recipe, selection, files, tools, target."""
    yield "corpus", f"{report.corpus}, {report.rows:,} rows, fingerprint {report.fingerprint}"
    yield "recipe", report.recipe.digest
    yield "selection", report.selection
    yield from report.files[:_MOST_FILES]
    for name, version in sorted(report.tools.items()):
        yield "tool", f"{name} {version}"
    if len(report.files) > _MOST_FILES:
        yield "files", f"and {len(report.files) - _MOST_FILES} more"
    if report.effect and report.effect.target:
        yield "target", f"{report.effect.target}, {report.effect.target_digest}"


def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(number=format, cell=format_cell)
    shown = (
        list_cards, draw_funnel, list_drops, list_predictions, list_contamination, list_differences, list_issues,
        list_probe, draw_trials, draw_coverage, draw_groups, list_provenance, draw_learning, list_arms,
        draw_dial, list_shares,
    )  # fmt: skip
    found.globals.update({each.__name__: each for each in shown})
    found.globals["contamination_note"] = CONTAMINATION_NOTE
    found.globals["style"] = Markup((_FOLDER / "report.css").read_text("utf-8"))
    return found


_TEMPLATES = _templates()
