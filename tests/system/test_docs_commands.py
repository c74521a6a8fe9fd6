"""Every command of the documentation is one that there is, and does what its page says: a reader's shell, page by page.

The tutorial runs first; its node stays up for the pages that follow.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from node.cli import entry
from tests.bench import until
from tests.docs_pages import PAGES, ROOT, Fence, elsewhere, fences
from tests.orthanc import free_port
from tests.processes import PATIENCE_S

_BIN = Path(sys.executable).parent
_LONGEST = 600.0 if os.environ.get("MRICORE_SLOW_TESTS") else PATIENCE_S
_MINUTES = ("howto-fine-tuned-head.md",)  # what takes longer is asked for
_HERE = [
    pytest.param(page, id=page.stem, marks=pytest.mark.slow if page.name in _MINUTES else ())
    for page in PAGES
    if not elsewhere(page) and page.name != "tutorial.md" and any(fences(page))
]


@dataclass
class Reader:
    """Somebody with a shell in a folder, who does what a page says."""

    folder: Path
    dicom_port: int
    http_port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, page: Path) -> None:
        for fence in fences(page):
            if fence.mark == "file":
                (self.folder / fence.value).write_text(fence.text)
            elif fence.mark == "stays":
                self._stay(fence)
            elif fence.mark != "not run here":
                for command in fence.commands:
                    self._do(command, fence)

    def _do(self, command: str, fence: Fence) -> None:
        give_up = time.monotonic() + _LONGEST
        while True:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", self._here(command)],
                cwd=self.folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=_LONGEST,
                check=False,
            )
            if fence.mark != "until" or fence.value in done.stdout:
                break
            assert time.monotonic() < give_up, f"{command}: never said {fence.value}: {done.stdout}{done.stderr}"
            time.sleep(0.5)
        assert done.returncode == 0, f"{fence.page}: {command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr

    def _stay(self, fence: Fence) -> None:
        (command,) = fence.commands
        with (self.folder / "stays.log").open("wb") as log:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {self._here(command)}"],
                    cwd=self.folder,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )
            )
        give_up = time.monotonic() + _LONGEST
        ready = f"curl --silent --fail --output /dev/null http://127.0.0.1:{self.http_port}/readyz"
        while subprocess.run(ready.split(), check=False).returncode != 0:
            said = (self.folder / "stays.log").read_text()
            assert self.running[-1].poll() is None, said
            assert time.monotonic() < give_up, said
            time.sleep(0.2)

    def _here(self, command: str) -> str:
        """The ports of the page may be taken on this machine."""
        return command.replace(":11112", f":{self.dicom_port}").replace(":8080", f":{self.http_port}")

    @property
    def _environment(self) -> dict[str, str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("MRICORE_")}
        return plain | {
            "PATH": f"{_BIN}:{plain['PATH']}",
            "MRICORE_DICOM__PORT": str(self.dicom_port),
            "MRICORE_HTTP__PORT": str(self.http_port),
            "COLUMNS": "200",
        }


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """After the tutorial."""
    reader = Reader(tmp_path_factory.mktemp("reader"), free_port(), free_port())
    subprocess.run(  # `make demo` without installing
        [_BIN / "mricore-node", "demo", "--once"], cwd=reader.folder, check=True, capture_output=True, timeout=_LONGEST
    )
    try:
        reader.follow(ROOT / "docs" / "tutorial.md")
        yield reader
    finally:
        for one in reader.running:
            one.terminate()
        for one in reader.running:
            one.wait(PATIENCE_S)


def test_the_tutorial_leads_from_nothing_to_an_overlay(reader: Reader) -> None:
    look = ["curl", "--silent", "--location", f"http://127.0.0.1:{reader.http_port}/view/jobs/1"]

    def page() -> str:
        return subprocess.run(look, capture_output=True, text=True, check=True).stdout

    until(lambda: "<img" in page() and "overlay=" in page(), "an overlay", PATIENCE_S)
    assert list((reader.folder / "results").rglob("*.dcm"))


@pytest.mark.parametrize("page", _HERE)
def test_the_commands_of_a_page_do_what_it_says(page: Path, reader: Reader) -> None:
    reader.follow(page)


@pytest.mark.parametrize("page", [page for page in PAGES if elsewhere(page)], ids=lambda page: page.stem)
def test_a_page_that_names_another_test_is_read_by_it(page: Path) -> None:
    assert page.name in (ROOT / elsewhere(page)).read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_of_a_page_is_one_of_the_command_line(page: Path) -> None:
    for fence in fences(page):
        for command in fence.commands if fence.shell else ():
            words = shlex.split(command)
            while words and ("=" in words[0] or words[0] == "sudo"):
                del words[0]
            if words and words[0].endswith("mricore-node"):
                assert_known(words[1:], f"{page.name}: {command}")


def assert_known(words: list[str], where: str) -> None:
    """Each word that chooses a command and each option must be there."""
    command: click.Command = entry
    context = click.Context(command, info_name="mricore-node")
    options = {"--help", "-h"}
    for word in words:
        if word in ("|", ">", "&&", ";"):
            break
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(context, word)
            assert found, f"{where}: there is no {word}"
            command, context = found, click.Context(found, parent=context, info_name=word)
        elif word.startswith("-") and len(word) > 1:
            options |= {opt for one in command.params for opt in (*one.opts, *one.secondary_opts)}
            assert word.partition("=")[0] in options, f"{where}: there is no {word}"
