"""How the pages in this folder become a site: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "advkd"
release = metadata.version("advkd")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "sphinx_copybutton"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 2
highlight_language = "none"
html_theme = "furo"
html_title = f"advkd {release}"
html_copy_source = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"


def setup(app: Sphinx) -> None:
    """Writes the pages that are made from the registry and the cards, before any is read."""
    from generated import write

    app.connect("builder-inited", lambda of: write(Path(of.srcdir) / "reference"))
