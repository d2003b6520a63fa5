"""What the pages say about names agrees with the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flask_secureauth import BUILTIN
from flask_secureauth.settings import BASE_GROUPS, entries

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
EXAMPLES = {"SECUREAUTH_TERMS_VERSION", "SECUREAUTH_URL_PREFX"}
"""The setting of the worked example in own_feature.md, and the misspelt one in configuration.md."""


@pytest.mark.parametrize("feature", [feature.name for feature in BUILTIN])
def test_feature_has_page(feature: str) -> None:
    assert (DOCS / "features" / f"{feature}.md").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_settings_named_on_page_exist(page: Path) -> None:
    groups = {**BASE_GROUPS, **{feature.name: feature.settings for feature in BUILTIN if feature.settings}}
    known = {entry.name for entry in entries(groups)} | EXAMPLES

    assert set(re.findall(r"SECUREAUTH_[A-Z_]*[A-Z]", page.read_text())) <= known
