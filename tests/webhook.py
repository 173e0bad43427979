"""A real HTTP server as the target of alerts: it takes them, fails, or hangs, as the test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

SECRET = "hidden-secret"
"""Part of every target's address, so that it can be looked for where no address may be."""

Behaviour = Literal["good", "failing", "hanging"]


class Webhook:
    """What a target was sent, and how it behaves from now on."""

    def __init__(self, port: int) -> None:
        self.url = f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}?rto=2&cto=1"
        self.behaviour: Behaviour = "good"
        self.taken: list[dict[str, Any]] = []
        self.refused = 0
        self.hanging = 0
        self.release = threading.Event()

    @property
    def titles(self) -> list[str]:
        """The titles of what was taken, in order."""
        return [body["title"] for body in self.taken]


@contextmanager
def webhook(behaviour: Behaviour = "good") -> Iterator[Webhook]:
    """Serve a target on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = 200
            if made.behaviour == "hanging":
                made.hanging += 1
                made.release.wait()
                return
            if made.behaviour == "failing":
                made.refused += 1
                status = 503
            else:
                made.taken.append(body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Webhook(server.server_port)
    made.behaviour = behaviour
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
