"""Settings of Sphinx. Build with ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "flask_secureauth"
author = "the flask_secureauth authors"
copyright = "the flask_secureauth authors, MIT licence"  # noqa: A001
release = version = installed_version("flask-secureauth")

extensions = ["myst_parser", "sphinx.ext.autodoc", "secureauth_pages"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # Docstrings name private modules; the roles of our own must all resolve.

autodoc_preserve_defaults = True
autodoc_typehints = "none"
add_module_names = False

NAMES = dict.fromkeys(("color-api-name", "color-api-pre-name"), "var(--color-foreground-primary)")

html_theme = "furo"
html_title = f"flask_secureauth {release}"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": NAMES,
    "dark_css_variables": NAMES,
}
html_static_path = ["_static"]
html_css_files = ["phone.css"]
html_copy_source = False
html_show_sphinx = False
