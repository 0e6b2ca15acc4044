"""Commands that work with corpora: demo, open, analyze, serve, jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, Literal

import typer

from tamis.app.cli.options import AnalysisOptions, ReadingOptions, RoleOptions, TextRole, Tier, spread
from tamis.app.cli.progress import bar, watch
from tamis.app.cli.terminal import (
    CorpusPath,
    Host,
    Login,
    Name,
    Port,
    SampleSize,
    Site,
    UserHeader,
    app,
    count,
    err,
    out,
    print_notes,
)
from tamis.app.server import server
from tamis.app.server.gate import USER_HEADER, Gate, secret_files
from tamis.data.corpus import Corpus
from tamis.data.demo import build_demo, installed_sources
from tamis.data.errors import TamisError
from tamis.data.find_shape import rendered_note, tagged_note
from tamis.data.jobs import find_job, list_jobs
from tamis.data.open_corpus import open_corpus
from tamis.data.people import People
from tamis.data.workspace import CorpusEntry, Workspace

SHOWN = 3


def register(
    workspace: Workspace,
    path: str,
    *,
    name: str | None,
    roles: Mapping[str, str],
    sample: str | None = None,
    opening: Mapping[str, Any] | None = None,
) -> CorpusEntry:
    """Open a corpus, or draw a sample of it, print what was found, and register it in the workspace."""
    with err.status("Reading the corpus"):
        corpus = open_corpus(path, roles=roles, probes=workspace.probes, **(opening or {}))
    if sample is not None:
        name = name or free_name(f"{corpus.name}-sample")
        print_notes(corpus.notes)
        corpus, roles = _sampled(workspace, corpus, sample)
        opening = {}
    name = name or free_name(corpus.name)
    entry = CorpusEntry(name, corpus.path, dict(roles), corpus.fingerprint, dict(opening or {}))
    workspace.remember(entry)
    read = f"{count(corpus.rows, 'row')} in {count(len(corpus.files), 'file')}"
    out.print(f"{entry.name}: {read}, fingerprint {corpus.fingerprint[:12]}")
    known = corpus.roles.known() | ({"text": corpus.shape.words} if corpus.shape.kind != "text" else {})
    out.print("  " + ", ".join(f"{role}={column}" for role, column in known.items()), markup=False)
    plain = "text" not in roles and corpus.shape.kind == "text"
    rendered = rendered_note(corpus.schema, corpus.roles.text, corpus.sampled) if plain else None
    tagged = tagged_note(corpus.shape, corpus.sampled)
    print_notes((*corpus.notes, *(note for note in (rendered, tagged) if note)))
    return entry


def _sampled(workspace: Workspace, corpus: Corpus, size: str) -> tuple[Corpus, Mapping[str, str]]:
    """Draw a sample and return it with its roles."""
    # Late: duckdb.
    from tamis.analytics.study.design_sample import draw, roles_of_sample

    with bar(err) as progress:
        drawn = draw(corpus, workspace, size, progress=progress)
    out.print(
        f"sample: {drawn.drawn:,} of {drawn.documents:,} documents by keyed hash, seed {drawn.seed}, "
        f"{len(drawn.strata)} sources"
    )
    roles = roles_of_sample(corpus)
    return open_corpus(drawn.path, roles=roles, probes=workspace.probes), roles


def free_name(name: str) -> str:
    """Return a corpus name made of allowed characters."""
    kept = "".join(mark if mark.isalnum() and mark.isascii() else "-" for mark in name.lower()).strip("-")
    return kept[:60] or "corpus"


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where to write the demo corpus.", show_default=False)
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Build it again when the installed versions differ.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Serve the dashboard at once, analyse meanwhile.")] = False,
    analyse: Annotated[bool, typer.Option("--analyze", help="Analyse it, without the dashboard.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Only this distribution, or python for the standard library; may be repeated.",
            show_default=False,
        ),
    ] = None,
    tier: Tier = None,
    host: Host = "127.0.0.1",
    port: Port = 8501,
) -> None:
    """Build the demo corpus from the documentation in this Python environment."""
    workspace = Workspace.default()
    place = folder or workspace.root / "demo"
    with bar(err) as progress:
        report = build_demo(place, sources=installed_sources(only or ()), renew=renew, progress=progress)
    out.print(f"demo: {report.documents:,} documents in {len(report.shards)} shards", markup=False)
    if not report.current:
        out.print("  built from versions that differ from those installed now; --renew builds it again")
    for line in report.unreadable[:SHOWN]:
        err.print(f"  left out {line}", markup=False)
    if len(report.unreadable) > SHOWN:
        err.print(f"  left out {len(report.unreadable) - SHOWN} more of {report.files:,} files")
    chosen = {"tier": tier} if tier else {}
    if open_:
        open_and_serve(workspace, str(place), name="demo", roles={}, host=host, port=port, chosen=chosen)
    elif analyse:
        entry = register(workspace, str(place), name="demo", roles={})
        choose_map(workspace, entry, chosen)
        run_analysis(workspace, entry)


@app.command("open")
@spread
def open_path(
    path: CorpusPath,
    name: Name = None,
    *,
    roles: RoleOptions,
    analysis: AnalysisOptions,
    sample: SampleSize = None,
    reading: ReadingOptions,
    host: Host = "127.0.0.1",
    port: Port = 8501,
) -> None:
    """Open a corpus: serve the dashboard at once and analyse meanwhile what is missing; pages fill in by themselves."""
    open_and_serve(
        Workspace.default(), path, name=name, roles=roles.chosen, host=host, port=port, chosen=analysis.chosen,
        sample=sample, opening=reading.chosen,
    )  # fmt: skip


def open_and_serve(
    workspace: Workspace,
    path: str,
    *,
    name: str | None,
    roles: Mapping[str, str],
    host: str,
    port: int,
    chosen: Mapping[str, Any] | None = None,
    sample: str | None = None,
    opening: Mapping[str, Any] | None = None,
) -> None:
    """Register a corpus and serve it at once, while it is analysed; ``chosen`` are the changed options of its map."""
    server.settings(host=host, port=port)
    server.require_free(host, port)
    entry = register(workspace, path, name=name, roles=roles, sample=sample, opening=opening)
    choose_map(workspace, entry, chosen or {})
    out.print(f"Tamis is at http://{host}:{port}/?corpus={entry.name}  (Ctrl+C stops it)")
    Thread(target=_analyse_beside, args=(workspace, entry), daemon=True).start()
    server.serve(workspace, host=host, port=port)


def _analyse_beside(workspace: Workspace, entry: CorpusEntry) -> None:
    """Run the analysis of a corpus beside the server; the pages show it too, so an error only becomes a line here."""
    try:
        run_analysis(workspace, entry, yields=True)
    except TamisError as error:
        err.print(str(error), markup=False)


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8501,
    login: Login = "open",
    site: Site = None,
    user_header: UserHeader = USER_HEADER,
) -> None:
    """Serve the dashboard for the corpora opened before; other machines need a login."""
    workspace = Workspace.default()
    gate = Gate.of(
        login, sites=site or (), header=user_header, secrets=secret_files(workspace.root), environment=os.environ
    )
    server.settings(host=host, port=port, gate=gate)
    server.require_free(host, port)
    if gate.mode != "open" and "owner" not in People.of(workspace.root).roles.values():
        out.print("Nobody is an owner yet: tamis people NAME --role owner", markup=False)
    out.print(f"Tamis is at http://{host}:{port}/  (Ctrl+C stops it)")
    server.serve(workspace, host=host, port=port, gate=gate)


@app.command()
@spread
def analyze(
    path: CorpusPath,
    name: Name = None,
    *,
    roles: RoleOptions,
    analysis: AnalysisOptions,
    sample: SampleSize = None,
    reading: ReadingOptions,
    plan: Annotated[bool, typer.Option("--plan", help="Only print the steps to do, with estimates.")] = False,
) -> None:
    """Run the missing steps of a corpus' analysis in a background job and watch it."""
    workspace = Workspace.default()
    chosen = analysis.chosen
    entry = register(workspace, path, name=name, roles=roles.chosen, sample=sample, opening=reading.chosen)
    choose_map(workspace, entry, chosen)
    if plan:
        print_plan(workspace, entry)
    else:
        run_analysis(workspace, entry)


