"""A web server on this machine that can do what real ones do: ranges, redirects, cut connections, other files."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


@dataclass
class Web:
    """What is served, how, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    address: str = ""
    ranges: bool = True
    cut_after: int | None = None
    """Each answer ends after so many bytes of the file, and the connection with it."""
    chunked: bool = False
    silent: bool = False
    """Accepts, and never answers."""
    status: int | None = None
    moved: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Instead of those it would send."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and range of each request."""
    over: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    web: ClassVar[Web]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        web, wanted = self.web, self.headers["Range"]
        web.asked.append((self.path, wanted))
        self.close_connection = True
        if web.silent:
            web.over.wait(20)
            return
        if self.path in web.moved:
            self._head(302, {"Location": web.moved[self.path], "Content-Length": "0"})
            return
        data = web.files.get(self.path.rpartition("/")[2])
        if data is None or web.status is not None:
            self._head(web.status or 404, {"Content-Length": "0"})
            return
        first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and web.ranges else 0  # type: ignore[index]
        if first and first >= len(data):
            self._head(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(data)}"})
            return
        body = data[first:]
        head = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        head |= {"Transfer-Encoding": "chunked"} if web.chunked else {"Content-Length": str(len(body))}
        self._head(206 if first else 200, head | web.headers)
        sent = body if web.cut_after is None else body[: web.cut_after]
        if web.chunked:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent))
            self.wfile.write(b"0\r\n\r\n" if sent == body else b"")
        else:
            self.wfile.write(sent)

    def do_CONNECT(self) -> None:
        """Somebody takes this for a proxy."""
        self.web.asked.append((self.path, None))
        self.close_connection = True
        self.send_error(502, "No way out")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at `asked`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up on purpose here."""


@contextmanager
def serving(files: dict[str, bytes], certificate: Path | None = None) -> Iterator[Web]:
    """A server for the length of the block, on a port of its own; https with a certificate and its key (PEM)."""
    web = Web(files)
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": web})) as server:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        web.address = f"{scheme}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield web
        finally:
            web.over.set()
            server.shutdown()
            thread.join()
