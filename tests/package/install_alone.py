"""Install the built wheel in an empty environment and use it as the README says: ``install_alone.py FOLDER``."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

TEN_LINES = """
import os
from flask import Flask
from flask_secureauth import SecureAuth, current_user, jwt_required

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
SecureAuth(app)

@app.get("/reports")
@jwt_required
def reports():
    return {"for": current_user.email}
"""
EXTRAS = ("cryptography", "argon2", "pymysql", "bcrypt", "flask_migrate", "waitress")
ACCOUNT = {"email": "kim@example.com", "password": "kraken-vulcan-42"}


def main(folder: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    foreign = [name for name in names if not name.startswith(("flask_secureauth/", "flask_secureauth-"))]
    assert not foreign, f"the wheel holds {foreign}"
    assert "flask_secureauth/py.typed" in names
    with tempfile.TemporaryDirectory() as scratch:
        python = install(wheel, Path(scratch))
        check_imports(python)
        use(python, Path(scratch))
    print("The wheel works alone.")


def install(wheel: Path, scratch: Path) -> Path:
    """Return the Python of a new environment that holds the wheel and what it requires."""
    venv.create(scratch / "venv", with_pip=True)
    python = scratch / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel], check=True)
    return python


def check_imports(python: Path) -> None:
    script = f"import flask_secureauth, importlib.util as u; print([n for n in {EXTRAS!r} if u.find_spec(n)])"
    found = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
    assert found == "[]", f"the core install brings {found}"


def use(python: Path, scratch: Path) -> None:
    (scratch / "app.py").write_text(TEN_LINES)
    port = free_port()
    command = [python, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    server = subprocess.Popen(command, cwd=scratch, env={"SECRET_KEY": secrets.token_hex(32), "PATH": ""})
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address)
        assert call(f"{address}/users", ACCOUNT) == (201, {"message": "User created"})
        status, tokens = call(f"{address}/auth/login", ACCOUNT)
        assert status == 200
        status, profile = call(f"{address}/users/me", token=tokens["access_token"])
        assert (status, profile["email"]) == (200, ACCOUNT["email"])
        assert call(f"{address}/reports", token=tokens["access_token"]) == (200, {"for": ACCOUNT["email"]})
        assert call(f"{address}/reports")[0] == 401
    finally:
        server.terminate()
        server.wait(10)


def call(url: str, body: dict[str, str] | None = None, token: str = "") -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            call(f"{address}/health")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)  # Another process is starting; nothing tells us when it listens.
        else:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
