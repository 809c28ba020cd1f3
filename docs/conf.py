"""Sphinx: MyST pages and docstrings, warnings are errors."""

from __future__ import annotations

from importlib.metadata import version as _installed

project = "QuetzalCore"
author = "The QuetzalCore authors"
copyright = "2026, The QuetzalCore authors"
release = _installed("quetzalcore")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "QuetzalCore"
html_show_sphinx = False

autodoc_typehints = "none"  # the numpydoc sections give types with shapes and units
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_use_rtype = False
