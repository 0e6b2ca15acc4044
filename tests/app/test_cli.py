"""The command line: one message for what people get wrong, and the same results as everywhere else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings, write_corpus
from typer.testing import CliRunner, Result

from tamis.analytics.export.run import Run
from tamis.app.cli import main
from tamis.data.errors import TamisError
from tamis.data.jobs import list_jobs
from tamis.data.workspace import Workspace

RECIPE = """
schema_version: 1
title: Short and repeated out
steps:
  - id: long-enough
    operator: signal_range
    params: {signal: n_tokens, min: 12}
  - id: once
    operator: exact_dedup
    params: {keep: longest}
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, list(arguments))


def failing(*arguments: str) -> str:
    result = invoke(*arguments)
    assert isinstance(result.exception, TamisError), result.output
    return str(result.exception)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", docstrings(("json", "collections")))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, "utf-8")
    return path


def test_a_mistake_is_one_message_on_standard_error_and_exit_code_two(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["tamis", "analyze", "/nowhere/at/all"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.err.startswith("tamis: ")
    assert "/nowhere/at/all" in printed.err
    assert "Traceback" not in printed.err + printed.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "/none", "/none", "-o", "/tmp/none"), "/none"),
        (("verify", "/none", "/none"), "/none"),
        (("diff", "/none", "/none"), "/none"),
        (("cancel", "analyze-0000"), "analyze-0000"),
        (("serve", "--host", "0.0.0.0"), "this machine only"),
        (("serve", "--port", "70000"), "70000"),
        (("export", "/none.yaml", "/none", "-o", "/tmp/none"), "/none"),
    ],
)
def test_each_command_says_what_is_wrong(workspace: Workspace, arguments: tuple[str, ...], said: str) -> None:
    assert said in failing(*arguments)


def test_a_port_in_use_is_said_before_anything_is_done(workspace: Workspace, corpus: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert port in failing("serve", "--port", port)
        assert port in failing("open", str(corpus), "--port", port)
    assert not workspace.corpora()


def test_export_run_and_verify_agree(workspace: Workspace, corpus: Path, recipe: Path, tmp_path: Path) -> None:
    bundle, out = tmp_path / "bundle", tmp_path / "out"
    assert invoke("export", str(recipe), str(corpus), "-o", str(bundle)).exit_code == 0
    done = invoke("run", str(bundle), str(corpus), "-o", str(out))
    assert done.exit_code == 0, done.output
    assert "agrees with the bundle's lock" in done.output
    manifest = json.loads((out / "run.json").read_text("utf-8"))
    assert f"selection {manifest['selection']}" in done.output
    curated = pa.concat_tables(pq.read_table(path) for path in sorted((out / "curated").glob("*.parquet")))
    assert curated.num_rows == manifest["counts"][-1]["documents"]
    assert invoke("verify", str(bundle), str(corpus)).exit_code == 0


ONCE = """
schema_version: 1
title: Once
steps:
  - id: once
    operator: exact_dedup
    params: {}
  - id: good
    operator: sql_predicate
    params: {predicate: meta_score > 0}
"""


def test_run_says_which_columns_it_took_for_what_and_which_nobody_looked_at(
    workspace: Workspace, tmp_path: Path
) -> None:
    rows = [
        {"request": f"Say it {'again' if k else 'once'}.", "input": f"line {k}", "answered": f"l{k}", "score": k}
        for k in range(4)
    ]
    pq.write_table(pa.Table.from_pylist([{**row, "meta": {"dc.title": "t"}} for row in rows]), tmp_path / "a.parquet")
    (tmp_path / "once.yaml").write_text(ONCE, "utf-8")
    paths = (str(tmp_path / "once.yaml"), str(tmp_path / "a.parquet"))
    done = invoke("run", *paths, "-o", str(tmp_path / "out"))
    assert "roles: text=request\n" in done.output
    assert 'columns that no rule read: answered, input, meta."dc.title"\n' in done.output
    manifest = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert manifest["roles"] == {"text": "request"}
    assert manifest["unread"] == ["answered", "input", 'meta."dc.title"']
    assert manifest["run_version"] == 3
    former = {name: value for name, value in manifest.items() if name not in ("roles", "unread")} | {"run_version": 2}
    (tmp_path / "former").mkdir()
    (tmp_path / "former" / "run.json").write_text(json.dumps(former), "utf-8")
    assert (Run.open(tmp_path / "former").roles, Run.open(tmp_path / "former").unread) == ({}, ())
    chosen = invoke("run", *paths, "-o", str(tmp_path / "two"), "--text", "input", "--source", "request")
    assert "roles: text=input, source=request\n" in chosen.output


@pytest.mark.parametrize(
    ("ids", "said"), [(["a", "a", "b"], "3 documents share 2 values."), (["a", None, "b"], "1 documents have none.")]
)
def test_an_id_column_chosen_by_hand_that_is_no_id_is_refused_with_counts(
    workspace: Workspace, tmp_path: Path, ids: list[str | None], said: str
) -> None:
    pq.write_table(pa.table({"id": ids, "text": ["one", "two", "three"], "score": [1, 2, 3]}), tmp_path / "a.parquet")
    (tmp_path / "once.yaml").write_text(ONCE, "utf-8")
    paths = (str(tmp_path / "once.yaml"), str(tmp_path / "a.parquet"))
    refused = failing("run", *paths, "-o", str(tmp_path / "out"), "--id", "id")
    assert refused.startswith(f"Column id cannot be the id: {said} allowed: ids that are never NULL")
    assert not (tmp_path / "out").exists()
    # Found by its name only, it is passed over.
    assert invoke("run", *paths, "-o", str(tmp_path / "out")).exit_code == 0


def test_nothing_of_a_corpus_steers_the_terminal(workspace: Workspace, tmp_path: Path) -> None:
    name = "red\x1b[31m\u202e [bold]"
    table = pa.table({"text": ["one", "two"], "id": ["b", "a"], name: ["x", "y"]})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "once.yaml").write_text(ONCE.split("  - id: good")[0], "utf-8")
    done = invoke("run", str(tmp_path / "once.yaml"), str(tmp_path / "a.parquet"), "-o", str(tmp_path / "out"))
    assert r"columns that no rule read: red\x1b[31m\u202e [bold]" in done.output
    assert not {"\x1b", "\u202e"} & set(done.output)


