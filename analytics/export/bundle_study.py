"""The study of a bundle: a corpus opened as its lock says, and analysed as far as its recipe needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tamis.analytics.export.bundle import (
    Bundle,
    columns_read,
    needed_steps,
)
from tamis.analytics.signals.step import signals_step
from tamis.analytics.signals.token_counter import PACKAGED
from tamis.analytics.signals.tokens import TOKENS_VERSION, replace_tokenizer
from tamis.analytics.steps.engine import Engine
from tamis.analytics.steps.facts_step import facts_step, step_of
from tamis.analytics.steps.pipeline import plan_steps
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import Progress
from tamis.data.schema import head_of
from tamis.data.workspace import Workspace


def open_for(
    bundle: Bundle,
    path: str | Path,
    workspace: Workspace,
    *,
    roles: Mapping[str, str] | None = None,
    by_hand: Collection[str] | None = None,
    opening: Mapping[str, Any] | None = None,
) -> Corpus:
    """Open a corpus with the roles that the lock names, as far as the corpus has those columns.

    When the files are those of the lock, only the path columns in the lock are read.

    Args:
        bundle: with or without a lock.
        path: the corpus.
        workspace: where probes are kept.
        roles: columns by role, instead of the lock's.
        opening: further options of ``open_corpus``.

    Raises:
        CorpusError: as ``open_corpus``.
    """
    how = dict(opening or {})
    corpus = open_corpus(path, roles=roles, by_hand=by_hand, probes=workspace.probes, **how)
    if roles is not None or bundle.lock is None:
        return corpus
    locked = bundle.lock.corpus
    corpus = _with_locked_roles(corpus, locked.roles)
    if set(corpus.path_columns) <= set(locked.schema):
        return corpus
    how["path_columns"] = tuple(locked.schema)
    as_locked = _with_locked_roles(open_corpus(path, probes=workspace.probes, **how), locked.roles)
    return as_locked if as_locked.fingerprint == locked.fingerprint else corpus


def _with_locked_roles(corpus: Corpus, known: Mapping[str, str]) -> Corpus:
    wanted = {role: known.get(role, "") for role in corpus.explicit_roles}
    fitting = {role: name for role, name in wanted.items() if not name or head_of(corpus.schema, name)}
    return corpus.with_roles({role: name for role, name in fitting.items() if name or role != "text"})


def study_for(
    bundle: Bundle,
    corpus: Corpus,
    workspace: Workspace,
    *,
    also: Collection[str] = (),
    tokenizer: str | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Study:
    """Run the analysis steps and the measurements that a bundle's recipe needs.

    Args:
        bundle: the recipe with its lock and plain data.
        corpus: what to analyse.
        workspace: where artifacts are kept.
        also: further analysis steps to run, by name.
        tokenizer: see ``run_bundle``.
        engine: measures shards elsewhere.
        progress: where to report.

    Raises:
        TamisError: as the steps raise.
    """
    bundle.sources.lend(bundle.recipe.assets(), workspace)
    known = _set_tokenizer(analysis_steps(corpus, workspace), bundle, tokenizer)
    steps = steps_for(bundle, known, also=also)
    if not also:
        steps = _without_unread_signals(steps, corpus, workspace)
    study = Study.open(
        corpus, workspace, steps=steps, known=known, frozen=bundle.sources, engine=engine, progress=progress
    )
    study.measure(bundle.recipe, engine=engine, progress=progress)
    return study


def _set_tokenizer(steps: tuple[StepSpec, ...], bundle: Bundle, tokenizer: str | None) -> tuple[StepSpec, ...]:
    """Return the steps with the given tokenizer, else the one in the bundle's lock if it is packaged."""
    if tokenizer is not None:
        return replace_tokenizer(steps, tokenizer)
    for locked in bundle.lock.steps if bundle.lock is not None else ():
        if locked.name == "tokens" and locked.params["tokenizer"] in PACKAGED:
            return replace_tokenizer(steps, locked.params["tokenizer"], version=min(locked.version, TOKENS_VERSION))
    return steps


def steps_for(bundle: Bundle, steps: Sequence[StepSpec], *, also: Collection[str] = ()) -> tuple[StepSpec, ...]:
    """Return the analysis steps a recipe needs and ``also``; all of them when it reads an unknown column.

    The facts hold the columns that the recipe reads and no others, unless ``also`` asks for more steps.
    """
    measured = {measure.column for measure in bundle.recipe.measures()}
    known = dict(bundle.lock.columns) if bundle.lock else {}
    read = columns_read(bundle.recipe) - measured
    makers = {name: known.get(name) or step_of(name) for name in read}
    names = {step.name for step in steps}
    if not names >= set(makers.values()):
        return tuple(steps)
    wanted = {name for name in (*makers.values(), *known.values(), *also) if name is not None}
    chosen = [step for step in needed_steps(steps, wanted) if step.name != "facts"]
    return (*chosen, facts_step(chosen, columns=None if also else read))


def _without_unread_signals(steps: tuple[StepSpec, ...], corpus: Corpus, workspace: Workspace) -> tuple[StepSpec, ...]:
    """Return the steps with only those signals measured that the facts hold, unless all are measured already."""
    planned = {plan.spec.name: plan for plan in plan_steps(corpus, workspace, steps)}
    facts, signals = planned["facts"].spec, planned.get("signals")
    readers = [step.name for step in steps if "signals" in step.upstream]
    if signals is None or signals.done or readers != ["facts"] or "columns" not in facts.params:
        return steps
    read = [name for name in facts.params["columns"] if step_of(name) == "signals"]
    return tuple(signals_step(read) if step.name == "signals" else step for step in steps)
