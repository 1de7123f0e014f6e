"""How Sphinx renders the API reference: ``python -m sphinx -W docs docs/_build``.

Every page of classes is written anew from the package itself before each build, by ``pages``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages
import virtproto

project = "virtproto"
author = "the virtproto developers"
release = virtproto.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "240px"}
html_show_sourcelink = False
napoleon_use_ivar = True  # a record's fields are told of, and are no targets: several are "type"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"

pages.write(Path(__file__).resolve().parent / "reference")
