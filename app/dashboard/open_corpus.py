"""A corpus as the pages see it: its analysis, its facts, and the texts of the few documents on screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tamis.analytics.facts.facts import Facts
from tamis.analytics.map.cluster_steps import clusters_of
from tamis.analytics.map.options import read_options
from tamis.analytics.map.placed_steps import placed_words
from tamis.analytics.map.sample_map import SAMPLE_MAP
from tamis.analytics.operators.operator import Evidence, Operator, RowOperator, named_list
from tamis.analytics.operators.selection import Cluster
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.corpus_columns import left_out_notes
from tamis.analytics.steps.facts_step import step_of
from tamis.analytics.steps.pipeline import Analysis, PlannedStep, analyze, find_analysis_so_far, plan_steps
from tamis.analytics.study.audit_places import audit_places
from tamis.analytics.study.lines import name_of
from tamis.analytics.study.pictures import is_pictured, read_pictures, read_rows
from tamis.analytics.study.readings import Reading
from tamis.analytics.study.standard_analysis import analysis_steps, steps_on_screen, why_unmapped
from tamis.analytics.study.study import Study
from tamis.app.server.routes import SNIPPET_CHARACTERS, Said, Snippet
from tamis.data.artifact import Artifact
from tamis.data.cluster_names import read_model_names, read_people_names
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import RecipeError, StoreError
from tamis.data.file_stamps import FileStamps
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace


@dataclass(frozen=True)
class Opened:
    """An analysed corpus, ready for questions.

    Attributes:
        name: its name in the workspace.
        study: the corpus with its facts.
        analysis: the artifacts they were made from.
    """

    name: str
    study: Study
    analysis: Analysis

    @property
    def facts(self) -> Facts:
        """Return the facts table."""
        return self.study.facts

    @property
    def evidence(self) -> Evidence:
        """Return what rules may read besides the facts."""
        return self.study.evidence

    @property
    def missing(self) -> frozenset[str]:
        """Return the names of the steps of the analysis that are not done."""
        return frozenset(step.name for step in self.study.evidence.steps) - self.analysis.artifacts.keys()

    def require_measured(self, recipe: Recipe, rules: Sequence[RowOperator] = ()) -> None:
        """Check that the analysis has made the columns that a recipe and further rules read.

        Raises:
            RecipeError: the steps that make them are not done; the message names them.
        """
        steps = self.unmeasured(recipe, rules)
        if steps:
            titles = [step.title for step in self.study.evidence.steps if step.name in steps]
            raise RecipeError(
                "Not measured yet", value=", ".join(titles),
                fix="the analysis makes it; wait, or set aside what needs it",
            )  # fmt: skip

    def unmeasured(self, recipe: Recipe, rules: Sequence[RowOperator] = ()) -> frozenset[str]:
        """Return the steps that are not done and that make columns which a recipe or further rules read."""
        if not self.missing:
            return frozenset()
        read = {*recipe.columns(), *(column for rule in rules for column in rule.columns())}
        read -= self.facts.columns.keys() - ({"x", "y"} if "map" in self.missing else set())
        return frozenset(step for column in read if (step := step_of(column)) in self.missing)

    def texts(self, rows: Sequence[int]) -> list[str]:
        """Return the texts of a few documents by facts row."""
        corpus = self.study.corpus
        table = corpus.fetch(self.study.documents, np.asarray(rows, dtype=np.int64))
        return [text or "" for text in corpus.texts_of(table).to_pylist()]

    def readings(self, rows: Sequence[int]) -> list[Reading]:
        """Return a few documents as people read them, by facts row."""
        return read_rows(self.study, rows)

    @cached_property
    def is_pictured(self) -> bool:
        """Return whether the documents are pictures."""
        return is_pictured(self.study.corpus)

    def pictures(self, rows: Sequence[int], size: str) -> list[bytes]:
        """Return pictures as WebP bytes, by facts row; see ``read_pictures``."""
        return read_pictures(self.study, rows, size)

    def audit_places(self, row: int, document: Reading, signal: str) -> list[tuple[int, int]]:
        """Return the characters of a document, by facts row, from which a signal of the audit comes."""
        corpus = self.study.corpus
        table = corpus.fetch(self.study.documents, np.asarray([row], dtype=np.int64))
        return audit_places(corpus, table, document, self.study.workspace.root, signal=signal)

    def record(self, row: int) -> dict[str, object]:
        """Return all corpus columns of one document, by facts row."""
        table = self.study.corpus.fetch(self.study.documents, np.asarray([row], dtype=np.int64))
        found: dict[str, object] = table.to_pylist()[0]
        return found

    @property
    def unmapped_words(self) -> str:
        """Return why the corpus has no map and no clusters and will have none; empty if it has them or will."""
        return why_unmapped(self.study.corpus, self.study.workspace)

    @cached_property
    def placed_words(self) -> str:
        """Return the sentence that says that map and clusters are earlier ones, empty if they are of all documents."""
        options = read_options(self.study.workspace, self.study.corpus)
        return placed_words(options.placed_on, self.analysis.artifacts)

    def clusters(self) -> Artifact | None:
        """Return the clusters in use, None without any."""
        return clusters_of(self.analysis.artifacts)

    def cluster_names(self) -> dict[str, str]:
        """Return the names of the clusters by number as text: from people, else a model, else their words."""
        artifact = self.clusters()
        if artifact is None:
            return {}
        rows: list[dict[str, Any]] = self.facts.memo.through(
            ("names of clusters", artifact.digest),
            lambda: artifact.table("clusters", columns=["cluster", "name"]).to_pylist(),
            size=lambda found: 200 * len(found),
        )
        root = self.study.workspace.root
        answered = {number: name.name for number, name in read_model_names(root, artifact.digest).items()}
        given = answered | read_people_names(root, artifact.digest)
        return {str(row["cluster"]): given.get(row["cluster"], row["name"]) for row in rows}

    def with_names(self, words: str, rule: Operator) -> str:
        """Return words about a rule, such as its sentence, followed by the names of the clusters it is about."""
        if not isinstance(rule, Cluster) or "cluster" not in self.facts.columns:
            return words
        if rule.clustering != self.facts.info("cluster").origin:
            return words
        names = self.cluster_names() | {"-1": "unclustered"}
        return f"{words}: {named_list(tuple(names.get(str(number), str(number)) for number in rule.clusters))}"

    def snippet(self, row: int) -> Snippet:
        """Return the beginning of one document and its source.

        Raises:
            StoreError: there is no such row.
        """
        if not 0 <= row < self.facts.n:
            raise StoreError("There is no such document", value=row, allowed=f"0 to {self.facts.n - 1}")
        shown = [name for name in ("source", "lang", "n_tokens") if name in self.facts.columns]
        values = self.facts.table(["id", *shown], np.asarray([row])).to_pylist()[0]
        document = self.readings([row])[0]
        lines = tuple(f"{self.facts.info(name).title}: {values[name]}" for name in shown if values[name] is not None)
        if not document.parts:
            pictured = document.picture is not None
            text = name_of(document) if pictured and not document.text.strip() else document.text
            return Snippet(
                str(values["id"]), _shortened(text, SNIPPET_CHARACTERS), lines, picture=row if pictured else -1
            )
        found = [document.parts[at] for at in document.gist()]
        each = SNIPPET_CHARACTERS // max(len(found), 1)
        turns = tuple(Said(part.title, part.role, _shortened(part.text, each)) for part in found)
        return Snippet(str(values["id"]), "", lines, turns)


def _shortened(text: str, length: int) -> str:
    """Return the beginning of a text in one line."""
    folded = " ".join(text[: 8 * length].split())
    return folded if len(folded) <= length else folded[:length] + "…"


_STAMPS = FileStamps()


def stamp(entry: CorpusEntry) -> str:
    """Return the stamp of a corpus' files and roles; when it changes, the corpus must be opened again."""
    told = (_STAMPS.of(entry.path), sorted(entry.roles.items()), sorted(entry.opening.items()))
    return sha256(repr(told).encode()).hexdigest()


