"""How long the page Training takes to answer: ``python -m benchmarks.bench_training_page [--documents N]``

Invented facts of a million documents with skewed sources and lengths; recipe: a curriculum, a split that keeps the same
texts together, packing by best fit, batches. First the run as a whole is laid out, once for a recipe; then every
interaction is timed alone: a boundary that is dragged to a place where it never was, another column, another step.
Time of the server, without transfer; the median and the slowest of several, processor time beside.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from operator_examples import evidence
from synthetic import synthetic_facts

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.order import Curriculum
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.scene import Scene
from tamis.analytics.training.picture import draw, find_boundary, find_phases, group_documents, try_boundary
from tamis.analytics.training.run_outline import RunOutline, outline_run

BUDGET = 0.3
TIMES = 9
COLUMNS = ("source", "lang", "cluster", "n_words", "compression_ratio")


def recipes(epochs: int) -> Recipe:
    """Return the recipe with a number of epochs; with more than one, documents have copies too."""
    found = Recipe()
    if epochs > 1:
        found = found.with_operator("upsample", signal="compression_ratio")
    found = found.with_operator("curriculum", order="warm-up then random", difficulty="n_words", warm_up=0.2)
    found = found.with_operator("split", validation=0.01, test=0.01, together=["same text"])
    if epochs > 1:
        found = found.with_operator("expand", epochs=epochs, order="recipe order, then shuffle")
    return found.with_operator("pack", length=2048).with_operator("batches", size=256)


def timed(act: Callable[[int], object], times: int = TIMES) -> tuple[list[float], list[float]]:
    """Return the seconds of wall and of processor that an act takes each time; it is told which time it is."""
    wall, cpu = [], []
    for number in range(times):
        first, spent = time.perf_counter(), time.process_time()
        act(number)
        wall.append(time.perf_counter() - first)
        cpu.append(time.process_time() - spent)
    return wall, cpu


def show(name: str, found: tuple[list[float], list[float]], *, once: bool = False) -> None:
    """Print a row."""
    wall, cpu = found
    verdict = "" if once else "yes" if max(wall) <= BUDGET else "NO"
    print(f"| {name} | {statistics.median(wall):.3f} | {max(wall):.3f} | {statistics.median(cpu):.3f} | {verdict} |")


def measure(facts: Facts, epochs: int) -> None:
    """Print the rows of a recipe."""
    kept: dict[str, object] = {}
    given = evidence(facts)

    def lay_out(_: int) -> None:
        kept["scene"] = scene = Scene.build(facts, given, recipe=recipes(epochs))
        kept["run"] = outline_run(scene, given)
        assert scene.outcome is not None
        kept["phases"] = find_phases(facts, scene.outcome)

    word = "1 epoch" if epochs == 1 else f"{epochs} epochs and copies"
    show(f"the run of a new recipe, {word}, once", timed(lay_out, 1), once=True)
    run, phases = kept["run"], kept["phases"]
    assert isinstance(run, RunOutline) and phases is not None
    show(f"sequences and steps, {word}, once", timed(lambda _: run.figures, 1), once=True)
    show(f"groups of 5 columns, {word}, once each", timed(lambda k: group_documents(run, COLUMNS[k % 5]), 5), once=True)
    groups = {name: group_documents(run, name) for name in COLUMNS}
    show(f"the items over the progress, {word}, once", timed(lambda _: (run.spread, run.shuffled), 1), once=True)
    show(f"the picture by another column, {word}", timed(lambda k: draw(run, groups[COLUMNS[k % 5]])))
    find_boundary(run, phases, phases.operator)

    def drag(number: int) -> None:
        operator: Curriculum = phases.tried(0.07 + 0.09 * number)
        try_boundary(run, phases, operator, groups["source"])

    show(f"a boundary dragged to a new place, {word}", timed(drag))
    steps = len(run.batches)
    show(f"what another step reads, {word}", timed(lambda k: run.read((k * 7919) % steps)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    chosen = parser.parse_args()
    facts = synthetic_facts(chosen.documents)
    facts.keys  # noqa: B018 - made once for a corpus
    print(f"{chosen.documents:,} documents, budget of an interaction {BUDGET} s\n")
    print("| what | median s | slowest s | processor s | within |\n|---|---|---|---|---|")
    for epochs in (1, 3):
        measure(facts, epochs)


if __name__ == "__main__":
    main()
