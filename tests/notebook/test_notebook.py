"""The face for notebooks: light to import, one way for everything, nothing of the corpus is ever markup."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tamis.analytics as ta
from tamis.analytics.map.options import read_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.app.cli.main import app
from tamis.data import progress_display
from tamis.data.errors import RecipeError, RoleError, SettingError
from tamis.data.progress import NullProgress, TrackedProgress
from tamis.data.workspace import Workspace

STEPS = ("columns", "tokens", "exact")
PAYLOAD = "<script>window.pwned = 1</script><img src=x onerror='pwned()'>&lt;b&gt; $x^2$ \x1b[31mred\x07"
TEXTS = (
    "A sieve keeps what is coarse, and lets what is fine fall through.",
    "A sieve keeps what is coarse, and lets what is fine fall through.",
    "Flour falls through the sieve when somebody shakes it.",
    "Too short",
    PAYLOAD,
)
RECIPE = (
    ta.Recipe(title="Once, and long enough")
    .with_operator("exact_dedup", keep="longest")
    .with_operator("signal_range", signal="n_tokens", min=5)
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    ids = [f"note-{k}" for k in range(len(TEXTS) - 1)]
    table = pa.table({"id": [*ids, PAYLOAD], "text": TEXTS, "source": ["a", "b", "a", "b", PAYLOAD]})
    pq.write_table(table, folder / "notes.parquet")
    return folder


@pytest.fixture
def study(corpus: Path, workspace: Workspace) -> ta.NotebookStudy:
    return ta.open(corpus, steps=STEPS, progress=False)


def test_importing_the_face_loads_no_room() -> None:
    code = (
        "import sys, tamis.analytics as ta; rooms = {name for name in sys.modules if name.startswith('tamis.')};"
        "assert rooms <= {'tamis.analytics', 'tamis.analytics.text', 'tamis.analytics.text.kernel_cache'}, rooms;"
        "assert not {'numpy', 'pyarrow', 'duckdb', 'numba'} & set(sys.modules); assert dir(ta) == ta.__all__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_face_names_each_thing_once_for_people_and_for_type_checkers() -> None:
    assert ta.__all__ == sorted(ta._HOMES)
    tree = ast.parse(Path(str(ta.__file__)).read_text("utf-8"))
    checked = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert checked == ta._HOMES
    with pytest.raises(AttributeError, match="no attribute 'Studdy'"):
        ta.Studdy  # type: ignore[attr-defined] # noqa: B018


def test_no_name_of_the_face_is_the_name_of_a_room() -> None:
    # Importing a room sets it as an attribute of the package and would hide the name.
    rooms = {path.name for path in Path(str(ta.__file__)).parent.iterdir() if path.is_dir()}
    assert not rooms & set(ta.__all__)


def test_no_parameter_of_an_operator_is_taken_by_the_builder() -> None:
    assert not {name for kind in OPERATORS for name in kind.model_fields} & {"note", "at"}


def test_an_operator_by_name_is_the_operator_of_the_registry() -> None:
    given = ta.Recipe().with_operator(OPERATORS.build("signal_range", {"signal": "n_tokens", "min": 5}), note="short")
    named = ta.Recipe().with_operator("signal_range", note="short", signal="n_tokens", min=5)
    assert named == given
    with pytest.raises(RecipeError, match="Unknown operator"):
        ta.Recipe().with_operator("exact_dedupe")
    with pytest.raises(RecipeError, match="wrong parameters"):
        ta.Recipe().with_operator("exact_dedup", kepp="longest")
    with pytest.raises(RecipeError, match="go with the name"):
        ta.Recipe().with_operator(given.steps[0].operator, min=6)


def test_a_recipe_is_read_from_a_file_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.to_yaml(), "utf-8")
    assert ta.Recipe.from_file(path) == RECIPE == ta.Recipe.from_file(str(path))
    path.write_bytes(b"title: \xff")
    with pytest.raises(RecipeError, match="UTF-8"):
        ta.Recipe.from_file(path)
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(RecipeError, match="too large"):
        ta.Recipe.from_file(path)
    with pytest.raises(RecipeError, match="no recipe here"):
        ta.Recipe.from_file(tmp_path)


def test_the_funnel_counts_what_every_step_leaves(study: ta.NotebookStudy) -> None:
    funnel = study.funnel(RECIPE)
    outcome = study.analysed.evaluate(RECIPE)
    assert funnel.counts == outcome.counts
    assert [count.documents for count in funnel] == [5, 4, 3] and (funnel.input, funnel.output) == (*funnel,)[::2]
    table = funnel.to_arrow()
    assert table.column("step").to_pylist() == ["input", "exact-dedup", "signal-range"]
    assert table.column("tokens").to_pylist() == [count.tokens for count in outcome.counts]
    assert funnel.to_pandas()["documents"].tolist() == [5, 4, 3]
    assert "3 of 5 documents" in repr(funnel).splitlines()[0]
    assert study.funnel(ta.Recipe()).to_arrow().num_rows == 1


def test_documents_say_what_dropped_them_and_why(study: ta.NotebookStudy) -> None:
    dropped = study.documents(RECIPE, which="dropped", columns=["n_tokens"])
    assert [(row[0], row[2]) for row in dropped] == [("note-1", "exact-dedup"), ("note-3", "signal-range")]
    assert dropped.to_pandas()["text"].tolist() == [TEXTS[1], TEXTS[3]]
    assert [row[0] for row in study.documents(RECIPE, step="signal-range")] == ["note-3"]
    assert len(study.documents(limit=2)) == 2
    with pytest.raises(RecipeError, match="no such step"):
        study.documents(RECIPE, step="signal")
    said = study.why("note-1", RECIPE)
    assert said.title == "note-1: dropped by exact-dedup"
    # The value of a copy: how many documents the kept one stands for.
    assert said.rows[0][2:4] == (False, "2") and said.rows[0][5] == "note-0"
    assert study.why("note-0", RECIPE).title == "note-0: kept"
    with pytest.raises(RecipeError, match="no such document"):
        study.why("note-9", RECIPE)


def test_a_run_writes_the_bytes_of_the_command_line(study: ta.NotebookStudy, corpus: Path, tmp_path: Path) -> None:
    done = study.run(RECIPE, tmp_path / "mine")
    assert done.agrees and done.counts[-1].documents == 3
    (tmp_path / "recipe.yaml").write_text(RECIPE.to_yaml(), "utf-8")
    for line in (
        ("export", str(tmp_path / "recipe.yaml"), str(corpus), "-o", str(tmp_path / "bundle")),
        ("run", str(tmp_path / "bundle"), str(corpus), "-o", str(tmp_path / "theirs")),
    ):
        result = CliRunner().invoke(app, line)
        assert result.exit_code == 0, result.output
    mine, theirs = (_contents(tmp_path / name) for name in ("mine", "theirs"))
    assert mine == theirs and "curated/part-00000.parquet" in mine
    assert study.run(RECIPE, tmp_path / "mine") == done


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_export_is_a_bundle_of_the_study(study: ta.NotebookStudy, tmp_path: Path) -> None:
    folder = study.export(RECIPE, tmp_path / "bundle")
    assert sorted(path.name for path in folder.iterdir()) == ["artifacts", "recipe.lock.json", "recipe.yaml"]
    assert study.selection(RECIPE).column("copies").to_pylist().count(0) == 2


def test_options_of_opening_reach_the_corpus_and_its_workspace(corpus: Path, workspace: Workspace) -> None:
    study = ta.open(corpus / "*.parquet", text="source", id="", tier="fast", steps=["tokens"], progress=False)
    roles = study.analysed.corpus.roles
    assert (roles.text, roles.id) == ("source", None)
    assert read_options(workspace, study.analysed.corpus).tier == "fast"
    assert {"id", "n_tokens"} < set(study.facts().column_names) and "norm_group" not in study.facts().column_names
    other = ta.open(corpus, workspace=workspace.root / "other", steps=["tokens"], progress=False)
    assert other.analysed.workspace.root == workspace.root / "other"
    with pytest.raises(SettingError, match="no such step"):
        ta.open(corpus, steps=["token"], progress=False)
    with pytest.raises(RoleError):
        ta.open(corpus, text="body", progress=False)


class Tags(HTMLParser):
    """Collects the tags and attributes of a text of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[tuple[str, tuple[str, ...]]] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, tuple(name for name, _ in attrs)))


