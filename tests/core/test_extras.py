"""Optional dependencies."""

from __future__ import annotations

import json

import pytest

from flask_secureauth.core.extras import MissingExtra, import_extra


def test_import_extra_returns_the_module() -> None:
    assert import_extra("json", what="A test", extra="none") is json


def test_missing_module_names_the_extra_to_install() -> None:
    with pytest.raises(
        MissingExtra, match=r"^A PEM key needs an extra: pip install 'flask-secureauth\[crypto\]'$"
    ) as e:
        import_extra("no_such_module_at_all", what="A PEM key", extra="crypto")

    assert e.value.extra == "crypto"
    assert isinstance(e.value, ImportError)
