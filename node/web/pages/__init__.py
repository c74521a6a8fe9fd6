"""Pages below /admin/: what the API says, for people. They only read; what changes something is a call of the API.

pages.py       what every page is made with: templates, texts, who asks, where in the navigation
texts.py       every word that is shown, one TOML file a page
static.py      style sheet, scripts, vendored parts; addresses that name their content
live.py        server-sent events that carry a part of a page
security.py    the headers of every answer

One Python file and one folder of templates a page: docs/pages.md says how to add one.
"""

from node.web.pages.live import Live
from node.web.pages.pages import Crumb, Pages
from node.web.pages.routes import page_routes

__all__ = ["Crumb", "Live", "Pages", "page_routes"]
