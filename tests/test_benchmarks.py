"""The benchmarks start, and what is stored of a run is what the pages show. Nothing is timed here."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("flask_security", reason="the extra benchmark is not installed")
pytest.importorskip("flask_jwt_extended", reason="the extra benchmark is not installed")

from benchmarks import plot
from benchmarks.__main__ import run
from benchmarks.effort import QUICK
from benchmarks.report import Goal, Report, Row

ROOT = Path(__file__).parents[1]
STORED = ROOT / "benchmarks" / "results.json"


@pytest.fixture(scope="module")
def stored() -> Report:
    """The report of the last full run."""
    return Report.load(STORED.read_text())


def test_smallest_section_runs_on_every_contender() -> None:
    (part,) = run(["statements"], QUICK, ["sqlite"]).parts
    counted = {row.case: row.value for row in part.sections["statements"].rows}

    assert part.database.startswith("SQLite 3")
    assert counted["staleness None"] == 0
    assert counted["staleness 0, with current_user"] == 1
    assert counted["Flask-JWT-Extended, user look-up and block list"] == 2
    assert counted["Flask-Login, session cookie and user look-up"] == 1
    assert counted["Flask-Security, token and user look-up"] == 1
    assert counted["refresh"] == 2


def test_report_survives_its_file(stored: Report) -> None:
    assert Report.load(stored.dump()) == stored
    assert Report.load(stored.dump()).render() == stored.render()


@pytest.mark.parametrize(("value", "verdict"), [(0.94, "NO"), (0.95, "yes"), (1.05, "yes"), (1.06, "NO")])
def test_goal_is_met_at_its_ends(value: float, verdict: str) -> None:
    row = Row(case="sign-in", figure="", value=value, goal=Goal(low=0.95, high=1.05))

    assert row.verdict == verdict


def test_picture_is_the_same_each_time(stored: Report) -> None:
    assert plot.draw(stored) == plot.draw(stored)


def test_committed_picture_shows_stored_figures(stored: Report) -> None:
    committed = _texts((ROOT / "docs" / "_static" / "benchmarks.svg").read_text())

    assert committed == _texts(plot.draw(stored))


def test_page_of_results_shows_stored_figures(stored: Report) -> None:
    assert (ROOT / "benchmarks" / "results.md").read_text() == stored.render() + "\n"


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
