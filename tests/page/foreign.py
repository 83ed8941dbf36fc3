"""A site of somebody else, on a port of this machine, and a browser in which its names lead there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# `foreign.test` is the site; `rebound.test` is a name that its owner has pointed at this machine later.
NAMES = "--host-resolver-rules=MAP foreign.test 127.0.0.1, MAP rebound.test 127.0.0.1"


@dataclass(frozen=True)
class Site:
    """What the site shows at each path; `url` is without a slash at its end."""

    url: str
    pages: dict[str, str]

    def put(self, path: str, html: str) -> str:
        """Shows a page there, and gives its address."""
        self.pages[path] = f"<!doctype html><title>Elsewhere</title><body>{html}</body>"
        return f"{self.url}{path}"


@contextmanager
def site() -> Iterator[Site]:
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # its name there
            body = pages.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(f"http://foreign.test:{server.server_port}", pages)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
