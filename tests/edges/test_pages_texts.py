"""Every text that pages show is in texts/, and nothing else is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from node.web.pages.texts import FOLDER, Texts

PAGES = FOLDER.parent
_USED = re.compile(r"""\b(?:t|texts)\(\s*["']([\w.]+)["']""")
_GROUPS = re.compile(r"""\b(?:t|texts)\.(?:member|counted|said|all_below)\(\s*["']([\w.]+)["']""")


def sources() -> Iterator[Path]:
    yield from PAGES.rglob("*.html")
    yield from PAGES.rglob("*.py")


def used() -> tuple[set[str], set[str]]:
    """Keys that are named, and groups of which a member is chosen by a word of the node's."""
    keys, groups = set(), set()
    for path in sources():
        text = path.read_text(encoding="utf-8")
        keys |= set(_USED.findall(text))
        groups |= set(_GROUPS.findall(text))
    return keys, groups


def test_every_text_that_is_used_was_written() -> None:
    keys, groups = used()
    written = Texts().keys()
    assert keys - written - {"trace.title"} == set()  # an example in a docstring
    assert {group for group in groups if not any(key.startswith(group.rstrip(".") + ".") for key in written)} == set()


def test_every_text_that_was_written_is_used() -> None:
    keys, groups = used()
    left = {
        key for key in Texts().keys() - keys if not any(key.startswith(group.rstrip(".") + ".") for group in groups)
    }
    assert left == set()


def test_templates_hold_no_words_of_their_own() -> None:
    """What is between tags comes from texts/: a translation finds all of it in one place."""
    for path in PAGES.rglob("*.html"):
        bare = re.sub(
            r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        assert re.findall(r"[A-Za-z]{3,}", bare) == [], path


def test_templates_hold_no_style_and_no_script_of_their_own() -> None:
    for path in PAGES.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        markup = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
        assert re.findall(r"\sstyle=|<style|\son\w+=|javascript:|<script(?![^>]*src=)", markup) == [], path
        assert re.findall(r"\|\s*safe\b|autoescape", text) == [], path
