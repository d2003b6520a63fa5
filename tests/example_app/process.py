"""``python -m example_app`` as a process, in a working copy of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Timer
from types import TracebackType

import example_app

CONFIGURATION = (
    *("SECRET_KEY", "JWT_SECRET_KEY", "DEBUG", "DATABASE_URL", "HOST", "PORT"),
    *("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"),
    *("MAIL_SERVER", "PUBLIC_URL", "EMAIL_VERIFICATION", "TRUSTED_PROXIES"),
)
_TIME_LIMIT = 60


def working_copy(folder: Path) -> Path:
    """Copy the example app, so that its instance folder is not the repository's, and return the folder to run it in."""
    source = Path(example_app.__file__).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def clean_environment(**values: str) -> dict[str, str]:
    """This process's environment without any configuration of the app but ``values``."""
    inherited = {name: value for name, value in os.environ.items() if name not in CONFIGURATION}
    return {**inherited, "PYTHONUNBUFFERED": "1", **values}


class Served:
    """The app's process and its ``address``. ``with`` ends it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "example_app"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""
        self._limit = Timer(_TIME_LIMIT, self._kill)
        self._limit.start()
        try:
            self.address = self._read_address()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=_TIME_LIMIT)

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limit.cancel()
        self._kill()
        with self.process:
            assert self.process.stdout
            self.printed += self.process.stdout.read()

    def _read_address(self) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed += line
            match = re.search(r"(?:is|Running) on (http://[\d.:]+)", line)
            if match:
                return match[1]
        raise AssertionError(f"the app ended with {self.process.wait()}: {self.printed}")

    def _kill(self) -> None:
        # The development server has a child.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
