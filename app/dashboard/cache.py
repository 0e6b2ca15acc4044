"""The caches of the process. The only file with Streamlit caches; each takes one frozen value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st

from tamis.analytics.effect.taught_concept import ConceptScores
from tamis.analytics.embedding.embedder import Embedder
from tamis.analytics.export.diff import DocumentDiff, diff_outcomes
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.relevance import EmbeddingClassifier
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.likeness import Vectors
from tamis.analytics.study.first_look import FirstLook, WordHits, find_words, take_first_look
from tamis.analytics.study.meaning import prepare_meaning, sentence_embedder, vector_space
from tamis.analytics.study.pictures import prepare_pictures
from tamis.analytics.study.queries import Drift, Scene, SideBySide, find_drift, prepare_polygons, side_by_side
from tamis.analytics.study.queries import prepare_contrasts as rank_signals
from tamis.analytics.study.standard_analysis import steps_stamp
from tamis.analytics.training.picture import (
    Boundary,
    Phases,
    PictureGroups,
    RunPicture,
    draw,
    find_boundary,
    find_phases,
    group_documents,
    try_boundary,
)
from tamis.analytics.training.run_outline import RunOutline, outline_run
from tamis.app.dashboard import open_corpus
from tamis.app.dashboard.growing import DoneSoFar, Growing
from tamis.app.jobs.worker import find_analysis
from tamis.data.corpus import Corpus
from tamis.data.corpus_states import CorpusStates, new_documents
from tamis.data.find_shape import unread_by_shape
from tamis.data.hashing import digest
from tamis.data.reviews import ReviewLog, ReviewStore
from tamis.data.shapes import Shape
from tamis.data.workspace import Workspace

RANKING_SECONDS = 0.1
"""What a page waits for the ranks of signals before it shows the rest first."""


@dataclass(frozen=True)
class CorpusKey:
    """A corpus with the current state of its files and roles, the steps of its analysis and what is done of them.

    Attributes:
        root: folder of the workspace.
        name: of the corpus in it.
        stamp: of its files and roles.
        steps: of what the steps of the analysis depend on.
        parts: names the steps that are done; empty when all are, or none can be shown.
    """

    root: str
    name: str
    stamp: str
    steps: str = ""
    parts: str = ""


def _files(key: CorpusKey) -> str:
    return repr((key.root, key.name, key.stamp))


@dataclass(frozen=True)
class SceneKey:
    """The scene of a page, with further measured columns. Keys compare by digests; the values come with them.

    Attributes:
        corpus: the corpus.
        selection: conditions that all hold for what is selected.
        recipe: the live recipe.
        also: measured columns on scopes.
        shown: rules whose columns are shown although nothing is selected by them.
    """

    corpus: CorpusKey
    selection: tuple[RowOperator, ...]
    recipe: Recipe
    also: tuple[str, ...] = ()
    shown: tuple[RowOperator, ...] = ()

    def __hash__(self) -> int:
        return hash((self.corpus, self.selection, self.recipe.digest))


@dataclass(frozen=True)
class Ask:
    """One question about a scene: a query of ``analytics.queries`` with its arguments."""

    scene: SceneKey
    query: Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...] = field(default=())


def key_of(workspace: Workspace, name: str) -> CorpusKey:
    """Return the key of a registered corpus with what is done of its analysis, as far as it is loaded.

    Raises:
        SettingError: unknown corpus.
        CorpusError: its files are gone, or cannot be read.
    """
    whole = CorpusKey(str(workspace.root), name, open_corpus.stamp(workspace.corpus(name)), steps_stamp(workspace))
    return replace(whole, parts=_GROWING.parts(whole, lambda: _look(whole), lambda: _load(whole)))


@st.cache_resource(max_entries=8, show_spinner="Reading the corpus …", hash_funcs={CorpusKey: _files})
def corpus(key: CorpusKey) -> Corpus:
    """Return an open corpus."""
    workspace = Workspace(Path(key.root))
    return open_corpus.corpus_of(workspace, workspace.corpus(key.name))


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={CorpusKey: _files})
def unread_shape(key: CorpusKey) -> tuple[str, Shape] | None:
    """Return what the shape of a corpus leaves unread in its first texts, in words, and the shape that reads it."""
    found = corpus(key)
    return unread_by_shape(found.shape, found.schema, found.sampled)


class _UnfinishedError(Exception):
    """What is asked for is not there yet, so nothing is cached."""


def is_analysed(key: CorpusKey) -> bool:
    """Return whether every step of the standard analysis of a corpus is done."""
    return not key.parts and _GROWING.complete(key)


def is_open(key: CorpusKey) -> bool:
    """Return whether there is something to show of the analysis of a corpus: at least the ids of its documents."""
    return bool(key.parts) or is_analysed(key)


def _look(whole: CorpusKey) -> DoneSoFar:
    """Return what is done of an analysis now."""
    workspace, found = Workspace(Path(whole.root)), corpus(whole)
    plan = open_corpus.plan_of(workspace, found)
    done = {step.spec.name: step.key.digest for step in plan if step.done}
    parts = digest(done)[:24] if "documents" in done else ""
    return DoneSoFar(parts, len(done) == len(plan), find_analysis(found, workspace) is not None)


def _load(whole: CorpusKey) -> open_corpus.Opened:
    """Return what is done of an analysis."""
    workspace = Workspace(Path(whole.root))
    found = open_corpus.open_so_far(workspace, whole.name, corpus(whole))
    return open_corpus.open_analysed(workspace, whole.name, corpus(whole)) if found is None else found


def open_analysed(key: CorpusKey) -> open_corpus.Opened:
    """Return an analysed corpus; of an unfinished analysis what is done, see ``key_of``."""
    whole = replace(key, parts="")
    return _GROWING.opened(whole, key.parts) or _open_whole(whole)


@st.cache_resource(max_entries=4, show_spinner="Loading the facts …", hash_funcs={CorpusKey: repr})
def _open_whole(key: CorpusKey) -> open_corpus.Opened:
    return open_corpus.open_analysed(Workspace(Path(key.root)), key.name, corpus(key))


@st.cache_resource(max_entries=8, show_spinner="Reading the files …", hash_funcs={CorpusKey: _files})
def first_look(key: CorpusKey) -> FirstLook:
    """Return what can be said of a corpus before its analysis."""
    return take_first_look(corpus(key))


@dataclass(frozen=True)
class WordsKey:
    """Words that are looked for in a corpus before its analysis."""

    corpus: CorpusKey
    words: str


@st.cache_resource(max_entries=32, show_spinner="Searching …", hash_funcs={WordsKey: repr})
def found_words(key: WordsKey) -> WordHits:
    """Return the rows that hold some words, found in the files."""
    return find_words(corpus(key.corpus), key.words)


def _scene_name(key: SceneKey) -> str:
    rules = [[repr(rule) for rule in rules] for rules in (key.selection, key.shown)]
    return repr((key.corpus, rules, key.recipe.digest, key.also))


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs={SceneKey: _scene_name})
def scene(key: SceneKey) -> Scene:
    """Return the facts seen through a selection and a recipe."""
    source = open_analysed(key.corpus)
    rules = (*key.selection, *key.shown)
    source.require_measured(key.recipe, rules)
    if source.study.pending(key.recipe, rules):
        with st.spinner("Measuring what the rules need …"):
            source.study.measure(key.recipe, rules)
    return Scene.build(
        source.facts,
        source.evidence,
        selection=key.selection,
        recipe=key.recipe,
        also=key.also,
        shown=key.shown,
    )


def _question(ask: Ask) -> str:
    return repr((_scene_name(ask.scene), ask.query.__module__, ask.query.__qualname__, ask.arguments))


@st.cache_resource(max_entries=400, show_spinner=False, hash_funcs={Ask: _question})
def _answer(question: Ask) -> Any:
    return question.query(scene(question.scene), **dict(question.arguments))


def _forget_scenes() -> None:
    """Forget what was asked of an analysis before it went on; the facts of that time need not stay in memory."""
    scene.clear()
    _answer.clear()


_GROWING = Growing(changed=_forget_scenes)


def ask(key: SceneKey, query: Callable[..., Any], **arguments: Any) -> Any:
    """Return the cached answer of a query on a scene. Answers are shared: do not change them."""
    return _answer(Ask(key, query, tuple(sorted(arguments.items()))))


@st.cache_resource(max_entries=4, show_spinner="Laying out the run of training …", hash_funcs={SceneKey: _scene_name})
def run_outline(key: SceneKey) -> RunOutline:
    """Return the run of training that the live recipe describes."""
    return outline_run(scene(key), open_analysed(key.corpus).evidence)


@dataclass(frozen=True)
class RunKey:
    """A picture of a run of training.

    Attributes:
        scene: with the recipe of the run.
        column: whose groups are stacked.
        boundary: a boundary of the curriculum that is tried; None for the run as the recipe makes it.
    """

    scene: SceneKey
    column: str
    boundary: float | None = None


def _run_name(key: RunKey) -> str:
    return repr((_scene_name(key.scene), key.column, key.boundary))


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={RunKey: _run_name})
def run_groups(key: RunKey) -> PictureGroups:
    """Return the groups that a picture stacks; its boundary must be None."""
    return group_documents(run_outline(key.scene), key.column)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={SceneKey: _scene_name})
def run_phases(key: SceneKey) -> Phases | None:
    """Return what the curriculum of the live recipe orders, None without one."""
    found = scene(key)
    return None if found.outcome is None else find_phases(found.facts, found.outcome)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={RunKey: _run_name})
def run_picture(key: RunKey) -> tuple[RunPicture, Boundary | None]:
    """Return the picture of a run and the boundary of its curriculum."""
    run, phases, groups = run_outline(key.scene), run_phases(key.scene), run_groups(replace(key, boundary=None))
    if phases is None:
        return draw(run, groups), None
    if key.boundary is None:
        return draw(run, groups), find_boundary(run, phases, phases.operator)
    return try_boundary(run, phases, phases.tried(key.boundary), groups)


@dataclass(frozen=True)
class SpaceKey:
    """Vectors of an analysed corpus: those of its analysis, or precise ones beside them."""

    corpus: CorpusKey
    vectors: Vectors


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={SpaceKey: repr})
def _space(key: SpaceKey) -> str:
    found = vector_space(open_analysed(key.corpus).study, key.vectors)
    if found is None:
        raise _UnfinishedError
    return found


def space_of(key: SpaceKey) -> str | None:
    """Return the digest that names the space of vectors; None, which is not cached, while there are none."""
    try:
        return _space(key)
    except _UnfinishedError:
        return None


@st.cache_resource(max_entries=2, show_spinner="Loading the embedding model …", hash_funcs={CorpusKey: repr})
def embedder(key: CorpusKey) -> Embedder:
    """Return the model that embeds sentences like a corpus; a precise one takes seconds to load."""
    return sentence_embedder(open_analysed(key).study)


@dataclass(frozen=True)
class RecipePair:
    """Two recipes on one corpus."""

    corpus: CorpusKey
    before: Recipe
    after: Recipe


def _pair_name(pair: RecipePair) -> str:
    return repr((pair.corpus, pair.before.digest, pair.after.digest))


@st.cache_resource(max_entries=12, show_spinner="Comparing …", hash_funcs={RecipePair: _pair_name})
def difference(pair: RecipePair) -> DocumentDiff:
    """Return the documents that two recipes treat differently. It is shared: do not change it."""
    scenes = [scene(SceneKey(pair.corpus, (), recipe)) for recipe in (pair.before, pair.after)]
    first, second = (each.outcome for each in scenes)
    assert first is not None and second is not None
    return diff_outcomes(first, second, open_analysed(pair.corpus).facts)


@dataclass(frozen=True)
class CorpusPair:
    """Two corpora."""

    first: CorpusKey
    second: CorpusKey


@st.cache_resource(max_entries=8, show_spinner="Comparing …", hash_funcs={CorpusPair: repr})
def beside(pair: CorpusPair) -> SideBySide:
    """Return what differs between two analysed corpora."""
    return side_by_side(open_analysed(pair.first).facts, open_analysed(pair.second).facts)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={CorpusKey: repr})
def known_before(key: CorpusKey) -> frozenset[str] | None:
    """Return the contents of the files that a corpus grew from, None if it did not grow."""
    study = open_analysed(key).study
    return CorpusStates.of(study.workspace.root, study.corpus).before(study.corpus)


@st.cache_resource(max_entries=4, show_spinner="Comparing …", hash_funcs={CorpusKey: repr})
def drift(key: CorpusKey) -> Drift:
    """Return what the new files of a corpus have against those that were there."""
    return find_drift(open_analysed(key).study, known_before(key) or frozenset())


@dataclass(frozen=True)
class ConceptKey:
    """A taught concept on a corpus.

    Attributes:
        corpus: the corpus.
        rule: of the concept; its scores are measured.
    """

    corpus: CorpusKey
    rule: EmbeddingClassifier


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={ConceptKey: repr})
def concept_scores(key: ConceptKey) -> ConceptScores:
    """Return the probabilities of all documents, the new ones marked where the corpus grew."""
    study, known = open_analysed(key.corpus).study, known_before(key.corpus)
    new = None if known is None else new_documents(study.corpus, study.documents, known)
    return ConceptScores.of(study, key.rule, new=new)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={CorpusKey: repr})
def prepare_lasso(key: CorpusKey) -> Thread:
    """Start a thread that loads what the first lasso on a corpus needs, and return it."""
    thread = Thread(target=prepare_polygons, args=(open_analysed(key).facts,), daemon=True)
    thread.start()
    return thread


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={CorpusKey: repr})
def prepare_search(key: CorpusKey) -> Thread:
    """Start a thread that loads what the first search by meaning on a corpus needs, and return it."""
    thread = Thread(target=prepare_meaning, args=(open_analysed(key).study,), daemon=True)
    thread.start()
    return thread


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={CorpusKey: repr})
def prepare_thumbnails(key: CorpusKey) -> Thread:
    """Start a thread that makes the thumbnails of a corpus of pictures ready, and return it."""
    thread = Thread(target=prepare_pictures, args=(open_analysed(key).study,), daemon=True)
    thread.start()
    return thread


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={CorpusKey: repr})
def prepare_contrasts(key: CorpusKey) -> Thread:
    """Start a thread that ranks the signals of a corpus, and return it; a small corpus is done within a moment."""
    thread = Thread(target=rank_signals, args=(open_analysed(key).facts,), daemon=True)
    thread.start()
    thread.join(RANKING_SECONDS)
    return thread


@st.cache_resource(max_entries=16, show_spinner=False)
def review_log(root: str, corpus_fingerprint: str) -> ReviewLog:
    """Return the review log of a corpus; the log reads new events by itself."""
    return ReviewLog(ReviewStore.of(Path(root)), corpus_fingerprint)
