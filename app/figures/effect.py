"""Plotly figures of measured effects. Every label that quotes a corpus or a recipe is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np
import plotly.graph_objects as go

from tamis.analytics.effect.bench import DEDUP, RANDOM, RECIPE
from tamis.analytics.effect.composition import Composition, Coverage
from tamis.analytics.effect.curation import Curation
from tamis.analytics.effect.evaluation import StepEffect
from tamis.analytics.effect.halving import HalvingResult
from tamis.analytics.effect.label_probe import ProbeCurve
from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.suggest import SearchTrial
from tamis.analytics.study.concept_profiles import ConceptProfiles
from tamis.app.figures.figures import DROPPED, KEPT, NEUTRAL, frame

ACCENT = "#8e44ad"
PALE = "rgba(138, 145, 153, 0.35)"


def recipes_figure(effects: Sequence[Effect], *, trials: Sequence[SearchTrial] = (), height: int = 380) -> go.Figure:
    """Return the scatter of recipes by target and general bits per byte, with the cloud of random draws.

    Args:
        effects: measured recipes, the current one first; those without a target are left out.
        trials: of a search, shown as small points; the search scores on other texts.
        height: pixels.
    """
    figure = go.Figure()
    shown = [effect for effect in effects if effect.headline is not None]
    for name, colour, symbol in ((RANDOM, NEUTRAL, "circle"), (DEDUP, DROPPED, "diamond")):
        points = [trial for effect in shown for trial in effect.trials if trial.name == name]
        unique = {(trial.target, trial.general): trial for trial in points}
        _add(figure, [(t.target or 0.0, t.general, f"{name}, {t.documents:,} documents") for t in unique.values()],
             name, colour, symbol, 7)  # fmt: skip
    _add(
        figure,
        [(t.target, t.general, t.log) for t in trials if t.candidate is not None],
        "tried by the search (other texts)",
        PALE,
        "x",
        7,
    )
    for place, effect in enumerate(shown):
        own = [trial for trial in effect.trials if trial.name == RECIPE]
        x = float(np.mean([trial.target for trial in own]))
        y = float(np.mean([trial.general for trial in own]))
        text = f"{effect.title}: {effect.verdict}, {effect.documents:,} documents"
        _add(figure, [(x, y, text)], effect.title, KEPT if place == 0 else ACCENT, "star" if place == 0 else "square",
             16 if place == 0 else 9)  # fmt: skip
    frame(figure, height=height, x="target bits per byte (lower is better)", y="general bits per byte")
    return figure


def _add(
    figure: go.Figure,
    points: Sequence[tuple[float, float, str]],
    name: str,
    colour: str,
    symbol: str,
    size: int,
) -> None:
    if points:
        figure.add_scatter(
            x=[point[0] for point in points],
            y=[point[1] for point in points],
            mode="markers",
            name=escape(name[:40]),
            marker={"color": colour, "symbol": symbol, "size": size},
            customdata=[escape(point[2][:200]) for point in points],
            hovertemplate="%{customdata}<br>target %{x:.3f}, general %{y:.3f}<extra></extra>",
        )


def coverage_figure(found: Coverage, *, height: int = 260) -> go.Figure:
    """Return mean largest cosine against the share of the corpus, for recipe and random documents."""
    figure = go.Figure()
    x = [point.fraction for point in found.points]
    series = (("recipe", [point.recipe for point in found.points], KEPT, "solid"),
              ("random", [point.random for point in found.points], NEUTRAL, "dot"))  # fmt: skip
    for name, values, colour, dash in series:
        figure.add_scatter(
            x=x,
            y=values,
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash},
            hovertemplate=f"%{{x:.1%}} of the corpus<br>{name} %{{y:.3f}}<extra></extra>",
        )
    frame(figure, height=height, x="share of the corpus (bytes)", y=f"coverage of the {found.of}")
    figure.update_xaxes(tickformat=".2~p")
    return figure


def probe_figure(found: ProbeCurve, *, height: int = 260) -> go.Figure:
    """Return macro-F1 against the fraction of labelled documents, the recipe against the band of random draws."""
    figure = go.Figure()
    x = [point.fraction for point in found.points]
    high = [max(point.random) for point in found.points]
    low = [min(point.random) for point in found.points]
    figure.add_scatter(x=x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        x=x, y=low, mode="lines", line={"width": 0}, fill="tonexty", fillcolor=PALE, name="random", hoverinfo="skip"
    )
    figure.add_scatter(
        x=x,
        y=[float(np.mean(point.recipe)) for point in found.points],
        mode="lines+markers",
        name="recipe",
        line={"color": KEPT},
        customdata=[f"{point.documents:,} documents, random {np.mean(point.random):.3f}" for point in found.points],
        hovertemplate="%{x:.1%}: macro-F1 %{y:.3f}<br>%{customdata}<extra></extra>",
    )
    frame(figure, height=height, x="fraction of labelled documents", y="macro-F1")
    marks = [point.fraction for point in found.points]
    figure.update_xaxes(type="log", tickvals=marks, ticktext=[f"{mark:.0%}" for mark in marks])
    figure.update_yaxes(rangemode="tozero", minallowed=0, maxallowed=1)  # A flat curve would have an axis below 0.
    return figure


def composition_figure(
    found: Composition, *, most: int = 15, height: int | None = None, unit: str = "tokens"
) -> go.Figure:
    """Return the shares of tokens, or another unit, before and after as pairs of bars, the largest group on top."""
    shifts = found.shifts[:most]
    names = [escape(_shortened(shift.group or "no value")) for shift in shifts]
    figure = go.Figure()
    for name, values, colour in (
        ("before", [shift.share_before for shift in shifts], NEUTRAL),
        ("after", [shift.share_after for shift in shifts], KEPT),
    ):
        figure.add_bar(
            y=list(range(len(names))),
            x=values,
            orientation="h",
            name=name,
            marker={"color": colour},
            customdata=names,
            hovertemplate=f"%{{customdata}}<br>%{{x:.1%}} {name}<extra></extra>",
        )
    frame(figure, height=height or 90 + 26 * len(shifts), x=f"share of {unit}", y="")
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(tickformat=".0%")
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(names))), ticktext=names, showgrid=False)
    return figure


def attribution_figure(rows: Sequence[StepEffect], *, height: int | None = None) -> go.Figure:
    """Return the contribution of each step, with intervals; a step to the right helps."""
    figure = go.Figure()
    colours = {"helps": KEPT, "harms": DROPPED, "no measurable effect": NEUTRAL}
    figure.add_bar(
        y=list(range(len(rows))),
        x=[row.difference.mean for row in rows],
        orientation="h",
        marker={"color": [colours[row.verdict] for row in rows]},
        error_x={"type": "data", "array": [2 * row.difference.sd for row in rows], "color": NEUTRAL},
        customdata=[f"{escape(row.step)}: {row.verdict}" for row in rows],
        hovertemplate="%{customdata}<br>without it %{x:+.4f} bits per byte<extra></extra>",
    )
    frame(figure, height=height or 90 + 28 * len(rows), x="bits per byte lost without the step", y="")
    names = [escape(_shortened(row.step)) for row in rows]
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))), ticktext=names, showgrid=False)
    return figure


def curves_figure(found: ConceptProfiles, *, most: int = 12, height: int = 320) -> go.Figure:
    """Return learning curves of the largest concepts: flat curves are elephants, steep ones are dogs."""
    figure = go.Figure()
    table = found.table.sort_by([("size", "descending"), ("cluster", "ascending")]).slice(0, most)
    for row in table.to_pylist():
        pairs = [(x, y) for x, y in zip(found.documents, row["curve"], strict=True) if y is not None]
        if len(pairs) > 1:
            figure.add_scatter(
                x=[x for x, _ in pairs],
                y=[y for _, y in pairs],
                mode="lines+markers",
                name=escape(_shortened(str(row["name"]))),
                hovertemplate="%{x} documents: %{y:.3f} bits per byte<extra></extra>",
            )
    frame(figure, height=height, x="documents trained on", y="bits per byte of held-out members")
    figure.update_xaxes(type="log", tickvals=list(found.documents), ticktext=[str(size) for size in found.documents])
    figure.update_layout(legend={"orientation": "v", "x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"})
    return figure


def quota_figure(sizes: Sequence[int], quotas: Sequence[int], names: Sequence[str], *, height: int = 320) -> go.Figure:
    """Return quota against size of each concept; on the line everything is kept."""
    figure = go.Figure()
    top = max([1, *sizes])
    figure.add_scatter(
        x=[1, top], y=[1, top], mode="lines", line={"color": PALE, "dash": "dot"}, name="all", hoverinfo="skip"
    )
    figure.add_scatter(
        x=list(sizes),
        y=list(quotas),
        mode="markers",
        name="concepts",
        marker={"color": KEPT, "size": 7, "opacity": 0.7},
        customdata=[escape(_shortened(name, 60)) for name in names],
        hovertemplate="%{customdata}<br>%{y:,} of %{x:,} documents<extra></extra>",
    )
    frame(figure, height=height, x="documents of the concept", y="quota")
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    return figure


def search_figure(trials: Sequence[SearchTrial], *, height: int = 260) -> go.Figure:
    """Return the trials of a search in order, the accepted ones joined."""
    figure = go.Figure()
    for name, chosen, colour, mode in (
        ("tried", [t for t in trials if not t.accepted and t.candidate], NEUTRAL, "markers"),
        ("best so far", [t for t in trials if t.accepted], KEPT, "lines+markers"),
    ):
        figure.add_scatter(
            x=[trial.number for trial in chosen],
            y=[trial.target for trial in chosen],
            mode=mode,
            name=name,
            marker={"color": colour, "size": 8},
            line={"color": colour, "shape": "hv"},
            customdata=[escape(trial.log[:200]) for trial in chosen],
            hovertemplate="%{customdata}<br>%{y:.4f} bits per byte<extra></extra>",
        )
    baseline = next((trial.target for trial in trials if trial.candidate is None), None)
    if baseline is not None:
        figure.add_hline(y=baseline, line={"color": DROPPED, "dash": "dot"}, annotation_text="random")
    frame(figure, height=height, x="trial", y="bits per byte (texts the search may see)")
    return figure


def halving_figure(found: HalvingResult, *, height: int = 300) -> go.Figure:
    """Return each way to curate from rung to rung, by what it saves against random documents; the chosen one on top."""
    figure = go.Figure()
    random = {rung.number: rung.random for rung in found.rungs}
    names = [rung.model for rung in found.rungs]
    ways = dict.fromkeys(trial.way for trial in found.trials if trial.loss is not None and trial.way != found.way)
    for way in (*ways, found.way):
        chosen = way == found.way
        own = [trial for trial in found.trials if trial.loss is not None and _leads_to(trial.way, way, found.way)]
        figure.add_scatter(
            x=[names[trial.rung] for trial in own],
            y=[random[trial.rung] - (trial.loss or 0.0) for trial in own],
            mode="lines+markers",
            name="chosen" if chosen else "tried",
            legendgroup=str(chosen),
            showlegend=chosen or way == next(iter(ways), None),
            marker={"color": KEPT if chosen else NEUTRAL, "size": 9 if chosen else 6,
                    "symbol": "star" if chosen else "circle"},
            line={"color": KEPT if chosen else PALE, "width": 3 if chosen else 1},
            customdata=[escape(f"{trial.sentence}: {trial.why}"[:250]) for trial in own],
            hovertemplate="%{customdata}<br>%{y:.4f} bits per byte saved<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": DROPPED, "dash": "dot"}, annotation_text="random")
    figure.update_xaxes(categoryorder="array", categoryarray=names)
    frame(figure, height=height, x="judged by", y="bits per byte saved against random")
    return figure


def _leads_to(way: Curation, wanted: Curation, chosen: Curation) -> bool:
    """Return whether a trial belongs to a way; the chosen one is shuffled until its order is tried."""
    return way == wanted or (wanted == chosen and replace(wanted, order="") == way)


def _shortened(text: str, most: int = 28) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