def test_nothing_of_the_corpus_or_the_recipe_is_markup(study: ta.NotebookStudy) -> None:
    recipe = RECIPE.described(title=PAYLOAD, why=PAYLOAD).with_operator(
        "category", note=PAYLOAD, column="source", values=[PAYLOAD], mode="drop"
    )
    pages = [
        study, study.columns(), study.documents(recipe, columns=["source"]), study.why(PAYLOAD, recipe),
        study.funnel(recipe), recipe, ta.catalogue(), ta.presets(), ta.Listing(PAYLOAD, (PAYLOAD,), ((PAYLOAD,),)),
    ]  # fmt: skip
    allowed = {("div", ("class",)), ("p", ()), ("b", ()), ("table", ()), ("tr", ())}
    allowed |= {("td", ("style",)), ("th", ("style",))}
    for page in pages:
        html = page._repr_html_()
        assert Tags(html).seen <= allowed
        assert "mathjax_ignore" in html and "<table>" in html
        assert not set(html) & {"\x1b", "\x07"}
    assert sum("&lt;script&gt;" in page._repr_html_() for page in pages) == 5


def test_a_terminal_gets_no_control_characters_and_no_endless_lines(study: ta.NotebookStudy) -> None:
    for said in (repr(study.documents(columns=["source"])), repr(study.funnel(RECIPE.described(title=PAYLOAD)))):
        assert "script" in said and not set(said) & {"\x1b", "\x07", "\r"}
    long = ta.Listing("a", ("b",), (("word " * 900,), (None,)))
    assert max(map(len, repr(long).splitlines())) <= 100
    assert long.to_arrow().column("b").to_pylist() == ["word " * 900, None]


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def report(progress: Any) -> None:
    """Do two steps of work."""
    progress.plan({"tokens": 1.0, "exact": 3.0})
    progress.step("tokens", 10)
    progress.advance(10)
    progress.step("exact", 10)