def choose_map(workspace: Workspace, entry: CorpusEntry, chosen: Mapping[str, Any]) -> None:
    """Remember changed options of a corpus' map.

    Raises:
        SettingError, RoleError: an option is unknown, or does not fit the corpus.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.map.options import change_options
    from tamis.analytics.steps.pipeline import size_of
    from tamis.app.dashboard.open_corpus import corpus_of

    if chosen:
        corpus = corpus_of(workspace, entry)
        change_options(workspace, corpus, size_of(corpus), chosen)


def print_plan(workspace: Workspace, entry: CorpusEntry) -> None:
    """Print the steps with their estimated costs."""
    # Late: duckdb, numba and sqlglot.
    from tamis.app.dashboard.open_corpus import corpus_of, plan_of

    for step in plan_of(workspace, corpus_of(workspace, entry)):
        cost = "done" if step.done else f"about {step.estimate.seconds:.0f} s, {step.estimate.disk_bytes / 1e6:.0f} MB"
        out.print(f"  {step.spec.name:<12} {step.spec.title:<44} {cost}", markup=False)


def run_analysis(workspace: Workspace, entry: CorpusEntry, *, yields: bool = False) -> None:
    """Start or join the analysis job of a corpus and show its progress; Ctrl+C leaves it running.

    Args:
        workspace: the workspace.
        entry: the corpus.
        yields: whether the job leaves the processors to pages that are served meanwhile.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.app.dashboard.open_corpus import corpus_of, notes_of, plan_of
    from tamis.app.jobs.worker import start_analysis

    corpus = corpus_of(workspace, entry)
    missing = [step for step in plan_of(workspace, corpus) if not step.done]
    if not missing:
        out.print("  analysis: complete")
        print_notes(notes_of(workspace, corpus))
        return
    seconds = sum(step.estimate.seconds for step in missing)
    out.print(f"  analysis: {len(missing)} steps to do, about {seconds:.0f} s estimated")
    watch(err, start_analysis(corpus, workspace, yields=yields))
    print_notes(notes_of(workspace, corpus))


