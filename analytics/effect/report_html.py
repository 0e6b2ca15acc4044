"""A report as one HTML file: no scripts, no other hosts, every quoted text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from tamis.analytics.effect.bench import DEDUP, RANDOM, RECIPE
from tamis.analytics.effect.charts import Bar, Series, bars, plot
from tamis.analytics.effect.report import Report
from tamis.analytics.effect.result import Effect
from tamis.analytics.study.extrapolation import MEANING

STYLE = Path(__file__).with_name("report.css").read_text("utf-8")

_CLASS = {"better": "better", "worse": "worse", "no measurable effect": "none"}


def to_html(report: Report) -> str:
    """Return the report as one HTML document; the same report gives the same text."""
    title = escape(report.recipe.title)
    body = "".join(
        [
            _head(report),
            _recipe(report),
            _funnel(report),
            _whole(report),
            _effect(report.effect) if report.effect else _unmeasured(),
            _groups(report),
            _examples(report),
            _provenance(report),
        ]
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return an HTML table; numbers stand to the right, everything is escaped."""
    numeric = [all(isinstance(row[k], int | float | None) for row in rows) and bool(rows) for k in range(len(heads))]
    head = "".join(f"<th{_class(numeric[k])}>{escape(name)}</th>" for k, name in enumerate(heads))
    lines = []
    for row in rows:
        cells = "".join(f"<td{_class(numeric[k])}>{_cell(value)}</td>" for k, value in enumerate(row))
        lines.append(f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _head(report: Report) -> str:
    recipe = report.recipe
    cards = [
        (f"{report.documents:,}", f"documents kept of {report.funnel[0].documents:,}"),
        (f"{report.tokens:,}", f"tokens of {report.funnel[0].tokens:,}"),
        (f"{len(recipe.active)}", "steps"),
    ]
    if report.effect and report.effect.headline:
        cards.append((f"{report.effect.headline.mean:+.3f}", "target bits per byte against random"))
    shown = "".join(f"<div><b>{escape(number)}</b>{escape(text)}</div>" for number, text in cards)
    why = f"<p>{escape(recipe.why)}</p>" if recipe.why else ""
    by = f" by {escape(recipe.author)}" if recipe.author else ""
    return (
        f"<h1>{escape(recipe.title)}</h1><p class='muted'>Recipe for the corpus {escape(report.corpus)}{by}</p>{why}"
        f'<div class="cards">{shown}</div>'
    )


def _recipe(report: Report) -> str:
    lines = []
    for step in report.funnel[1:]:
        note = f"<br><span class='muted'>{escape(step.note)}</span>" if step.note else ""
        warning = f"<p class='note small'>{escape(step.warning)}</p>" if step.warning else ""
        lines.append(
            f"<li><b>{escape(step.sentence)}</b>{note}<br><span class='muted small'>{escape(step.source)}</span>"
            f"{warning}</li>"
        )
    steps = "".join(lines) or "<li>No step: everything is kept.</li>"
    return (
        f"<h2>Recipe</h2><ol>{steps}</ol>"
        f"<details><summary>The recipe as YAML</summary><pre>{escape(report.recipe.to_yaml())}</pre></details>"
    )


def _whole(report: Report) -> str:
    """Say what a recipe made on a sample will leave of the whole corpus."""
    drawn = report.sample
    if drawn is None:
        return ""
    rows = [
        (each.step, f"{each.middle:,}", f"{each.low:,} to {each.high:,}", MEANING[each.method])
        for each in drawn.predictions
    ]
    return (
        "<h2>What is to be expected of the whole</h2>"
        f"<p class='muted small'>All figures of this report are of a sample: {drawn.drawn:,} of {drawn.documents:,} "
        f"documents, drawn by keyed hash within {len(drawn.strata)} sources, seed {drawn.seed}.</p>"
        + table(("step", "documents left", "95%", "derived from"), rows)
    )


def _funnel(report: Report) -> str:
    first = max(report.funnel[0].documents, 1)
    rows = [
        Bar(
            step.step or "input",
            float(step.documents),
            note=f"{step.documents:,} ({step.documents / first:.0%})",
        )
        for step in report.funnel
    ]
    listed = [
        (step.step, step.dropped, row["any"], row["only"])
        for step, row in zip(report.funnel[1:], report.attribution.to_pylist(), strict=True)
    ]
    heads = ("step", "dropped as the first reason", "fail the rule", "fail only this rule")
    return (
        "<h2>What is dropped</h2>"
        + bars(rows, title="Documents left after each step")
        + (table(heads, listed) if listed else "")
        + "<p class='muted small'>Rules that decide documents together have no count of their own. "
        f"{report.errors:,} source rows are not documents (no text or unreadable).</p>"
    )


def _unmeasured() -> str:
    return "<h2>Does it help?</h2><p>The effect of this recipe was not measured.</p>"


def _effect(effect: Effect) -> str:
    parts = ["<h2>Does it help?</h2>"]
    word = effect.verdict if effect.headline else "no target"
    parts.append(f'<p><span class="verdict {_CLASS.get(word, "none")}">{escape(word)}</span></p>')
    if effect.headline:
        parts.append(
            f"<p>Proxy evidence for the target {escape(effect.target)}: {escape(effect.headline.sentence)}.</p>"
        )
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
    parts.append(table(("figure", "against", "recipe", "other", "difference (± 2 sd)", "verdict"), rows))
    parts.append(
        f"<p class='muted small'>Every training set has {effect.budget_bytes:,} bytes; {effect.protocol.draws} draws; "
        "a small word-trigram model stands in for a large one. Lower bits per byte are better.</p>"
    )
    parts += [_scatter(effect), _coverage(effect), _probe(effect)]
    repeated = effect.repetition
    parts.append(
        f"<h3>Repetition</h3><p>{repeated.trained_tokens:,} tokens seen in training, worth about "
        f"{repeated.effective_tokens:,.0f}; {repeated.mean_copies:.2f} copies on average, at most "
        f"{repeated.max_copies}. {repeated.duplicates_left:.1%} of the kept documents still have a kept duplicate.</p>"
    )
    if effect.issues:
        issues = [(issue.title, f"{issue.before:.2%}", f"{issue.after:.2%}") for issue in effect.issues]
        parts.append("<h3>What stands out</h3>" + table(("documents that", "before", "after"), issues))
    parts += [f"<p class='note'>{escape(note)}</p>" for note in effect.notes]
    return "".join(parts)


def _scatter(effect: Effect) -> str:
    if not effect.headline:
        return ""
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
    return f"<h3>What is gained and what is lost</h3>{chart}"


def _coverage(effect: Effect) -> str:
    found = []
    for item in effect.coverage:
        lines = [
            Series(
                name,
                tuple((point.fraction, getattr(point, name)) for point in item.points),
                colour,
                line=True,
            )
            for name, colour in (("recipe", "var(--kept)"), ("random", "var(--faint)"))
        ]
        chart = plot(
            lines, x="share of the corpus", y="mean largest cosine", title=f"Coverage of the {item.of}", percent_x=True
        )
        found.append(f"<h3>Coverage of the {escape(item.of)}</h3>{chart}")
    return "".join(found)


def _probe(effect: Effect) -> str:
    probe = effect.probe
    if probe is None:
        return ""
    rows = [
        (
            f"{point.fraction:.1%}",
            point.documents,
            sum(point.recipe) / len(point.recipe),
            sum(point.random) / len(point.random),
        )
        for point in probe.points
    ]
    return (
        f"<h3>Labels learnt from the selection</h3><p>{escape(probe.difference.sentence)}.</p>"
        + table(("fraction kept", "documents", "macro-F1, recipe", "macro-F1, random"), rows)
        + f"<p class='muted small'>{probe.classes} classes of {escape(probe.column)}, "
        f"{probe.test_documents:,} test documents{', sampled' if probe.sampled else ''}.</p>"
    )


def _groups(report: Report) -> str:
    parts = ["<h2>Who is kept</h2>"] if report.groups else []
    for column, groups in report.groups.items():
        rows = groups.to_pylist()
        total, kept = (max(sum(row[name] for row in rows), 1) for name in ("tokens", "kept_tokens"))
        chart = bars(
            [
                Bar(
                    str(row["value"] if row["value"] is not None else "no value"),
                    row["kept_tokens"] / kept,
                    other=row["tokens"] / total,
                    note=f"{row['kept']:,} of {row['documents']:,}",
                )
                for row in rows
            ],
            title=f"Share of tokens by {column}, after and before",
        )
        parts.append(
            f"<h3>By {escape(column)}</h3>{chart}<p class='legend'><span><i style='background:var(--kept)'></i>"
            "share of kept tokens</span><span><i style='background:var(--faint)'></i>share of all tokens</span></p>"
        )
    return "".join(parts)


def _examples(report: Report) -> str:
    if not report.examples:
        return ""
    parts = ["<h2>Examples</h2><p class='muted small'>Chosen by keyed hash, shortened; they quote the corpus.</p>"]
    for step in ("", *(step.step for step in report.funnel[1:])):
        own = [example for example in report.examples if example.step == step]
        if own:
            parts.append(f"<h3>{'Kept' if not step else 'Dropped by ' + escape(step)}</h3>")
        for example in own:
            reason = f"<br><span class='muted small'>{escape(example.reason)}</span>" if example.reason else ""
            kind = "dropped" if step else "kept"
            parts.append(
                f'<div class="quote {kind}">{escape(example.text) or "<i>empty</i>"}'
                f"<br><code>{escape(example.id)}</code>{reason}</div>"
            )
    return "".join(parts)


def _provenance(report: Report) -> str:
    rows: list[tuple[str, str]] = [
        ("corpus", f"{report.corpus}, {report.rows:,} rows, fingerprint {report.fingerprint}"),
        ("recipe", report.recipe.digest),
        ("selection", report.selection),
        *((name, sha256) for name, sha256 in report.files[:20]),
        *(("tool", f"{name} {version}") for name, version in sorted(report.tools.items())),
    ]
    if len(report.files) > 20:
        rows.append(("files", f"and {len(report.files) - 20} more"))
    if report.effect and report.effect.target:
        rows.append(("target", f"{report.effect.target}, {report.effect.target_digest}"))
    listed = "".join(f"<tr><td>{escape(name)}</td><td><code>{escape(text)}</code></td></tr>" for name, text in rows)
    return f"<h2>Provenance</h2><table><tbody>{listed}</tbody></table>"
