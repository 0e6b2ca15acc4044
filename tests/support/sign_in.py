"""A sign-in proxy and an OpenID provider that really speak their protocols, for tests of logging in."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "tamis"
CHUNK = 1 << 16


@contextmanager
def sign_in_proxy(target: int, headers: Mapping[str, str]) -> Iterator[str]:
    """Serve another port of this machine, adding headers to every request, until the block ends; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, target, dict(headers)), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, target: int, headers: Mapping[str, str]) -> None:
    with suppress(OSError):
        while True:
            client, _ = server.accept()
            threading.Thread(target=_relay, args=(client, target, headers), daemon=True).start()


def _relay(client: socket.socket, target: int, headers: Mapping[str, str]) -> None:
    with suppress(OSError), client, socket.create_connection(("127.0.0.1", target)) as upstream:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(CHUNK)
            if not piece:
                return
            head += piece
        upstream.sendall(_with_headers(head, headers))
        back = threading.Thread(target=_pipe, args=(upstream, client), daemon=True)
        back.start()
        _pipe(client, upstream)
        back.join()


def _with_headers(head: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a request with our headers instead of its own, one request a connection unless it is a socket."""
    lines, _, body = head.partition(b"\r\n\r\n")
    first, *given = lines.decode("latin-1").split("\r\n")
    ours = {name.lower() for name in headers}
    kept = [line for line in given if line.partition(":")[0].lower() not in ours]
    if not any(line.lower().startswith("upgrade:") for line in kept):
        kept = [line for line in kept if not line.lower().startswith("connection:")] + ["Connection: close"]
    added = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([first, *kept, *added]).encode("latin-1") + b"\r\n\r\n" + body


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(CHUNK):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


class _Provider(ThreadingHTTPServer):
    """An OpenID provider that lets people choose who they are."""

    def __init__(self, people: Mapping[str, Mapping[str, object]]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.people = people
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"})
        self.numbers = count()
        self.nonces: dict[str, tuple[str, str]] = {}

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: _Provider

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        issuer = self.server.issuer
        if path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "jwks_uri": f"{issuer}/jwks",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        elif path == "/jwks":
            self._json({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/authorize":
            self._choose(asked)
        else:
            self.send_error(404)

    def _choose(self, asked: Mapping[str, list[str]]) -> None:
        links = []
        for name in self.server.people:
            code = f"code-{next(self.server.numbers)}"
            self.server.nonces[code] = (name, asked["nonce"][0])
            back = f"{asked['redirect_uri'][0]}?{urlencode({'code': code, 'state': asked['state'][0]})}"
            links.append(f'<p><a href="{back.replace("&", "&amp;")}">{name}</a></p>')
        self._send("".join(links).encode(), "text/html")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        name, nonce = self.server.nonces.pop(form["code"][0])
        now = int(time.time())
        claims: dict[str, object] = {"iss": self.server.issuer, "aud": CLIENT, "sub": name, "nonce": nonce, "iat": now}
        claims["exp"] = now + 600
        token = jwt.encode(
            {"alg": "RS256", "kid": "one"},
            {**claims, **self.server.people[name]},
            self.server.key,
            algorithms=["RS256"],
        )
        self._json({"access_token": "none", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def _json(self, value: object) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def openid_provider(people: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Run a provider that knows some people, with the claims of each, until the block ends; yield its address."""
    server = _Provider(people)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        server.server_close()
