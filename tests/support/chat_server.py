"""A small server on this machine that speaks the chat-completions protocol and answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server answers: content in the protocol's form, or a raw body; a status; seconds it waits before."""

    content: str = ""
    status: int = 200
    raw: bytes | None = None
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """Return the bytes of the answer."""
        if self.raw is not None:
            return self.raw
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": self.content}}]}).encode()


class ChatServer(ThreadingHTTPServer):
    """Answers by a function of the number of the question, from 1; keeps what it was sent."""

    daemon_threads = True

    def __init__(self, reply: Callable[[int], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.reply, self.asked, self.lock = reply, list[dict[str, Any]](), threading.Lock()

    @property
    def url(self) -> str:
        """Return the address people would give."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Answers(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        """Keep the question and answer it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
            reply = self.server.reply(len(self.server.asked))
        time.sleep(reply.seconds)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@contextmanager
def chat_server(reply: Callable[[int], Reply]) -> Iterator[ChatServer]:
    """Serve until the block ends."""
    with ChatServer(reply) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
