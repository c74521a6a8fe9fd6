"""What the documentation asks its reader to type: fences of pages, with the marks that say how a test does it.

A mark is an HTML comment on the line before a fence:

    <!-- file: NAME -->           the fence is the content of a file
    <!-- stays -->                its command runs until the end of the page
    <!-- until: WORD -->          its command is given again until it prints WORD
    <!-- not run here: REASON --> a reader does it, a test machine cannot; REASON names what shows it instead

A page whose commands another test runs says so anywhere: <!-- commands run by: FILE -->.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"(?:<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ELSEWHERE = re.compile(r"<!-- commands run by: (\S+) -->")
_SHELL = ("console", "sh", "bash")


@dataclass(frozen=True)
class Fence:
    """A block of a page."""

    page: str
    mark: str
    value: str  # of the mark
    shell: bool
    text: str

    @property
    def commands(self) -> list[str]:
        """A line each, continuation lines joined; of a console only what stands behind its prompt, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [bare for line in lines if (bare := re.sub(r"(^|\s+)#\s.*$", "", line).strip())]


def fences(page: Path) -> Iterator[Fence]:
    """Those of a page that a reader types or writes, in their order."""
    for mark, language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        name, _, value = mark.partition(":")
        if language in _SHELL or name == "file":
            yield Fence(page.name, name.strip(), value.strip(), language in _SHELL, text)


def elsewhere(page: Path) -> str:
    """The test that runs the commands of the page; "" when it is the one for all."""
    found = _ELSEWHERE.search(page.read_text(encoding="utf-8"))
    return found[1] if found else ""
