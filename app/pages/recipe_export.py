"""Export of the live recipe as a bundle or as rules for other tools, and running it, from the Recipe page."""

from __future__ import annotations

import shutil
from pathlib import Path

import streamlit as st

from tamis.analytics.export.bundle import Bundle, export_bundle
from tamis.analytics.export.curated import CuratedFormat, check_format, formats_of
from tamis.analytics.export.rule_export import TOOLS, Tool
from tamis.analytics.export.run import Run, verify_bundle
from tamis.analytics.export.tools import export_rules
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.proposals import bundle_name
from tamis.app.dashboard import login, session
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import count, share, short
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.jobs.worker import start_run

FORMAT_TITLES: dict[CuratedFormat, str] = {
    "parquet": "Parquet",
    "jsonl": "JSON Lines",
    "jsonl.zst": "JSON Lines, Zstandard",
    "arrow": "Arrow (datasets)",
    "folder": "Folder of pictures",
    "webdataset": "WebDataset tars",
    "paths": "Parquet with paths",
}


def export_panel(here: Stage) -> None:
    """Offer the bundle and the run of the live recipe."""
    recipe, outcome = session.current().recipe, here.scene.outcome
    if outcome is None or not recipe.active:
        st.caption("Add a rule first. An export holds the recipe, a lock of everything it depends on, and plain data.")
        return
    kept = outcome.output
    st.markdown(
        f"Keeps **{count(kept.documents)}** documents ({share(kept.documents, outcome.input.documents)}) "
        f"with {short(kept.tokens)} tokens."
    )
    bundle = _bundle(here)
    if bundle is not None:
        _ready(here, bundle)


def bundle_folder(here: Stage, recipe: Recipe) -> Path:
    """Return the folder of the bundle of a recipe on this corpus: named by both, so it never changes."""
    return here.workspace.bundles / bundle_name(recipe, here.opened.facts.corpus)


def _bundle(here: Stage) -> Bundle | None:
    """Return the exported bundle of the live recipe, or offer to export it."""
    folder = bundle_folder(here, session.current().recipe)
    if not folder.is_dir():
        allowed = login.may("owner")
        if not st.button(
            "Export bundle", type="primary", key="export/bundle", icon=":material/archive:", disabled=not allowed
        ):
            st.caption("Writes recipe.yaml, recipe.lock.json and artifacts/ and checks the recipe once more.")
            return None
        login.demand("owner", to="export a bundle")
        with st.spinner("Exporting …"):
            export_bundle(folder, study=here.opened.study, recipe=session.current().recipe)
    return Bundle.open(folder)


def _ready(here: Stage, bundle: Bundle) -> None:
    """Show an exported bundle: download, the command that runs it, and a run from here."""
    recipe = session.current().recipe
    st.markdown(
        f":material/check_circle: **Exported.** Selection `{bundle.lock.selection[:16]}`" if bundle.lock else ""
    )
    with st.container(horizontal=True):
        st.download_button(
            "Download bundle", bundle.zipped(), f"recipe-{recipe.digest[:8]}.zip", "application/zip", key="export/zip"
        )
        st.download_button("recipe.yaml", recipe.to_yaml(), "recipe.yaml", "application/yaml", key="export/yaml")
    st.caption("Run it anywhere, on the same or any other corpus:")
    st.code(f"tamis run {bundle.folder} CORPUS -o OUT\ntamis verify {bundle.folder} CORPUS", language="bash")
    if st.button(
        "Verify", key="export/verify", icon=":material/fact_check:",
        help="Runs the bundle on this corpus again, without writing anything, and compares every step with its lock",
    ):  # fmt: skip
        _verify(here, bundle)
    _run(here, bundle)


def _verify(here: Stage, bundle: Bundle) -> None:
    """Say whether the bundle still decides on the corpus as its lock states."""
    entry = here.workspace.corpus(here.key.corpus.name)
    with st.spinner("Verifying …"):
        found = verify_bundle(bundle, entry.path, workspace=here.workspace, roles=entry.roles, **entry.opening)
    icon = ":material/check_circle:" if found.ok else ":material/error:"
    st.markdown(f"{icon} {plain(found.sentence)}")
    for note in found.notes:
        st.caption(plain(note))


def _run(here: Stage, bundle: Bundle) -> None:
    """Run the bundle on the open corpus as a background job."""
    out = here.workspace.runs / bundle.folder.name
    if (out / "run.json").is_file():
        _finished(here, Run.open(out))
        return
    job = session.current().setting("run")
    allowed = login.may("owner")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        format = st.selectbox(
            "Format", formats_of(here.opened.study.corpus), format_func=FORMAT_TITLES.__getitem__, key="export/format",
            width=240, help="JSON Lines keep each line that no step changes; datasets.load_from_disk reads Arrow.",
        )  # fmt: skip
        pressed = st.button("Run on this corpus", key="export/run", icon=":material/play_arrow:", disabled=not allowed)
    if pressed:
        login.demand("owner", to="start a run")
        job_of_run = start_run(bundle.folder, here.opened.study.corpus, out, here.workspace, format=format)
        session.choose(run=job_of_run.id)
        st.rerun()
    if job:
        watch(here.workspace, str(job), "run")


def rules_menu(here: Stage) -> None:
    """Offer the rules in other tools' languages: the text, what gets lost, and the command that writes its columns."""
    recipe = session.current().recipe
    if not recipe.active:
        st.caption("Add a rule first.")
        return
    tool: Tool = st.segmented_control("Tool", TOOLS, default="sql", required=True, key="export/tool")
    export = export_rules(recipe, here.facts, tool)
    for loss in export.losses:
        word = "Left out" if loss.dropped else "Differs"
        st.markdown(f":material/warning: {word}: **{plain(loss.step)}** · {plain(loss.what)}")
    if not export.losses:
        st.markdown(":material/check_circle: Nothing gets lost: it decides as the recipe does.")
    st.download_button(f"Download {export.file}", export.text, export.file, "text/plain", key=f"export/rules/{tool}")
    read = ", ".join(["id", *export.columns, *(["text"] if export.needs_text else [])])
    st.caption(f"It reads {plain(export.table)} with the columns {plain(read)}. This writes both:")
    st.code(f"tamis export recipe.yaml CORPUS --as {tool} -o rules", language="bash")
    st.code(export.text, language="sql" if tool == "sql" else "python" if tool == "datatrove" else "yaml", height=300)


def _finished(here: Stage, run: Run) -> None:
    first, last = run.counts[0], run.counts[-1]
    st.markdown(
        f":material/check_circle: **Curated.** {count(first.documents + run.errors)} rows = "
        f"{count(last.documents)} kept + {count(first.documents - last.documents)} dropped + {count(run.errors)} errors"
    )
    title = FORMAT_TITLES[check_format(run.format)]
    st.caption(f"Selection {run.selection[:16]} · {len(run.files)} files · {title}")
    st.code(str(run.folder), language=None)
    if st.button("Remove this run", key="export/remove", type="tertiary", disabled=not login.may("owner")):
        login.demand("owner", to="remove a run")
        shutil.rmtree(here.workspace.runs / run.folder.name)
        st.rerun()
