"""The thread that delivers mails: one in each process, begun by its first request or mail.

A process that forks leaves its thread behind, and so does one that dies: rows are all that counts, and any
other process delivers them.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread
from typing import Any

from blinker import NamedSignal
from flask import Flask, request_started

logger = logging.getLogger("flask_secureauth")

LONGEST_PAUSE = 30.0
"""Seconds after which it looks for mails that other processes have left."""
_GOODBYE = 5.0
"""Seconds that a process which ends waits for the mail that is being sent."""

_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


class Worker:
    """Calls ``deliver`` whenever there may be something to deliver."""

    def __init__(
        self, app: Flask, deliver: Callable[[], Iterator[str]], seconds_to_next: Callable[[], float | None]
    ) -> None:
        self._app, self._deliver, self._seconds_to_next = app, deliver, seconds_to_next
        self.reset()
        _workers.add(self)

    def reset(self) -> None:
        """Forget the thread, which a fork has left in the other process."""
        self._lock, self._woken, self._stopped = Lock(), Event(), Event()
        self.thread: Thread | None = None

    def follow(self, queued: NamedSignal) -> None:
        """Wake up with each mail, and begin with the first request, since mails of an earlier process may wait."""
        queued.connect(self._wake, sender=self._app)
        request_started.connect(self._begin, sender=self._app)

    def wake(self) -> None:
        """Have what is due delivered soon."""
        with self._lock:
            if not self._stopped.is_set() and (self.thread is None or not self.thread.is_alive()):
                self.thread = Thread(target=self._run, name="secureauth-mail", daemon=True)
                self.thread.start()
        self._woken.set()

    def stop(self, timeout: float | None = None) -> None:
        """Finish the mail that is being sent, and no other."""
        self._stopped.set()
        self._woken.set()
        if self.thread is not None:
            self.thread.join(timeout)

    def _wake(self, sender: Any, **facts: Any) -> None:
        self.wake()

    def _begin(self, sender: Any, **facts: Any) -> None:
        request_started.disconnect(self._begin, sender=self._app)
        self.wake()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            self._woken.wait(self._round())

    def _round(self) -> float:
        """Deliver what is due; return the seconds to the next look."""
        try:
            for _ in self._deliver():
                if self._stopped.is_set():
                    return 0
            with self._app.app_context():
                seconds = self._seconds_to_next()
        except Exception:
            logger.exception("The delivery of mails failed; it goes on in %d seconds.", LONGEST_PAUSE)
            return LONGEST_PAUSE
        return LONGEST_PAUSE if seconds is None else min(max(seconds, 0.0), LONGEST_PAUSE)


def _forked() -> None:
    for worker in list(_workers):
        worker.reset()


def _exit() -> None:
    for worker in list(_workers):
        worker.stop(_GOODBYE)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)
atexit.register(_exit)
