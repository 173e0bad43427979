"""Requests for predictions without a pause, over connections that are kept, by few instructions a request.

Whoever measures a server on the same two cores must not take the time that it measures.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

TIMEOUT_S = 20.0


class Connection:
    """One kept HTTP connection that posts bodies which were prepared before."""

    def __init__(self, port: int, path: str, token: str | None = None) -> None:
        self._port = port
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        headers = f"Host: 127.0.0.1\r\n{authorization}Content-Type: application/json\r\n"
        self._head = f"POST {path} HTTP/1.1\r\n{headers}"
        self._socket: socket.socket | None = None

    def prepared(self, body: bytes) -> bytes:
        """Return the whole request that posts ``body``."""
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer.

        Raises ``ConnectionError`` where the connection broke, or was refused; the next request opens another.
        """
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        """Send a prepared request, and do not wait for its answer."""
        try:
            self.opened().sendall(request)
        except OSError as error:
            self.close()
            raise ConnectionError(str(error)) from error

    def receive(self) -> tuple[int, bytes]:
        """Return status and body of the answer to what was sent."""
        try:
            return self._answer(self.opened())
        except OSError as error:
            self.close()
            raise ConnectionError(str(error)) from error

    def opened(self) -> socket.socket:
        """Return the open connection."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _answer(self, connection: socket.socket) -> tuple[int, bytes]:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more(connection)
        head = received[:end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        while len(received) < end + 4 + length:
            received += self._more(connection)
        return int(head[9:12]), received[end + 4 :]

    def _more(self, connection: socket.socket) -> bytes:
        received = connection.recv(65_536)
        if not received:
            raise ConnectionResetError("closed by the server")
        return received


@dataclass
class Answers:
    """What one client was answered: latencies, and what was not as it should be."""

    latencies_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    broken: int = 0


class Load:
    """Clients, a thread each, that send one request after the other until the block ends.

    Parameters
    ----------
    check
        Called with the number of the request and the body of each answer; returns what is wrong with it.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        bodies: Sequence[bytes],
        check: Callable[[int, bytes], str | None],
        clients: int = 2,
    ) -> None:
        self.clients = [Answers() for _ in range(clients)]
        self._connect, self._bodies, self._check = connect, bodies, check
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(client,)) for client in self.clients]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        return sum(len(client.latencies_s) for client in self.clients)

    @property
    def faults(self) -> list[str]:
        """What was wrong with answers; connections that broke apart."""
        return [fault for client in self.clients for fault in client.faults]

    @property
    def broken(self) -> int:
        """How many requests were not answered, because their connection broke."""
        return sum(client.broken for client in self.clients)

    @property
    def latencies_s(self) -> list[float]:
        """Seconds from each request that was answered to its whole answer."""
        return [latency for client in self.clients for latency in client.latencies_s]

    def forget_latencies(self) -> None:
        """Begin anew to count answers and their latencies: what was before was warming up."""
        for client in self.clients:
            client.latencies_s.clear()

    def _ask(self, answers: Answers) -> None:
        connection = self._connect()
        requests = [connection.prepared(body) for body in self._bodies]
        number = 0
        while not self._ending.is_set():
            which = number % len(requests)
            number += 1
            began = time.perf_counter()
            try:
                status, body = connection.ask(requests[which])
            except ConnectionError:
                answers.broken += 1
                continue
            answers.latencies_s.append(time.perf_counter() - began)
            fault = self._check(which, body) if status == 200 else f"{status}: {body[:300]!r}"
            if fault:
                answers.faults.append(fault)
        connection.close()