@app.command()
def jobs() -> None:
    """List background jobs with their progress."""
    for job in list_jobs(Workspace.default().jobs):
        out.print(f"{job.id}  {job.state:<9} {job.progress.fraction:>4.0%}  {job.title}  {job.message}", markup=False)


@app.command()
def cancel(job: Annotated[str, typer.Argument(help="Job id, as `tamis jobs` prints it.")]) -> None:
    """Ask a background job to stop; stored results stay and the next start continues from them."""
    found = find_job(Workspace.default().jobs, job).cancel()
    out.print(f"{found.id}  {'stopping' if found.active else found.state}", markup=False)


@app.command()
def corpora() -> None:
    """List the corpora opened before."""
    for entry in Workspace.default().corpora().values():
        out.print(f"{entry.name:<24} {entry.fingerprint[:12]}  {entry.path}", markup=False)


@app.command()
def reference(
    name: Annotated[str, typer.Argument(help="Name that rules use.")],
    paths: Annotated[list[str], typer.Argument(help="Files, folders or globs: evaluation sets, or another corpus.")],
    words: Annotated[
        int, typer.Option(min=1, max=64, help="Words of a shingle: 13 for evaluation, 5 for copies.")
    ] = 13,
    convention: Annotated[
        Literal["words-1", "letters-1", "folded-1"],
        typer.Option(help="What a word is: letters-1 leaves symbols out, folded-1 also folds accents and numbers."),
    ] = "words-1",
    text: TextRole = None,
) -> None:
    """Store the texts of other files as hashes, for the rules decontaminate and exclude_known."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.duplicates.references import save_reference

    entry = save_reference(Workspace.default(), name, paths, n=words, text=text, convention=convention)
    out.print(f"reference {entry.name}: {entry.digest}", markup=False)
