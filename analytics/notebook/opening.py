"""Opening a corpus from Python: read it in place and analyse what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tamis.analytics.map.options import change_options
from tamis.analytics.notebook.study import NotebookStudy
from tamis.analytics.steps.pipeline import size_of
from tamis.analytics.study.standard_analysis import analysis_steps, some_steps
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.progress_display import Shown, choose_progress
from tamis.data.remote import fetch, is_remote
from tamis.data.workspace import Workspace


def open(
    path: str | Path,
    *,
    text: str | None = None,
    id: str | None = None,
    source: str | None = None,
    language: str | None = None,
    label: str | None = None,
    tier: str | None = None,
    workspace: str | Path | Workspace | None = None,
    steps: Sequence[str] | None = None,
    progress: Shown = None,
) -> NotebookStudy:
    """Open a corpus, analyse what is missing, and return its study.

    Args:
        path: file, folder or glob (Parquet, JSON, CSV, Arrow, text, tar, WARC), or s3://, gs://, https://, hf://.
        text, id, source, language, label: columns by role; the others are detected by name and type. An empty text
            says that no column has the role.
        tier: embedding tier: ``auto``, ``fast``, ``tuned`` or ``precise``; stored for this corpus.
        workspace: where artifacts are kept; ``TAMIS_HOME`` or ``~/.tamis`` by default.
        steps: names of the steps of the analysis to run, with their inputs; every step by default.
        progress: where to report: None shows a bar in a notebook or terminal and else lines for a log, False nothing.

    Raises:
        TamisError: the corpus cannot be read, a role or step does not fit, or a step fails; the message says why.

    Example:
        >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
        >>> study
        Study of notes: 5 documents, 30 tokens
    """
    home = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace)) if workspace else None
    home = home or Workspace.default()
    given = {"text": text, "id": id, "source": source, "language": language, "label": label}
    roles = {role: column for role, column in given.items() if column is not None}
    with choose_progress(progress) as watch:
        place = fetch(str(path), home.root, progress=watch) if is_remote(str(path)) else path
        corpus = open_corpus(place, roles=roles, probes=home.probes, progress=watch)
        if tier is not None:
            change_options(home, corpus, size_of(corpus), {"tier": tier, "vectors": ""})
        known = analysis_steps(corpus, home)
        chosen = known if steps is None else some_steps(corpus, home, steps)
        return NotebookStudy(Study.open(corpus, home, steps=chosen, known=known, progress=watch), progress)
