"""The caches of the process. The only file with Streamlit caches; each takes one frozen value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st

from tamis.analytics.embedding.embedder import Embedder
from tamis.analytics.export.diff import DocumentDiff, diff_outcomes
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.likeness import Vectors
from tamis.analytics.study.meaning import prepare_meaning, sentence_embedder, vector_space
from tamis.analytics.study.queries import Scene, SideBySide, prepare_polygons, side_by_side
from tamis.analytics.study.queries import prepare_contrasts as rank_signals
from tamis.analytics.study.standard_analysis import steps_stamp
from tamis.app.dashboard import open_corpus
from tamis.data.corpus import Corpus
from tamis.data.reviews import ReviewLog, ReviewStore
from tamis.data.workspace import Workspace

RANKING_SECONDS = 0.1
"""What a page waits for the ranks of signals before it shows the rest first."""


@dataclass(frozen=True)
class CorpusKey:
    """A corpus with the current state of its files and roles, and the steps of its analysis."""

    root: str
    name: str
    stamp: str
    steps: str = ""


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
    """Return the key of a registered corpus.

    Raises:
        SettingError: unknown corpus.
        CorpusError: its files are gone.
    """
    return CorpusKey(str(workspace.root), name, open_corpus.stamp(workspace.corpus(name)), steps_stamp(workspace))


@st.cache_resource(max_entries=8, show_spinner="Reading the corpus …", hash_funcs={CorpusKey: _files})
def corpus(key: CorpusKey) -> Corpus:
    """Return an open corpus."""
    workspace = Workspace(Path(key.root))
    return open_corpus.corpus_of(workspace, workspace.corpus(key.name))


class _UnfinishedError(Exception):
    """The analysis is not complete, so nothing is cached."""


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={CorpusKey: repr})
def _complete(key: CorpusKey) -> bool:
    if not all(step.done for step in open_corpus.plan_of(Workspace(Path(key.root)), corpus(key))):
        raise _UnfinishedError
    return True


def is_analysed(key: CorpusKey) -> bool:
    """Return whether every step of the standard analysis of a corpus is done; only True is cached."""
    try:
        return _complete(key)
    except _UnfinishedError:
        return False


@st.cache_resource(max_entries=4, show_spinner="Loading the facts …", hash_funcs={CorpusKey: repr})
def open_analysed(key: CorpusKey) -> open_corpus.Opened:
    """Return an analysed corpus."""
    return open_corpus.open_analysed(Workspace(Path(key.root)), key.name, corpus(key))


def _scene_name(key: SceneKey) -> str:
    rules = [[repr(rule) for rule in rules] for rules in (key.selection, key.shown)]
    return repr((key.corpus, rules, key.recipe.digest, key.also))


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs={SceneKey: _scene_name})
def scene(key: SceneKey) -> Scene:
    """Return the facts seen through a selection and a recipe."""
    source = open_analysed(key.corpus)
    rules = (*key.selection, *key.shown)
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


def ask(key: SceneKey, query: Callable[..., Any], **arguments: Any) -> Any:
    """Return the cached answer of a query on a scene. Answers are shared: do not change them."""
    return _answer(Ask(key, query, tuple(sorted(arguments.items()))))


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
