"""A corpus with its analysis, ready for recipes: what a page, the command line or a notebook holds on to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tamis.analytics.evidence import LocalEvidence
from tamis.analytics.facts import Facts
from tamis.analytics.frozen import FrozenSources
from tamis.analytics.operator import RowOperator
from tamis.analytics.outcome import Outcome
from tamis.analytics.pipeline import Analysis, PlannedStep, analysis_steps, analyze
from tamis.analytics.plan import evaluate
from tamis.analytics.recipe import Recipe
from tamis.analytics.scene import Scene
from tamis.analytics.step import StepSpec
from tamis.analytics.work import Engine
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Study:
    """An analysed corpus in a workspace.

    Attributes:
        corpus: the files.
        documents: their documents.
        workspace: where artifacts and assets are.
        facts: the facts table, in memory.
        evidence: measures, id sets and clusterings.
    """

    corpus: Corpus
    documents: Documents
    workspace: Workspace
    facts: Facts
    evidence: LocalEvidence

    @classmethod
    def open(
        cls,
        corpus: Corpus,
        workspace: Workspace,
        *,
        steps: Sequence[StepSpec] | None = None,
        known: Sequence[StepSpec] | None = None,
        frozen: FrozenSources | None = None,
        engine: Engine | None = None,
        progress: Progress | None = None,
    ) -> Study:
        """Run what is missing of the analysis and load the facts.

        Args:
            corpus: the files.
            workspace: where artifacts and assets are.
            steps: the steps of the analysis, all of them by default; the last one must make the facts.
            known: further steps that measures may build on; only those of the analysis by default.
            frozen: where id sets and clusterings come from; the workspace by default.
            engine: makes parts of the analysis elsewhere.
            progress: where to report.

        Raises:
            TamisError: as the steps raise.
        """
        chosen = tuple(analysis_steps(corpus, workspace) if steps is None else steps)
        found = analyze(corpus, workspace, steps=chosen, engine=engine, progress=progress)
        return cls.of(found, workspace, chosen if known is None else known, frozen=frozen)

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        workspace: Workspace,
        steps: Sequence[StepSpec],
        *,
        frozen: FrozenSources | None = None,
    ) -> Study:
        """Return the study of a finished analysis."""
        corpus, documents, facts = analysis.corpus, analysis.documents, analysis.facts()
        evidence = LocalEvidence.of(facts, corpus, documents, workspace, steps=steps, frozen=frozen)
        return cls(corpus, documents, workspace, facts, evidence)

    def pending(self, recipe: Recipe, selection: Sequence[RowOperator] = ()) -> tuple[PlannedStep, ...]:
        """Return the measurements that a recipe and a selection still wait for, with estimates."""
        wanted = [*recipe.measures(), *(measure for operator in selection for measure in operator.measures())]
        return self.evidence.pending(dict.fromkeys(wanted))

    def measure(
        self,
        recipe: Recipe,
        selection: Sequence[RowOperator] = (),
        *,
        engine: Engine | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Run the pending measurements, shards of them on ``engine`` where one is given."""
        wanted = [*recipe.measures(), *(measure for operator in selection for measure in operator.measures())]
        self.evidence.measure(dict.fromkeys(wanted), engine=engine, progress=progress)

    def evaluate(self, recipe: Recipe, *, progress: Progress | None = None) -> Outcome:
        """Return what a recipe does; see ``plan.evaluate``."""
        return evaluate(recipe, self.facts, self.evidence, progress=progress)

    def scene(self, *, selection: Sequence[RowOperator] = (), recipe: Recipe | None = None) -> Scene:
        """Return the facts seen through a selection and a recipe; see ``Scene.build``."""
        return Scene.build(self.facts, self.evidence, selection=selection, recipe=recipe)
