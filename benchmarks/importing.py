"""How long ``flask secureauth import-users`` takes, and its peak of resident memory.

``python -m benchmarks.importing URL USERS``: a database without users, and a number of them; URL as
SQLAlchemy writes it. Run it for two numbers, and the memory of the first says what the rest of the process takes.
"""

from __future__ import annotations

import csv
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flask import Flask

from .identity import address

_URL = "SECUREAUTH_IMPORT_URL"


def create_app() -> Flask:
    """The app whose users are imported."""
    from flask_secureauth import SecureAuth

    app = Flask("benchmark_importing")
    app.config.update(SECRET_KEY=secrets.token_urlsafe(32), SQLALCHEMY_DATABASE_URI=os.environ[_URL])
    # The 32 MiB of one scrypt hash at the start would hide what the import takes.
    app.config["SECUREAUTH_PASSWORD_HASH_METHOD"] = "pbkdf2:sha256:600000"
    SecureAuth(app)
    return app


def write(path: Path, users: int) -> None:
    """Write a file of users with one cheap hash: nothing is hashed at an import."""
    stored = f"pbkdf2_sha256$1000$salt${'A' * 43}="
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("email", "password_hash", "created_at"))
        writer.writerows((address(number), stored, "2020-01-02T03:04:05Z") for number in range(users))


def run(path: Path, url: str, *options: str) -> str:
    """Import ``path`` in a process of its own; return what it printed, the seconds and the peak."""
    command = [sys.executable, "-m", "flask", "--app", "benchmarks.importing:create_app"]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "secureauth", "import-users", str(path), *options],
        env={**os.environ, _URL: url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    printed = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    return f"{' '.join((*options, printed))} {seconds:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB"


def main() -> None:
    """Rehearse, import, and import again."""
    url, users = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "users.csv"
        write(path, users)
        for options in (("--dry-run",), (), ()):
            print(run(path, url, *options))


if __name__ == "__main__":
    main()