def corpus_of(workspace: Workspace, entry: CorpusEntry) -> Corpus:
    """Open a registered corpus; every byte is hashed.

    Raises:
        CorpusError: it cannot be read.
    """
    return open_corpus(Path(entry.path), roles=entry.roles, probes=workspace.probes, **entry.opening)


def plan_of(workspace: Workspace, corpus: Corpus) -> tuple[PlannedStep, ...]:
    """Return the steps of the analysis and whether each is done."""
    return plan_steps(corpus, workspace, steps_on_screen(corpus, workspace))


def notes_of(workspace: Workspace, corpus: Corpus) -> tuple[str, ...]:
    """Return the notes of the finished steps about documents and columns."""
    found = {step.spec.name: workspace.store.find(step.key) for step in plan_of(workspace, corpus)}
    documents, columns = found.get("documents"), found.get("columns")
    found_documents = None if documents is None else Documents.read(documents)
    notes = () if found_documents is None else (*found_documents.notes, *found_documents.warnings)
    done = {name: artifact for name, artifact in found.items() if artifact is not None}
    words = placed_words(read_options(workspace, corpus).placed_on, done)
    notes = (*notes, *filter(None, (words, why_unmapped(corpus, workspace))))
    return notes if columns is None else (*notes, *left_out_notes(columns))


def open_so_far(workspace: Workspace, name: str, corpus: Corpus) -> Opened | None:
    """Return what is done of the analysis of a corpus; None while nothing is, or when all is."""
    plan = plan_of(workspace, corpus)
    found = None if all(step.done for step in plan) else find_analysis_so_far(corpus, workspace, plan)
    if found is None:
        return None
    found = replace(found, stand_ins={"map": SAMPLE_MAP})
    return Opened(name, Study.of(found, workspace, analysis_steps(corpus, workspace)), found)


def open_analysed(workspace: Workspace, name: str, corpus: Corpus) -> Opened:
    """Return an analysed corpus. Every step must be done: nothing is computed here."""
    steps = analysis_steps(corpus, workspace)
    analysis = analyze(corpus, workspace, steps=steps)
    return Opened(name, Study.of(analysis, workspace, steps), analysis)
