"""The bill of materials of a release, CycloneDX: what is installed with the node, not what tests it. `make sbom`.

`python -m tests.sbom FILE` asks cyclonedx-bom for the environment and keeps what the node's metadata asks for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tests.processes import REPOSITORY
from tests.wheels import NODE, SERVER, needed

_EXTRAS = ("postgresql", "s3")
_LONGEST_S = 300.0


def release() -> set[str]:
    """Names of the distributions that an installed node has."""
    there = {canonicalize_name(one.metadata["Name"]) for one in metadata.distributions()}
    return {*needed(*_EXTRAS), SERVER} & there


def licences(name: str) -> str:
    """What a distribution says of itself, in whatever form; "" when it says nothing."""
    found = metadata.metadata(name)
    said = [one.partition("\n")[0] for key in ("License-Expression", "License") for one in found.get_all(key) or ()]
    said += [one for one in found.get_all("Classifier") or () if one.startswith("License")]
    return "; ".join(one for one in said if one)


def bill() -> dict[str, Any]:
    """CycloneDX 1.6, the same for the same versions."""
    program = Path(sys.executable).parent / "cyclonedx-py"
    command = [program, "environment", sys.executable, "--pyproject", REPOSITORY / "pyproject.toml"]
    more = ["--output-reproducible", "--output-format", "JSON", "--output-file", "-"]
    done = subprocess.run([*map(str, command), *more], capture_output=True, text=True, timeout=_LONGEST_S, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    wanted = release()
    kept = [one for one in found["components"] if canonicalize_name(one["name"]) in wanted]
    for one in kept:  # a wheel of older form says it where cyclonedx-bom does not look
        one.setdefault("licenses", [{"license": {"name": licences(one["name"])}}])
    references = {one["bom-ref"] for one in kept} | {found["metadata"]["component"]["bom-ref"]}
    found["components"] = kept
    found["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", ()) if ref in references]}
        for one in found["dependencies"]
        if one["ref"] in references
    ]
    assert found["metadata"]["component"]["name"] == NODE
    return found


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    made = bill()
    target.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(f"{target}: {len(made['components'])} components")  # noqa: T201
