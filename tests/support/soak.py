"""A served map that says how much it holds, and a session that draws it again and again."""

from __future__ import annotations

import gc
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from dashboard import served
from mapped_corpus import analysed, write_mapped
from session_client import Session

PROGRAM = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from soak import serve; serve()"


@dataclass(frozen=True)
class Held:
    """What the server holds.

    Attributes:
        assets: published bytes and readers of snippets.
        objects: Python objects, after garbage was collected.
        threads, files: of the process.
        memory: bytes.
    """

    assets: int
    objects: int
    threads: int
    files: int
    memory: int


def serve() -> None:
    """Run the command line with a map and one more address, which counts."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from tamis.app.server import routes

    def counted(request: Request) -> JSONResponse:
        gc.collect()
        own = psutil.Process()
        return JSONResponse({
            "assets": routes.DESK.assets,
            "objects": len(gc.get_objects()),
            "threads": threading.active_count(),
            "files": own.num_fds(),
            "memory": own.memory_info().rss,
        })  # fmt: skip

    routes.ROUTES = (*routes.ROUTES, Route("/tamis/held", counted, methods=["GET"]))
    from mapped_corpus import serve as serve_mapped

    serve_mapped()


@contextmanager
def served_map(folder: Path, documents: int) -> Iterator[str]:
    """Serve the map of so many documents and yield its address."""
    home = folder / "home"
    analysed(write_mapped(folder / "corpus", documents), home, "mapped")
    with served(home, folder / "corpus", program=PROGRAM) as dashboard:
        yield dashboard.url


def held(url: str) -> Held:
    """Ask the server what it holds."""
    with urllib.request.urlopen(f"{url}/tamis/held", timeout=60) as answer:
        return Held(**json.load(answer))


def draw(session: Session, first: int, times: int) -> None:
    """Select other documents and draw the map, so many times."""
    for number in range(first, first + times):
        session.open("documents")
        if ("button", "Clear") in session.widgets:
            session.press("Clear")
        session.choose("Kind of search", "Condition")
        session.type("text_input", "Search", f"x > {number / 1000 - 1:.3f}")
        session.press("Find")
        session.open("map")