FROZEN = """
schema_version: 1
title: The shortest out
steps:
  - id: short
    operator: percentile_band
    params: {signal: n_tokens, low: 20}
"""


def test_freeze_and_verify_read_a_corpus_as_export_and_run_do(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    lines = [json.dumps({"text": "a sieve keeps what is coarse " * k}) for k in range(1, 9)]
    (tmp_path / "corpus" / "train-0.jsonl").write_text("\n".join([*lines[:4], "broken", *lines[4:]]))
    (tmp_path / "recipe.yaml").write_text(FROZEN, "utf-8")
    paths, how = (str(tmp_path / "recipe.yaml"), str(tmp_path / "corpus")), ("--skip-bad-lines", "--origin")
    frozen = invoke("freeze", *paths, "-o", str(tmp_path / "fixed.yaml"), *how, "--tokenizer", "minilm-wordpiece")
    assert frozen.exit_code == 0 and "wrote" in frozen.output, (frozen.output, frozen.exception)
    assert "is not JSON" in failing("freeze", *paths, "-o", str(tmp_path / "other.yaml"))
    bundle = str(tmp_path / "bundle")
    assert invoke("export", *paths, "-o", bundle, *how).exit_code == 0
    same, other = (invoke("verify", bundle, paths[1], *options) for options in (how, how[:1]))
    assert same.exit_code == 0 and "are not the ones" not in same.output
    assert "the files are not the ones the recipe was made on" in other.output


def test_diff_names_the_changed_parameter(workspace: Workspace, corpus: Path, recipe: Path, tmp_path: Path) -> None:
    assert invoke("export", str(recipe), str(corpus), "-o", str(tmp_path / "one")).exit_code == 0
    recipe.write_text(RECIPE.replace("min: 12", "min: 20"), "utf-8")
    assert invoke("export", str(recipe), str(corpus), "-o", str(tmp_path / "two")).exit_code == 0
    said = invoke("diff", str(tmp_path / "one"), str(tmp_path / "two"), str(corpus)).output
    assert "long-enough" in said
    assert "min: 12" in said.replace("12.0", "12")
    assert "0 gained" in said


def test_analyze_says_the_plan_and_remembers_the_corpus(workspace: Workspace, corpus: Path) -> None:
    said = invoke("analyze", str(corpus), "--name", "tiny", "--plan").output
    assert "signals" in said
    assert "about" in said
    assert list(workspace.corpora()) == ["tiny"]
    assert not list_jobs(workspace.jobs)
    assert "tiny" in invoke("corpora").output


def test_report_is_one_file_that_asks_nobody_for_anything(
    workspace: Workspace, corpus: Path, recipe: Path, tmp_path: Path
) -> None:
    page, card = tmp_path / "report.html", tmp_path / "card.md"
    done = invoke("report", str(recipe), str(corpus), "-o", str(page), "--card", str(card), "--no-measure")
    assert done.exit_code == 0, done.output
    text = page.read_text("utf-8")
    assert "long-enough" in text
    assert "<script" not in text
    assert not [part for part in ('src="http', 'href="http', "url(http") if part in text]
    assert card.read_text("utf-8").startswith("---\n")


def test_evaluate_refuses_a_target_that_says_too_little(
    workspace: Workspace, corpus: Path, recipe: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target.txt"
    target.write_text("one text\n\nand another\n", "utf-8")
    assert "more texts" in failing("evaluate", str(recipe), str(corpus), "--target", str(target))


def test_help_loads_no_library_that_only_work_needs(tmp_path: Path) -> None:
    program = (
        "import sys; from tamis.app.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    assert "analyze" in done.stdout
    heavy = {"duckdb", "numba", "pandas", "pydantic", "scipy", "sklearn", "sqlalchemy", "sqlglot", "streamlit", "torch"}
    assert not heavy & set(done.stdout.splitlines()[-1].split())
