"""The files of a report: one HTML file, and beside it a dataset card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.dataset_card import to_card
from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.proxy_result import ProxyEffect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.report import Report, collect_report
from tamis.analytics.effect.report_html import to_html
from tamis.analytics.effect.synthetic_dial import ReportedDial
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.parquet import write_bytes
from tamis.data.progress import Progress


@dataclass(frozen=True)
class WrittenReport:
    """A report on disk.

    Attributes:
        html: the report.
        card: the dataset card, None if not written.
        report: the content of both.
    """

    html: Path
    card: Path | None
    report: Report


def write_report(
    study: Study,
    recipe: Recipe,
    html: str | Path,
    *,
    card: str | Path | None = None,
    target: TargetEntry | None = None,
    measure: bool = True,
    protocol: Protocol | None = None,
    proxies: Sequence[ProxyEffect] = (),
    dials: Sequence[ReportedDial] = (),
    examples: int = 3,
    license: str = "unknown",
    progress: Progress | None = None,
) -> WrittenReport:
    """Measure what is missing, and write the report.

    Args:
        study: the analysed corpus.
        recipe: what to report on.
        html: where to write the HTML file.
        card: where to write the dataset card, None for nowhere.
        target: texts of the purpose.
        measure: measure the effect; otherwise the report says that it is not measured.
        protocol: how the effect is measured.
        proxies: what transformers found about the recipe, see ``measure_proxy``.
        dials: what was found about shares of synthetic text, see ``sweep_shares``.
        examples: documents quoted per step; 0 quotes none.
        license: of the data, for the card.
        progress: where to report.

    Raises:
        StoreError: a file cannot be written.
        TamisError: a measurement fails.
    """
    study.measure(recipe, progress=progress)
    effect = None
    if measure:
        bed = EffectStudy.open(study, target, protocol=protocol, progress=progress)
        effect = evaluate_effect(bed, recipe, progress=progress)
    report = collect_report(study, recipe, effect=effect, proxies=proxies, dials=dials, examples=examples)
    page = Path(html)
    write_bytes(page, to_html(report).encode("utf-8", "replace"))
    written = None
    if card is not None:
        written = Path(card)
        write_bytes(written, to_card(report, license=license).encode("utf-8", "replace"))
    return WrittenReport(page, written, report)
