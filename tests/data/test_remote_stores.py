"""gs:// and hf:// give the same run as the files themselves, and what proves who asks is kept nowhere."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from dashboard import tamis
from docstrings import docstrings, write_corpus
from gcp_storage_emulator.server import Server, create_server
from hub_server import hub

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import CorpusError
from tamis.data.remote import fetch

SECRET = "planted-secret-Qx71"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the files, in a folder below another as the hub has them."""
    return write_corpus(tmp_path_factory.mktemp("remote") / "docs" / "part", docstrings(("json", "logging")), files=3)


@pytest.fixture(scope="module")
def near(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the Parquet files of the run on the files themselves, by name."""
    return files_of_run(str(folder), tmp_path_factory.mktemp("near"))[0]


@pytest.fixture(scope="module")
def near_above(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the same of the folder above: the files are named ``part/file-0.parquet`` and so on."""
    return files_of_run(str(folder.parent), tmp_path_factory.mktemp("above"))[0]


def files_of_run(path: str, place: Path) -> tuple[dict[str, bytes], str]:
    """Run a recipe on a corpus; return the Parquet files by name and everything that was printed."""
    recipe = Recipe(title="Far away").with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 8}))
    (place / "recipe.yaml").write_text(recipe.to_yaml())
    done = tamis("run", str(place / "recipe.yaml"), path, "-o", str(place / "out"), home=place / "home", check=False)
    assert done.returncode == 0, done.stderr
    return {file.name: file.read_bytes() for file in (place / "out").rglob("*.parquet")}, done.stdout + done.stderr


def require_secret_nowhere(place: Path, said: str) -> None:
    held = [path for path in place.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not held and SECRET not in said


@pytest.fixture
def gcs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the corpus from a Google Cloud Storage emulator on this machine; yield its address."""
    server: Server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="corpora")
    server.start()
    host = f"http://127.0.0.1:{server._api._httpd.server_port}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    for path in (*sorted(folder.iterdir()), Path(__file__)):
        address = f"{host}/upload/storage/v1/b/corpora/o?uploadType=media&name={quote(f'docs/{path.name}', safe='')}"
        head = {"Content-Type": "application/octet-stream"}
        with urllib.request.urlopen(urllib.request.Request(address, path.read_bytes(), head)) as answer:
            assert answer.status == 200
    yield "gs://corpora/docs"
    server.stop()


@pytest.mark.parametrize("glob", ["", "/*.parquet"])
def test_a_run_on_a_google_bucket_is_the_run_on_its_files(
    gcs: str, glob: str, near: dict[str, bytes], tmp_path: Path
) -> None:
    assert files_of_run(gcs + glob, tmp_path)[0] == near and len(near) >= 3


@pytest.mark.parametrize(
    ("address", "same"),
    [("", "near_above"), ("/**/*.parquet", "near_above"), ("@main/part", "near"), ("/part/*.parquet", "near")],
)
def test_a_run_on_a_hub_data_set_is_the_run_on_its_files_and_keeps_no_token(
    folder: Path,
    address: str,
    same: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    expected = request.getfixturevalue(same)
    with hub(folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", SECRET)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        found, said = files_of_run(f"hf://datasets/me/docs{address}", tmp_path)
    assert found == expected and server.tokens == {f"Bearer {SECRET}"}
    require_secret_nowhere(tmp_path, said)


def test_what_a_hub_does_not_have_is_one_message(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        done = tamis("analyze", "hf://datasets/me/none", "--plan", home=tmp_path, check=False)
    assert done.returncode == 2 and "address cannot be read" in done.stderr and "Traceback" not in done.stderr


class _Redirects(BaseHTTPRequestHandler):
    """Send everybody to a signed address, which then refuses."""

    def do_GET(self) -> None:
        self.send_response(403 if SECRET in self.path else 302)
        self.send_header("Location", f"/signed.parquet?X-Amz-Signature={SECRET}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name the standard library calls

    def log_message(self, *said: object) -> None:
        """Say nothing."""


def test_a_signed_address_a_server_redirects_to_is_not_repeated(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Redirects) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(CorpusError, match="cannot be read") as refused:
            fetch(f"http://127.0.0.1:{server.server_port}/x.parquet", tmp_path)
        server.shutdown()
    require_secret_nowhere(tmp_path, f"{refused.value} {refused.value.__cause__}")
