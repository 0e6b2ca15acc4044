"""A small server on this machine that answers as a hub of data sets does: revisions, listings, files by range."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """One data set, ``me/docs``: every file of a folder below ``part``; keeps what callers showed of themselves."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files = {f"part/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
        self.files["README.md"] = b"not data"
        self.tokens: set[str] = set()

    @property
    def address(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        """Answer a question about the data set, or a part of a file."""
        path = self.path.partition("?")[0]
        if "/me/docs" in path:
            self.server.tokens.add(self.headers.get("Authorization", ""))
        if found := re.fullmatch(r"/datasets/me/docs/resolve/[^/]+/(.+)", path):
            return self._file(self.server.files.get(found[1]))
        if found := re.fullmatch(r"/api/datasets/me/docs/tree/[^/]+/?(.*)", path):
            return self._json(self._tree(found[1].replace("%2F", "/")))
        if re.fullmatch(r"/api/datasets/me/docs(/revision/[^/]+)?", path):
            return self._json({"id": "me/docs", "sha": COMMIT, "siblings": [], "private": False, "tags": []})
        return self._json({"error": "Repository not found"}, status=404)

    do_HEAD = do_GET  # noqa: N815 - the name the standard library calls

    def _tree(self, below: str) -> list[dict[str, object]]:
        deep = "recursive=True" in self.path or "recursive=true" in self.path
        rows: dict[str, dict[str, object]] = {}
        for name, data in self.server.files.items():
            inner = name.removeprefix(f"{below}/") if below else name
            if below and inner == name:
                continue
            if "/" in inner:
                folder = name[: len(name) - len(inner)] + inner.split("/", 1)[0]
                rows[folder] = {
                    "type": "directory",
                    "oid": sha1(folder.encode()).hexdigest(),
                    "size": 0,
                    "path": folder,
                }
            if deep or "/" not in inner:
                rows[name] = {"type": "file", "oid": sha1(data).hexdigest(), "size": len(data), "path": name}
        return list(rows.values())

    def _file(self, data: bytes | None) -> None:
        if data is None:
            return self._json({"error": "Entry not found"}, status=404)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2] or len(data) - 1)) if asked else (0, len(data) - 1)
        part = data[first : last + 1]
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        self.send_header("ETag", f'"{sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        return self._end(part)

    def _json(self, value: object, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self._end(json.dumps(value).encode())

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Serve the files of a folder as a data set until the block ends."""
    with Hub(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
