"""Compile all kernels once: ``python -m tamis.app.jobs.warm_up``.

A kernel is compiled on its first call and then cached (see ``kernel_cache``). Processes that start at the same
time would all compile the same kernels. So this one runs everything on a few hundred short texts, in a workspace that
it deletes; later processes find the kernels compiled. ``TAMIS_MODELS`` is the folder of the static model.
"""

from __future__ import annotations

import builtins
import json
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from tamis.analytics.duplicates.evaluation_sets import save_evaluation
from tamis.analytics.duplicates.references import save_reference
from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.scorer_fit import relevance_operator
from tamis.analytics.effect.target import Target, save_target
from tamis.analytics.embedding.cell_search import neighbours_by_cells
from tamis.analytics.embedding.static_model import load_plain_model
from tamis.analytics.embedding.tuned_model import fit_tuned
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.recipe.presets import with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.audit_answers import repeated_shares
from tamis.analytics.signals.relevance_step import METHODS
from tamis.analytics.study.duplicate_groups import look
from tamis.analytics.study.duplicate_sweeps import threshold_sweep
from tamis.analytics.study.map_points import prepare_polygons
from tamis.analytics.study.meaning import document_example
from tamis.analytics.study.nearest_documents import neighbours_of
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.standard_analysis import some_steps
from tamis.analytics.study.study import Study
from tamis.analytics.training.built import build
from tamis.analytics.training.picture import draw, find_phases, group_documents, try_boundary
from tamis.analytics.training.plan import TrainingPlan
from tamis.analytics.training.run_outline import outline_run
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PROTOCOL = Protocol(budget_bytes=4_000, draws=2, holdout_bytes=4_000)


def kernels() -> dict[str, bool]:
    """Return the kernels of the imported modules by full name, and whether this process has their machine code.

    Kernels that are always inlined are not among them.
    """
    found = {}
    for module in [each for name, each in sys.modules.items() if name.startswith("tamis.analytics.")]:
        for name, value in vars(module).items():
            if _is_kernel(value) and value.__module__ == module.__name__:
                found[f"{module.__name__}.{name}"] = bool(value.signatures)
    return found


def warm_up(folder: Path) -> None:
    """Run everything that has kernels once, on a small corpus, in an empty folder."""
    texts = list(dict.fromkeys(_docstrings()))[:300]
    workspace, corpus = Workspace(folder / "home"), _corpus(folder / "corpus.parquet", texts)
    write_options(workspace, corpus, MapOptions(tier="fast", min_cluster_size=5, concepts=4))
    study = Study.open(corpus, workspace)
    if find_spec("spacy"):  # an optional library; without it nothing calls these kernels
        study.measure(with_rule_set(Recipe(), "gopher-quality", words="spacy"))
    for rule in _rules(workspace, corpus):
        study.measure(Recipe().with_operator(rule))
        study.evaluate(Recipe().with_operator(rule))
    near = OPERATORS.build("near_dedup", {})
    assert isinstance(near, NearDedup)
    threshold_sweep(look(study.facts, study.evidence, near))
    neighbours_of(study, 0)
    study.measure(Recipe(), [document_example(study, 0, "warm-up").rule(0.5)])
    # With the columns themselves: they cannot be written to, and a kernel is compiled anew for arrays that can.
    prepare_polygons(study.facts)
    target = save_target(workspace, "target", texts[::3], origin="warm-up")
    for method in METHODS:
        rule = relevance_operator(study, Target.open(workspace, target.digest), target, method, share=0.5)
        study.measure(Recipe().with_operator(rule))
    evaluate_effect(EffectStudy.open(study, target, protocol=PROTOCOL), Recipe().with_operator(rule))
    _train(study, folder)
    # Only conversations are audited.
    repeated_shares(pa.array(texts, pa.large_string()), pa.array(texts[::-1], pa.large_string()))
    model = fit_tuned(load_plain_model(workspace.models), texts, np.eye(len(texts), 8), iterations=1)
    # Large corpora find their neighbours with other kernels.
    neighbours_by_cells(model.encode(texts), np.arange(len(texts)), k=5, probes=2, seed=0)
    _look_at_pictures(workspace, folder / "pictures")