def test_without_terminal_and_notebook_progress_is_one_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_display.choose_progress() as progress:
        report(progress)
    assert stream.getvalue() == "tamis: tokens, 0% done\ntamis: exact, 25% done\n"


def test_in_a_terminal_progress_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_display.choose_progress() as progress:
        report(progress)
    assert "100%" in stream.getvalue() and "exact" in stream.getvalue()


def test_in_a_notebook_progress_is_one_output_replaced_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            said.append(f"update {html}")

    def display(html: str, *, display_id: bool) -> Handle:
        said.append(f"new {html} {display_id}")
        return Handle()

    class Shell:
        kernel = object()

    ipython, shows = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = Shell  # type: ignore[attr-defined]
    shows.display, shows.HTML = display, str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shows)
    with progress_display.choose_progress() as progress:
        report(progress)
    assert [text.split()[0] for text in said] == ["new", "update", "update"]
    assert 'value="0.2500"' in said[1] and "exact" in said[1] and 'value="1.0000"' in said[2]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_is_shown_when_there_is_nothing_to_do(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = stream()
    monkeypatch.setattr(sys, "stderr", quiet)
    with progress_display.choose_progress():
        pass
    assert quiet.getvalue() == ""


def test_progress_is_given_or_switched_off(
    corpus: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_display.choose_progress(False) as silent:
        assert isinstance(silent, NullProgress)
    steps: list[str] = []
    ta.open(corpus, steps=["tokens"], progress=TrackedProgress(lambda state: steps.append(state.step)))
    assert {"opening", "documents", "tokens", "facts"} <= set(steps)
    ta.open(corpus, steps=["tokens"], progress=False)
    assert capsys.readouterr().err == ""
    ta.open(corpus, steps=["exact"])
    assert "tamis: exact" in capsys.readouterr().err
