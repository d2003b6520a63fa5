"""A port that leads to a database server, and can be shut: the server went away and comes back."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread


def free_port() -> int:
    """A port of the loopback address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Forwarder:
    """Forwards ``port`` to ``target`` between ``open`` and ``shut``."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = free_port()
        self._target = target
        self._listener: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []

    def open(self) -> None:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept, self._listener)

    def shut(self) -> None:
        """End every connection and refuse new ones."""
        for one in (self._listener, *self._sockets):
            if one:
                _end(one)
        for thread in self._threads:
            thread.join(timeout=10)
        for one in (self._listener, *self._sockets):
            if one:
                one.close()
        self._listener, self._sockets, self._threads = None, [], []

    def _start(self, target: object, *arguments: socket.socket) -> None:
        thread = Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            self._start(_copy, near, far)
            self._start(_copy, far, near)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    _end(sink)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
