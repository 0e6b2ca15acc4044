"""The tools of an agent, one function each: they open the corpus and ask ``analytics.agents``; they hold no logic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from tamis.analytics.agents import ledgers, questions
from tamis.analytics.agents.answers import (
    ColumnAnswer,
    CorpusAnswer,
    CountAnswer,
    LedgerAnswer,
    PreviewAnswer,
    RecipeAnswer,
    SearchAnswer,
    TextAnswer,
    WhyAnswer,
)
from tamis.analytics.agents.catalogue import OperatorAnswer, list_operators
from tamis.analytics.agents.disclosure import Disclosure
from tamis.analytics.agents.team import ListedProposal, Proposed, list_proposals, propose, proposed_recipe
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.agents.open_studies import OpenStudies
from tamis.data.errors import SettingError
from tamis.data.reviews import ReviewStore

Corpus = Annotated[str, Field(description="Name of the corpus, as list_corpora gives it.")]
RecipeText = Annotated[str, Field(description="A recipe as YAML.")]
ProposalName = Annotated[str, Field(description="Name of a proposal: its newest version, instead of a recipe.")]
RunName = Annotated[str, Field(description="Name of a finished run of the workspace, instead of a recipe.")]
Condition = Annotated[
    str, Field(description="A condition over columns, such as n_tokens > 100 AND lang = 'en'; empty for none.")
]
Document = Annotated[str, Field(description="Id of a document.")]
Offset = Annotated[int, Field(ge=0, description="The first row, from 0.")]


@dataclass(frozen=True)
class ListedCorpus:
    """A corpus of the workspace: its name, and the fingerprint of its files when it was last opened."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class AgentTools:
    """The tools over the corpora of a workspace.

    Attributes:
        studies: the open corpora.
        disclosure: what may leave.
        seconds: the longest estimated measurement that a question may start.
        person: in whose name proposals are made; empty when agents may not propose.
    """

    studies: OpenStudies
    disclosure: Disclosure
    seconds: float = 60
    person: str = ""

    def readers(self) -> tuple[Callable[..., Any], ...]:
        """Return the tools that only read."""
        texts = (self.read_text,) if self.disclosure.texts else ()
        return (
            self.list_corpora, self.describe_corpus, self.describe_column, self.search_documents, self.count_documents,
            self.list_rules, self.preview_rule, self.try_recipe, self.why_dropped, self.read_ledger,
            self.list_proposals, *texts,
        )  # fmt: skip

    def writers(self) -> tuple[Callable[..., Any], ...]:
        """Return the tools that write: proposals, where agents may make them."""
        return (self.propose_recipe,) if self.person else ()

    def list_corpora(self) -> list[ListedCorpus]:
        """List the corpora that can be asked about."""
        return [ListedCorpus(entry.name, entry.fingerprint) for entry in self.studies.entries()]

    def describe_corpus(self, corpus: Corpus) -> CorpusAnswer:
        """Describe a corpus: sizes, sources, languages, findings with their rules, columns that conditions may read."""
        return questions.describe_corpus(self.studies.study(corpus), corpus, self.disclosure)

    def describe_column(
        self, corpus: Corpus, column: Annotated[str, Field(description="Name of a column.")]
    ) -> ColumnAnswer:
        """Describe a column: its meaning, and its percentiles or largest groups, exact."""
        return questions.describe_column(self.studies.study(corpus), column, self.disclosure)

    def search_documents(
        self,
        corpus: Corpus,
        kind: Annotated[
            Literal["words", "regex", "condition", "meaning"],
            Field(
                description="words: in this order, in any case; regex: RE2 syntax; condition: over columns;"
                " meaning: documents nearest to a sentence."
            ),
        ],
        query: Annotated[str, Field(description="The words, pattern, condition or sentence.")],
        where: Condition = "",
        floor: Annotated[float, Field(ge=-1, le=1, description="Smallest cosine, of a search by meaning.")] = -1.0,
        offset: Offset = 0,
        limit: Annotated[int, Field(ge=1, le=100, description="Most hits of the answer.")] = 20,
    ) -> SearchAnswer:
        """Find documents; the number and tokens of all that match are exact, hits come in pages."""
        study = self.studies.study(corpus)
        if kind == "meaning":
            return questions.search_meaning(
                study, query, self.disclosure, floor=floor, where=where, offset=offset, limit=limit,
                seconds=self.seconds,
            )  # fmt: skip
        return questions.search(
            study, kind, query, self.disclosure, where=where, offset=offset, limit=limit, seconds=self.seconds
        )

    def count_documents(self, corpus: Corpus, condition: Condition) -> CountAnswer:
        """Count the documents and tokens for which a condition holds, exactly."""
        return questions.count(self.studies.study(corpus), condition, seconds=self.seconds)

    def list_rules(
        self,
        containing: Annotated[str, Field(description="Only rules whose name or summary holds this; empty: all.")] = "",
    ) -> list[OperatorAnswer]:
        """List the rules of recipes: what each does, and the JSON schema of its parameters where few are asked for."""
        return list_operators(containing)

    def preview_rule(
        self,
        corpus: Corpus,
        operator: Annotated[str, Field(description="Name of a rule, as list_rules gives it.")],
        params: Annotated[dict[str, Any], Field(description="Its parameters.")],
        after: Annotated[str, Field(description="A recipe as YAML whose steps come before; empty: none.")] = "",
    ) -> PreviewAnswer:
        """Say what a rule would drop: documents, tokens, sources, examples of both sides. Nothing is changed."""
        return questions.preview(
            self.studies.study(corpus), operator, params, self.disclosure,
            after=Recipe.from_yaml(after) if after.strip() else None, seconds=self.seconds,
        )  # fmt: skip

    def try_recipe(self, corpus: Corpus, recipe: RecipeText = "", proposal: ProposalName = "") -> RecipeAnswer:
        """Say what is left after each step of a recipe, exactly. Nothing is changed."""
        return questions.try_recipe(self.studies.study(corpus), self._recipe(recipe, proposal), seconds=self.seconds)

    def why_dropped(
        self, corpus: Corpus, document: Document, recipe: RecipeText = "", proposal: ProposalName = "",
        run: RunName = "",
    ) -> WhyAnswer:  # fmt: skip
        """Say which step of a recipe or of a finished run dropped a document, and why; or that it is kept."""
        study = self.studies.study(corpus)
        if run:
            self._one_of(recipe=recipe, proposal=proposal, run=run)
            return ledgers.explain_run(study, run, document, self.disclosure)
        chosen = self._recipe(recipe, proposal, run=run)
        return ledgers.explain(study, chosen, document, self.disclosure, seconds=self.seconds)

    def read_ledger(
        self,
        corpus: Corpus,
        recipe: RecipeText = "",
        proposal: ProposalName = "",
        run: RunName = "",
        step: Annotated[str, Field(description="Only what this step dropped; empty: every step.")] = "",
        offset: Offset = 0,
        limit: Annotated[int, Field(ge=1, le=200, description="Most rows of the answer.")] = 50,
    ) -> LedgerAnswer:
        """Read the removal ledger of a recipe or of a finished run: one row per dropped document, in id order."""
        study = self.studies.study(corpus)
        if run:
            self._one_of(recipe=recipe, proposal=proposal, run=run)
            return ledgers.read_run_ledger(study, run, self.disclosure, step=step, offset=offset,
                                           limit=limit)  # fmt: skip
        return ledgers.read_ledger(
            study, self._recipe(recipe, proposal, run=run), self.disclosure, step=step, offset=offset, limit=limit,
            seconds=self.seconds,
        )  # fmt: skip

    def list_proposals(self) -> list[ListedProposal]:
        """List the proposals of the team: newest version, its state, what people said about it."""
        return list_proposals(self._store())

    def propose_recipe(
        self,
        name: Annotated[str, Field(description="Name of the proposal; a known one gets a new version.")],
        recipe: RecipeText,
        reasons: Annotated[str, Field(description="Why: what was found, what each step is for. People read it.")],
    ) -> Proposed:
        """Propose a recipe to the team. A person must approve it; nothing is dropped or exported by this."""
        return propose(
            self.studies.workspace, self._store(), name, Recipe.from_yaml(recipe), who=self.person, reasons=reasons
        )

    def read_text(self, corpus: Corpus, document: Document) -> TextAnswer:
        """Read the text of one document, at most 20,000 characters of it."""
        return questions.read_text(self.studies.study(corpus), document, self.disclosure)

    def _recipe(self, recipe: str, proposal: str, *, run: str = "") -> Recipe:
        self._one_of(recipe=recipe, proposal=proposal, run=run)
        return Recipe.from_yaml(recipe) if recipe.strip() else proposed_recipe(self._store(), proposal)

    def _one_of(self, **given: str) -> None:
        named = [name for name, value in given.items() if value.strip()]
        if len(named) != 1:
            raise SettingError("Name one of them", value=named or None, allowed=given)

    def _store(self) -> ReviewStore:
        return ReviewStore.of(self.studies.workspace.root)
