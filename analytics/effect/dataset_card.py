"""A dataset card in the form of the Hugging Face hub: front matter for machines, Markdown for people.

Source: github.com/huggingface/huggingface_hub, the dataset card specification and template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tamis.analytics.effect.report import CONTAMINATION_HEADS, CONTAMINATION_NOTE, Report
from tamis.analytics.effect.result import Effect
from tamis.analytics.recipe.yaml_text import write_yaml

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
MOST_LANGUAGES = 10
LEAST_SHARE = 0.01
"""Least share of the kept tokens at which the card names a language."""


def to_card(
    report: Report,
    *,
    license: str = "unknown",
    configs: Sequence[Mapping[str, Any]] = (),
    sections: Sequence[str] = (),
) -> str:
    """Return the card as Markdown; the same report gives the same text.

    Args:
        report: its content; the card leaves out the examples, so it quotes no document.
        license: of the data, an identifier of the hub.
        configs: which files are the data, as the hub reads it; none when the card stands beside no files.
        sections: further sections, as Markdown, after what the data is.
    """
    front = {
        **({"configs": [dict(config) for config in configs]} if configs else {}),
        "pretty_name": report.recipe.title,
        "license": license,
        **({"language": languages} if (languages := _languages(report)) else {}),
        "task_categories": ["text-generation"],
        "size_categories": [size_category(report.copies)],
        "source_datasets": [report.corpus],
        "tags": ["curated", "tamis"],
    }
    parts = [
        f"---\n{write_yaml(front)}---\n",
        f"# {plain(report.recipe.title)}\n",
        _summary(report),
        *sections,
        _recipe(report),
        *([_contamination(report)] if report.contamination else []),
        _statistics(report),
        _effect(report.effect),
        *([_proxies(report)] if report.proxies else []),
        *([_dials(report)] if report.dials else []),
        _limits(report),
        _provenance(report),
    ]
    return "\n".join(parts)


def size_category(documents: int) -> str:
    """Return the hub's name for a number of rows."""
    return next((name for limit, name in _SIZES if documents < limit), "n>1B")


def _languages(report: Report) -> list[str]:
    """Return the detected languages with at least 1% of the kept tokens."""
    if "lang" not in report.groups:
        return []
    rows = report.groups["lang"].to_pylist()
    total = max(sum(row["kept_tokens"] for row in rows), 1)
    found = [str(row["value"]) for row in rows if row["value"] and row["kept_tokens"] >= LEAST_SHARE * total]
    return [name for name in found if re.fullmatch(r"[a-z]{2,3}", name)][:MOST_LANGUAGES]


def plain(text: str) -> str:
    """Return text on one line, with Markdown and HTML escaped."""
    flat = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>#|!~$])", r"\\\1", flat).replace("&", "&amp;")


def table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join(" --- " for _ in heads) + "|"]
    for row in rows:
        cells = (f"{value:,}" if isinstance(value, int) else plain(str(value)) for value in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _summary(report: Report) -> str:
    first = report.funnel[0]
    why = f"{plain(report.recipe.why)}\n\n" if report.recipe.why else ""
    return (
        f"{why}Curated from **{plain(report.corpus)}** with Tamis: {report.documents:,} of {first.documents:,} "
        f"documents, {report.tokens:,} of {first.tokens:,} tokens (copies counted), by a recipe of "
        f"{len(report.recipe.active)} steps that can be run again.\n"
    )


def _recipe(report: Report) -> str:
    rows: list[tuple[object, ...]] = [
        (number, step.sentence or step.step, step.dropped, step.documents)
        for number, step in enumerate(report.funnel[1:], start=1)
    ]
    yaml = report.recipe.to_yaml().replace("```", "'''")
    return (
        "## Curation\n\n"
        + table(("step", "rule", "dropped", "left"), rows)
        + f"\n<details><summary>Recipe</summary>\n\n```yaml\n{yaml}```\n\n</details>\n"
    )


def _statistics(report: Report) -> str:
    parts = ["## Composition\n"]
    for column, groups in report.groups.items():
        rows: list[tuple[object, ...]] = [
            (
                row["value"] if row["value"] is not None else "no value",
                row["documents"],
                row["kept"],
                row["kept_tokens"],
            )
            for row in groups.to_pylist()
        ]
        parts.append(table((plain(column), "documents before", "kept", "kept tokens"), rows))
    return "\n".join(parts) if len(parts) > 1 else ""


def _contamination(report: Report) -> str:
    sets = table(CONTAMINATION_HEADS, report.contamination_rows)
    return f"## Evaluation sets\n\n{sets}\n{CONTAMINATION_NOTE}\n"


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return "## Effect\n\nNot measured.\n"
    rows: list[tuple[object, ...]] = [
        (
            item.figure,
            item.against,
            f"{item.recipe:.3f}",
            f"{item.other:.3f}",
            f"{item.mean:+.3f} ({item.low:+.3f} to {item.high:+.3f})",
            item.verdict,
        )
        for item in effect.differences
    ]
    target = f"Target: {plain(effect.target)}. " if effect.target else "Without a target. "
    repeated = effect.repetition
    return (
        f"## Effect\n\n{target}Proxy evidence from small language models trained on {effect.budget_bytes:,} bytes "
        f"each, against {effect.protocol.draws} random selections of the same size.\n\n"
        + table(("figure", "against", "this", "other", "difference", "verdict"), rows)
        + f"\nTokens seen in training: {repeated.trained_tokens:,}, worth about {repeated.effective_tokens:,.0f}; "
        f"at most {repeated.max_copies} copies of a document.\n"
    )


def _proxies(report: Report) -> str:
    """Return what transformers found, a list per size."""
    parts = [
        f"{proxy.model} parameters, {proxy.reading} read by each of {proxy.seeds} models per selection:\n\n"
        + "".join(f"- {plain(sentence)}\n" for sentence in proxy.sentences)
        for proxy in report.proxies
    ]
    return "## Learning curves\n\n" + "\n".join(parts)


def _dials(report: Report) -> str:
    """Return what was found about shares of synthetic text, a list per column and values."""
    parts = [
        f"{plain(found.title)}, for {plain(found.dial.target)}: {found.note}\n\n"
        + "".join(f"- {plain(point.sentence)}\n" for point in found.dial.points)
        for found in report.dials
    ]
    return "## Synthetic text\n\n" + "\n".join(parts)


def _limits(report: Report) -> str:
    warnings = list(dict.fromkeys(step.warning for step in report.funnel if step.warning))
    notes = list(report.effect.notes) if report.effect else []
    lines = [f"- {plain(text)}" for text in (*warnings, *notes)]
    lines.append("- Personal data was handled only as far as the recipe has steps for it.")
    return "## Limits\n\n" + "\n".join(lines) + "\n"


def _provenance(report: Report) -> str:
    rows: list[tuple[object, ...]] = [
        ("corpus fingerprint", report.fingerprint),
        ("recipe", report.recipe.digest),
        ("selection", report.selection),
        ("source rows", report.rows),
        ("rows that are not documents", report.errors),
        *((f"version of {name}", version) for name, version in sorted(report.tools.items())),
    ]
    return "## Provenance\n\n" + table(("what", "value"), rows)
