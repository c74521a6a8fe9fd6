"""A second machine on a wire that a test cuts: a network namespace. Skips where nobody may make one."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Wire:
    """Between this machine and the other."""

    name: str  # of the namespace
    here: str  # our address on it
    there: str

    @property
    def on_the_other(self) -> list[str]:
        """What to put before a command."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Packets are lost without a word, in both directions."""
        _ip("-n", self.name, "link", "set", "wire", "down")

    def heal(self) -> None:
        _ip("-n", self.name, "link", "set", "wire", "up")


@contextmanager
def wire() -> Iterator[Wire]:
    if shutil.which("ip") is None:
        pytest.skip("needs the Debian package iproute2")
    number = _number_of_its_own()
    name, here, there = f"mricore-{number}", f"10.213.{number}.1", f"10.213.{number}.2"
    near = f"mricore{number}"
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", "wire", "netns", name)
        _ip("addr", "add", f"{here}/24", "dev", near)
        _ip("-n", name, "addr", "add", f"{there}/24", "dev", "wire")
        for link in ("lo", "wire"):
            _ip("-n", name, "link", "set", link, "up")
        _ip("link", "set", near, "up")
        yield Wire(name, here, there)
    finally:
        _ip("netns", "del", name)


def _number_of_its_own() -> int:
    """Of a namespace that was made, for a wire that nobody laid: tests run side by side, and the kernel takes a moment
    to forget the last one."""
    for _ in range(20):
        laid = {link.name for link in Path("/sys/class/net").iterdir()}
        number = secrets.choice([number for number in range(1, 250) if f"mricore{number}" not in laid])
        try:
            _ip("netns", "add", f"mricore-{number}")
        except subprocess.CalledProcessError as refused:
            if b"File exists" not in refused.stderr:
                break
        else:
            return number
    pytest.skip("network namespaces are for root")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=60, capture_output=True)