def _train(study: Study, folder: Path) -> None:
    """Pack and split in all ways; conversations have kernels of their own."""
    base = Recipe().with_operator("upsample", signal="n_tokens").with_operator("split", validation=0.1)
    base = base.with_operator("expand", epochs=2)
    for method in ("best fit", "in order", "concatenate"):
        packed = base.with_operator("pack", length=64, method=method)
        study.measure(packed)
        for data in build(TrainingPlan.make(study, study.evaluate(packed))).data.values():
            data.pieces()
            list(data.batches())
    ordered = Recipe().with_operator("curriculum", order="best last", difficulty="n_tokens").with_operator("pack")
    scene = Scene.build(study.facts, study.evidence, recipe=ordered)
    assert scene.outcome is not None
    run, phases = outline_run(scene, study.evidence), find_phases(study.facts, scene.outcome)
    assert phases is not None
    groups = group_documents(run, "n_tokens")
    draw(run, groups)
    try_boundary(run, phases, phases.tried(0.5), groups)
    texts = build(TrainingPlan.make(study, study.evaluate(base)))
    list(texts.data["train"].batches())
    call = [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]
    talk = [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b " * 99, "tool_calls": call}]
    (folder / "chat.jsonl").write_text(json.dumps({"messages": talk}) + "\n")
    chat = Study.open(open_corpus(folder / "chat.jsonl"), study.workspace)
    build(TrainingPlan.make(chat, chat.evaluate(Recipe().with_operator("pack", length=64))))


def _look_at_pictures(workspace: Workspace, folder: Path) -> None:
    """Measure and compare pictures: some are framed and turned copies of others."""
    folder.mkdir()
    drawn = np.random.default_rng(0)
    for number in range(24):
        coarse = drawn.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((400, 300), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.png")
        ImageOps.expand(picture.resize((320, 240)), 16, "white").save(folder / f"{number}-framed.jpg")
        picture.transpose(Image.Transpose.ROTATE_90).save(folder / f"{number}-turned.jpg")
    picture.putalpha(128)
    picture.save(folder / "clear.png")
    corpus = open_corpus(folder)
    study = Study.open(corpus, workspace, steps=some_steps(corpus, workspace, ("pictures", "exact")))
    study.measure(Recipe().with_operator("image_near_dedup", turned=True))


def _is_kernel(value: Any) -> bool:
    return hasattr(value, "py_func") and value.targetoptions.get("inline") != "always"


def _docstrings() -> Iterator[str]:
    """Yield the docstrings of Python's built-in objects."""
    for kind in vars(builtins).values():
        for member in [kind, *vars(kind).values()] if isinstance(kind, type) else [kind]:
            text = getattr(member, "__doc__", None)
            if isinstance(text, str):
                yield text


def _corpus(path: Path, texts: list[str]) -> Corpus:
    texts = [*texts, *(text.upper() for text in texts[::9]), *(f"{text} More." for text in texts[::7])]
    sources = [f"source {k % 3}" for k in range(len(texts))]
    pq.write_table(pa.table({"text": texts, "source": sources, "label": sources}), path)
    return open_corpus(path)


def _rules(workspace: Workspace, corpus: Corpus) -> Iterator[Operator]:
    reference = save_reference(workspace, "reference", [corpus.path], n=13).digest
    exams = save_evaluation(workspace, "exams", [corpus.path]).digest
    yield OPERATORS.build("near_dedup", {})
    yield OPERATORS.build("near_dedup", {"within": "source"})
    yield OPERATORS.build("near_dedup", {"similarity": "containment", "unit": "character"})
    yield OPERATORS.build("semantic_dedup", {"allow_static": True})
    yield OPERATORS.build("semantic_dedup", {"allow_static": True, "rule": "published"})
    yield OPERATORS.build("exclude_known", {"reference": reference})
    yield OPERATORS.build("c4_lines", {})
    yield OPERATORS.build("boilerplate", {})
    yield OPERATORS.build("line_loss", {})
    yield OPERATORS.build("substring_dedup", {"length": 40})
    yield OPERATORS.build("decontaminate", {"evaluation": reference})
    yield OPERATORS.build("idf_decontaminate", {"evaluation": exams})
    yield OPERATORS.build("coverage_sample", {"share": 0.5})
    yield OPERATORS.build("diverse_sample", {"share": 0.5})


def main() -> None:
    """Compile all kernels and say how many there are."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        warm_up(Path(folder))
    print(f"{sum(kernels().values())} kernels are compiled")


if __name__ == "__main__":
    main()
