"""Settings: node.toml and the environment, read once into frozen values.

Every key has a default; deploy/node.example.toml explains each. `MRICORE_SECTION__KEY` in the environment wins over
the file. An unknown key, a wrong type or a missing file is a BadConfiguration that names the key.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from node.config.mistakes import check
from node.config.sections import DestinationSettings, SourceSettings
from node.config.settings import Settings
from node.errors import BadConfiguration

__all__ = ["DestinationSettings", "Settings", "SourceSettings", "load"]


def load(path: Path | None, environment: dict[str, str] | None = None) -> Settings:
    """Read the settings. Raises BadConfiguration naming the file and key.

    Without a path, node.toml in the working folder is read when there is one.
    """
    values: dict[str, Any] = {}
    where = "environment"
    file = path or (Path("node.toml") if Path("node.toml").is_file() else None)
    if file is not None:
        where = str(file)
        values = _read(file)
    told = _overlay(values, os.environ if environment is None else environment)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as wrong:
        raise _named(where, told, wrong) from wrong
    check(where, settings)
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as missing:
        raise BadConfiguration(str(file), "no such file", "Copy deploy/node.example.toml and edit it") from missing
    except OSError as unreadable:
        raise BadConfiguration(str(file), f"cannot be read ({unreadable.strerror})") from unreadable
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise BadConfiguration(str(file), f"not TOML: {broken}") from broken


def _overlay(values: dict[str, Any], environment: Any) -> dict[str, str]:
    """Put what the environment says over `values`. Which key which variable said."""
    told: dict[str, str] = {}
    for name, value in environment.items():
        section, separator, key = name.removeprefix("MRICORE_").partition("__")
        if name.startswith("MRICORE_") and separator:
            there = values.setdefault(section.lower(), {})
            if not isinstance(there, dict):
                raise BadConfiguration(
                    name, f"{section.lower()} is no section of single values", "Write it in the file"
                )
            there[key.lower()] = _listed(value)
            told[f"{section.lower()}.{key.lower()}"] = told[section.lower()] = name
    return told


def _listed(value: str) -> Any:
    """A list or table, written as JSON; anything else is text."""
    if value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _named(where: str, told: Mapping[str, str], wrong: ValidationError) -> BadConfiguration:
    first = wrong.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    where = told.get(".".join(str(part) for part in first["loc"][:2]), where)
    if first["type"] == "extra_forbidden":
        return BadConfiguration(f"{where}: {key}", "unknown key", "deploy/node.example.toml lists every key")
    said = first["msg"].removeprefix("Value error, ")
    return BadConfiguration(f"{where}: {key}", said[0].lower() + said[1:])
