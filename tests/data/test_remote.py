"""A corpus in an object store or behind a web server is the corpus of its files, with no credentials anywhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from dashboard import tamis
from docstrings import docstrings, write_corpus
from moto.server import ThreadedMotoServer

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import CorpusError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.remote import check_address, fetch

SECRET = "planted-secret-Qx71"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("remote") / "docs", docstrings(("json", "logging")), files=3)


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[str]:
    """Serve the corpus from an S3 server on this machine; yield its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"), ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_DEFAULT_REGION", "us-east-1"),
        ):  # fmt: skip
            patch.setenv(name, value)
        store = boto3.client("s3")
        store.create_bucket(Bucket="corpora")
        for path in sorted(folder.iterdir()):
            store.upload_file(str(path), "corpora", f"docs/{path.name}")
        store.put_object(Bucket="corpora", Key="docs/README.md", Body=b"not data")
        yield "s3://corpora/docs"
        store.close()
    server.stop()


def test_a_run_on_a_bucket_is_the_run_on_its_files(bucket: str, folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(title="Far away").with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 8}))
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    said, runs = [], []
    tamis("analyze", bucket, "--tier", "fast", home=tmp_path / "far")
    bundle = tmp_path / "bundle"
    tamis("export", str(tmp_path / "recipe.yaml"), bucket, "-o", str(bundle), home=tmp_path / "far")
    for name, path in (("near", str(folder)), ("far", bucket), ("glob", f"{bucket}/*.parquet")):
        out = tmp_path / f"{name}-out"
        done = tamis("run", str(bundle), path, "-o", str(out), home=tmp_path / name)
        said.append(done.stdout + done.stderr)
        runs.append({file.name: file.read_bytes() for file in out.rglob("*.parquet")})
    assert runs[0] == runs[1] == runs[2] and len(runs[0]) >= 3
    held = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not held and not any(SECRET in words for words in said)


def test_a_copy_is_made_once_and_anew_when_a_file_changes(bucket: str, tmp_path: Path) -> None:
    first = fetch(bucket, tmp_path)
    assert fetch(bucket, tmp_path) == first and first.name == "docs"
    before = open_corpus(first).text_fingerprint
    store = boto3.client("s3")
    body = store.get_object(Bucket="corpora", Key="docs/file-0.parquet")["Body"].read()
    store.put_object(Bucket="corpora", Key="docs/more.parquet", Body=body)
    second = fetch(bucket, tmp_path)
    assert second != first and open_corpus(second).text_fingerprint != before
    store.delete_object(Bucket="corpora", Key="docs/more.parquet")
    assert fetch(bucket, tmp_path) == first
    store.close()


def test_files_in_folders_and_under_odd_names_are_copied(bucket: str, tmp_path: Path) -> None:
    store = boto3.client("s3")
    body = store.get_object(Bucket="corpora", Key="docs/file-0.parquet")["Body"].read()
    keys = [f"odd/lang=en/{name}.parquet" for name in ("a b", "a-b", "日本", "-", "x" * 120)]
    for key in keys:
        store.put_object(Bucket="corpora", Key=key, Body=body)
    store.close()
    copies = [path for path in fetch("s3://corpora/odd", tmp_path).rglob("*.parquet") if path.read_bytes() == body]
    assert len(copies) == len(keys) == len(list(tmp_path.rglob("*.parquet")))
    assert open_corpus(fetch("s3://corpora/odd", tmp_path)).rows == len(keys) * open_corpus(copies[0]).rows


def test_one_file_behind_a_web_server_is_read(folder: Path, tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *said: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        path = fetch(f"http://127.0.0.1:{server.server_port}/file-1.parquet", tmp_path)
        assert path.read_bytes() == (folder / "file-1.parquet").read_bytes()
        with pytest.raises(CorpusError, match="at this address"):
            fetch(f"http://127.0.0.1:{server.server_port}/none.parquet", tmp_path)
        server.shutdown()


@pytest.mark.parametrize("address", ["s3://nowhere-at-all/docs", "s3://corpora/none"])
def test_what_is_not_there_is_said(bucket: str, address: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="address"):
        fetch(address, tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        f"s3://key:{SECRET}@corpora/docs", f"https://me:{SECRET}@example.org/x.parquet",
        f"https://example.org/x.parquet?X-Amz-Signature={SECRET}",
        f"s3://corpora/docs/x.parquet?X-Amz-Security-Token={SECRET}", f"hf://datasets/me/docs?token={SECRET}",
        f"https://example.org/x.parquet#token={SECRET}", f"gs://me:{SECRET}@corpora/docs",
        "ftp://example.org/x.parquet", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_addresses_with_credentials_or_of_other_kinds_are_refused_without_repeating_them(address: str) -> None:
    with pytest.raises(SettingError) as refused:
        check_address(address)
    assert SECRET not in str(refused.value)
