"""The site that `make docs` builds from these pages (Sphinx, MyST, Furo). Everything it loads comes with it."""

from __future__ import annotations

from importlib.metadata import version as _installed

project = "mricore-node"
author = "the mricore-node developers"
version = release = _installed("mricore-node")

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "fieldlist"]
# What an example prints is not its command.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
# Word for word what a page shows, in languages that the highlighter need not know.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"mricore-node {release}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
nitpicky = True
