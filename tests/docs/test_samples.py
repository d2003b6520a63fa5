"""The Python samples of the docs and of the README are executed, warnings as errors.

A page's blocks run in order in one namespace, in a temporary directory. A block with a caption is
also a file of that name; the page's ``test_*.py`` and ``conftest.py`` are run by pytest at the end.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask

import flask_secureauth
from tests.conftest import dispose

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("README.md")])
_BLOCK = re.compile(
    r"^(?P<fence>`{3,})(?P<info>python|\{code-block\} python)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
_CAPTION = re.compile(r"\A:caption: (?P<name>\S+)\n")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block. ``source`` has empty lines in front, so that a traceback shows the page's line."""

    page: Path
    source: str
    file: str | None

    @property
    def is_test(self) -> bool:
        return self.file is not None and self.file.rpartition("/")[2].startswith(("test_", "conftest."))


def blocks(page: Path) -> Iterator[Block]:
    """The Python blocks of a page, in order."""
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        body, file = match["body"], None
        if match["info"].startswith("{") and (caption := _CAPTION.match(body)):
            body, file = "\n" + body[caption.end() :], caption["name"]
        yield Block(page=page, source="\n" * (text[: match.start("body")].count("\n")) + body, file=file)


SAMPLES = {str(page.relative_to(ROOT)): found for page in PAGES if (found := list(blocks(page)))}


def test_pages_have_samples() -> None:
    assert len(SAMPLES) > 10


@pytest.mark.parametrize("page", SAMPLES)
def test_samples_of_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_KEY", secrets.token_urlsafe(32))
    module = ModuleType("sample")
    module.__file__ = str(tmp_path / "sample.py")
    monkeypatch.setitem(sys.modules, "sample", module)
    apps: dict[int, Flask] = {}
    try:
        for block in SAMPLES[page]:
            _write(block, tmp_path)
            if not block.is_test:
                exec(compile(block.source, block.page, "exec"), module.__dict__)
            apps.update((id(value), value) for value in vars(module).values() if isinstance(value, Flask))
    finally:
        for app in apps.values():
            dispose(app)
    if any(block.is_test for block in SAMPLES[page]):
        _run_pytest(tmp_path)


def _write(block: Block, folder: Path) -> None:
    if block.file is not None:
        file = folder / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.source.lstrip("\n"))


def _run_pytest(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", folder]
    environ = {**os.environ, "PYTHONPATH": str(Path(flask_secureauth.__file__).parents[1])}
    done = subprocess.run(
        [*command, folder], cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
