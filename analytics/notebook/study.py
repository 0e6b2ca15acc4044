"""An analysed corpus in a notebook: few methods, which answer the same questions as the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from tamis.analytics.effect.halving import HalvingResult, search_recipe
from tamis.analytics.effect.halving_plan import LastModel, SearchPlan
from tamis.analytics.effect.target import import_target, save_target
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.curated import CuratedOptions, check_format
from tamis.analytics.export.run import Run, run_bundle
from tamis.analytics.notebook.funnel import Funnel
from tamis.analytics.recipe.listing import Listing
from tamis.analytics.recipe.outcome import Selection
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.documents import documents_page, rows_of, why
from tamis.analytics.study.scene import Scene, Which
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.progress_display import Shown, choose_progress


@dataclass(frozen=True, eq=False, repr=False)
class NotebookStudy:
    """An analysed corpus; ``open`` makes it.

    Attributes:
        analysed: the study for the rest of Tamis: corpus, facts, evidence.
        progress: where long work reports, as passed to ``open``.

    Example:
        >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
        >>> study
        Study of notes: 5 documents, 30 tokens
        >>> len(study)
        5
    """

    analysed: Study
    progress: Shown = None

    def __len__(self) -> int:
        return self.analysed.facts.n

    def __repr__(self) -> str:
        facts = self.analysed.facts
        tokens = int(facts.whole("n_tokens").sum())
        return f"Study of {self.analysed.corpus.name}: {facts.n:,} documents, {tokens:,} tokens"

    def _repr_html_(self) -> str:
        """Return a summary of the corpus as HTML for a notebook, everything escaped."""
        corpus, facts = self.analysed.corpus, self.analysed.facts
        rows = (
            ("path", corpus.path),
            ("files", f"{len(corpus.files):,}"),
            ("rows that are no documents", f"{facts.errors:,}"),
            *((f"column of the {role}", column) for role, column in corpus.roles.known().items()),
            ("columns of the facts", ", ".join(facts.columns)),
            ("fingerprint", corpus.fingerprint),
            *(("note", note) for note in corpus.notes),
        )
        return Listing(repr(self), ("", "value"), rows)._repr_html_()

    def columns(self, containing: str = "") -> Listing:
        """Return the columns that rules may read: name, title, unit and meaning.

        Args:
            containing: only columns whose name or title contains this.

        Example:
            >>> ta.open("notes.jsonl", steps=["tokens"], progress=False).columns("token").rows[0][:3]
            ('n_tokens', 'Tokens', 'tokens')
        """
        rows = tuple(
            (info.name, info.title, info.unit, info.help)
            for info in self.analysed.facts.columns.values()
            if containing.lower() in f"{info.name} {info.title}".lower()
        )
        return Listing(f"{len(rows)} columns", ("name", "title", "unit", "meaning"), rows)

    def facts(self, *columns: str) -> pa.Table:
        """Return columns of all documents in id order, every column by default.

        Raises:
            RecipeError: there is no such column; the message lists them.

        Example:
            >>> ta.open("notes.jsonl", steps=["tokens"], progress=False).facts("id", "n_tokens").num_rows
            5
        """
        return self.analysed.facts.table(columns or tuple(self.analysed.facts.columns))

    def documents(
        self,
        recipe: Recipe | None = None,
        *,
        which: Which = "all",
        step: str | None = None,
        where: str | None = None,
        columns: Sequence[str] = (),
        sort: str | None = None,
        descending: bool = False,
        offset: int = 0,
        limit: int = 20,
    ) -> Listing:
        """Return documents with their texts, one row each: ``id``, the columns asked for, ``dropped_by``, ``text``.

        Args:
            recipe: the rules; without one nothing is dropped.
            which: ``all``, ``kept`` or ``dropped`` documents.
            step: only documents that this step drops.
            where: a condition over the columns, as in the operator ``sql_predicate``.
            columns: to show.
            sort: a column to sort by; ties are sorted by id, and all documents without a sort column.
            descending: largest first.
            offset, limit: first row and number of rows.

        Raises:
            RecipeError: an unknown column or step, or a wrong condition.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> study.documents(where="n_tokens < 5", columns=["n_tokens"])
            1 of 1 documents
            id      n_tokens  dropped_by  text
            note-4         2              Too short
        """
        scene = self._scene(recipe or Recipe())
        outcome = scene.outcome
        assert outcome is not None
        if step is not None:
            outcome.recipe.index(step)
        page = documents_page(
            scene, columns=["id", *columns], which=which, step=step, sort=sort, descending=descending, where=where,
            offset=offset, limit=limit,
        )  # fmt: skip
        names = [None, *(active.id for active in outcome.steps)]
        dropped = [names[number] for number in outcome.deciding[page.rows].tolist()]
        shown_columns = list(dict.fromkeys(["id", *columns]))
        values = [page.table.column(name).to_pylist() for name in shown_columns]
        rows = tuple(zip(*values, dropped, self._texts(page.rows), strict=True))
        title = f"{len(rows):,} of {page.total:,} documents"
        return Listing(title, (*shown_columns, "dropped_by", "text"), rows)

    def why(self, document: str, recipe: Recipe) -> Listing:
        """Return the verdict of every step of a recipe on one document: value, threshold, kept twin.

        Args:
            document: its id.
            recipe: the rules.

        Raises:
            RecipeError: there is no such document.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> study.why("note-1", ta.Recipe().with_operator("exact_dedup")).rows[0][:3]
            ('exact-dedup', 'exact_dedup', False)
        """
        scene = self._scene(recipe)
        rows = rows_of(scene.facts, [document])
        if not len(rows):
            raise RecipeError("There is no such document", value=document, fix="take an id of study.documents()")
        assert scene.outcome is not None
        said = why(scene.outcome, scene.facts, int(rows[0]))
        number = int(scene.outcome.deciding[rows[0]])
        verdict = f"dropped by {scene.outcome.steps[number - 1].id}" if number else "kept"
        ids = scene.facts.ids
        table = tuple(
            (each.step, each.operator, each.passed, each.value, each.threshold,
             None if each.twin is None else ids[each.twin].as_py(), each.similarity)
            for each in said
        )  # fmt: skip
        heads = ("step", "operator", "passed", "value", "threshold", "twin", "similarity")
        return Listing(f"{document}: {verdict}", heads, table)

    def funnel(self, recipe: Recipe) -> Funnel:
        """Measure what a recipe still needs and return its funnel.

        Raises:
            RecipeError: a rule names an unknown column or compares values of different types.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> [count.documents for count in study.funnel(ta.Recipe.from_file("recipe.yaml"))]
            [5, 4, 3]
        """
        self._measure(recipe)
        return Funnel.of(self.analysed.evaluate(recipe))

    def selection(self, recipe: Recipe) -> pa.Table:
        """Return every document with its decision: ``id``, ``copies`` (0 = dropped), ``step`` that dropped it.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> study.selection(ta.Recipe().with_operator("exact_dedup")).column("copies").to_pylist()
            [1, 0, 1, 1, 1]
        """
        self._measure(recipe)
        return Selection.from_outcome(self.analysed.evaluate(recipe), self.analysed.facts).table()

    def suggest(
        self,
        target: str | Path | Sequence[str],
        *,
        tokens: int,
        start: int = 27,
        last: LastModel = "0.5M",
        near: bool = False,
        by: str | None = None,
        name: str = "notebook",
    ) -> HalvingResult:
        """Search for the recipe that needs the fewest bits for a target, as ``tamis suggest``: recipe, trials, reasons.

        Args:
            target: a file of texts, or the texts; one half of them is kept for the verdict and not read.
            tokens: the budget, the most that the recipe keeps.
            start: recipes to start from; the best third meets the next model.
            last: the largest model.
            near: try near-duplicates too.
            by: column of the groups that are mixed; None chooses sources or clusters, empty mixes nothing.
            name: of the target, if it is given as texts.

        Raises:
            SettingError: the target has too few texts, or a setting is not possible.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> texts = [f"A sieve number {k} keeps what is coarse." for k in range(80)]
            >>> study.suggest(texts, tokens=20, start=2, last="n-gram").way.sentence()
            'duplicates left, relevance by classifier, the best up to the budget, half of the budget'
        """
        workspace = self.analysed.workspace
        if isinstance(target, (str, Path)):
            entry = import_target(workspace, target)
        else:
            entry = save_target(workspace, name, target, origin="texts of a notebook")
        with choose_progress(self.progress) as watch:
            plan = SearchPlan(tokens, start=start, last=last, near=near, by=by)
            return search_recipe(self.analysed, entry, plan, progress=watch)

    def export(self, recipe: Recipe, folder: str | Path) -> Path:
        """Write a bundle, the recipe with a lock of everything it depends on, and return its folder.

        Raises:
            StoreError: ``folder`` exists and holds something else.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> study.export(ta.Recipe.from_file("recipe.yaml"), "bundle").name
            'bundle'
        """
        self._measure(recipe)
        return export_bundle(folder, study=self.analysed, recipe=recipe).folder

    def run(self, recipe: Recipe, out: str | Path, *, format: str = "parquet") -> Run:
        """Export a recipe and run it headless: the files that ``tamis export`` and ``tamis run`` write, to the byte.

        Args:
            recipe: the rules.
            out: the folder to make: curated files, selection, ledger, manifest.
            format: of the curated files: ``parquet``, ``jsonl``, ``jsonl.zst`` or ``arrow``.

        Raises:
            SettingError: unknown format.
            StoreError: ``out`` exists and holds something else.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> done = study.run(ta.Recipe.from_file("recipe.yaml"), "out")
            >>> done.counts[-1].documents, done.agrees
            (3, True)
        """
        options = CuratedOptions(format=check_format(format))
        with TemporaryDirectory(prefix="tamis-") as folder:
            bundle = self.export(recipe, Path(folder) / "bundle")
            with choose_progress(self.progress) as watch:
                corpus, workspace = self.analysed.corpus, self.analysed.workspace
                return run_bundle(bundle, corpus.path, out, workspace=workspace, options=options, progress=watch)

    def _measure(self, recipe: Recipe) -> None:
        """Run the missing measurements of a recipe."""
        with choose_progress(self.progress) as watch:
            self.analysed.measure(recipe, progress=watch)

    def _scene(self, recipe: Recipe) -> Scene:
        self._measure(recipe)
        return Scene.build(self.analysed.facts, self.analysed.evidence, recipe=recipe)

    def _texts(self, rows: Any) -> list[str]:
        """Return the texts of a few documents by facts row."""
        corpus = self.analysed.corpus
        table = corpus.fetch(self.analysed.documents, rows)
        return [text or "" for text in corpus.texts_of(table).to_pylist()]
