"""Write docs/reference from the code: python docs/reference.py [FOLDER]

The keys come from deploy/node.example.toml, which a test holds to the settings; the commands from the command line
itself; the resources from the OpenAPI description. A test holds the pages to what this writes.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
from pydicom import uid as uids
from pydicom.uid import UID
from pynetdicom import AllStoragePresentationContexts

from node.app.node import Node
from node.cli import entry
from node.config import Settings
from node.core.procedure_step import SOP_CLASS_UID as PERFORMED_PROCEDURE_STEP
from node.core.storage_commitment import SOP_CLASS_UID as STORAGE_COMMITMENT
from node.scp.contexts import TRANSFER_SYNTAXES, VERIFICATION
from node.scp.query import FIND
from node.scp.retrieve import GET, MOVE

_ROOT = Path(__file__).resolve().parents[1]
LABEL_MAP, HEIGHT_MAP = "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.8"

_MADE = "<!-- Made by docs/reference.py. Do not edit. -->\n"
_CONFIGURATION_HEAD = """# Configuration: node.toml

`mricore-node serve --config node.toml`; without the option `node.toml` in the working folder, else the defaults. A
key that is not in these tables, a wrong type or a missing file stops the start with exit status 2 and the key's name.

Every key can also be set in the environment: `MRICORE_SECTION__KEY`, as in `MRICORE_DICOM__PORT=104`. Sizes may be
written `"5 GB"`. `deploy/node.example.toml` is a file to start from.
"""
_COMMANDS_HEAD = """# Commands

`mricore-node`, also `python -m node`. Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration. Errors
are one line: what, where, what to do; a traceback comes with `--debug` only.
"""
_API_HEAD = """# API

REST below `/api/v1`; the whole description, with every field, is at `/api/openapi.json` of a running node. What is
wrong is told as `application/problem+json` (RFC 9457): `detail` says what, and what to do about it. 404: no such
thing. 409: somebody else was quicker, or it cannot be done now. 422: the request is wrong. 503: try again later.
"""
_TABLE = re.compile(r"(?:# )?(\[\[?)([a-z_]+)\]\]?\s*(?:#\s*(.*))?$")
_KEY = re.compile(r"(?:# )?([a-z_]+) = (.+)$")
_MORE = re.compile(r"#? {8,}#\s*(.*)$")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name below docs/reference → text."""
    return {
        "configuration.md": _configuration(),
        "commands.md": _commands(),
        "api.md": _api(),
        "../conformance-statement.md": _conformance(),
    }


# --- node.toml


@dataclass
class _Section:
    name: str
    repeated: bool
    said: str
    keys: list[tuple[str, str, str]] = field(default_factory=list)  # key, value shown, meaning


def _sections(lines: list[str]) -> Iterator[_Section]:
    """The tables of the example, in their order; commented ones are those that a site may write more than once."""
    now: _Section | None = None
    said = ""
    for line in lines:
        if table := _TABLE.fullmatch(line):
            if now:
                yield now
            now = _Section(table[2], table[1] == "[[", " ".join(filter(None, (said, table[3] or ""))))
            said = ""
        elif now and (key := _KEY.fullmatch(line)):
            value, meaning = _value_and_comment(key[2])
            now.keys.append((key[1], value, meaning))
        elif now and now.keys and (more := _MORE.fullmatch(line)):
            name, value, meaning = now.keys[-1]
            now.keys[-1] = (name, value, f"{meaning} {more[1]}")
        elif line.startswith("# ") and len(line) > 3:
            said = f"{said} {line[2:]}".strip()
        elif not line.strip("# "):
            said = ""
    if now:
        yield now


def _value_and_comment(text: str) -> tuple[str, str]:
    """What stands before the first # that is in no string, and what stands behind it."""
    quoted = False
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        if letter == "#" and not quoted:
            return text[:at].strip(), text[at + 1 :].strip()
    return text.strip(), ""


def _configuration() -> str:
    lines = (_ROOT / "deploy" / "node.example.toml").read_text(encoding="utf-8").splitlines()
    out = [_MADE, _CONFIGURATION_HEAD]
    for one in _sections(lines):
        head = f"[[{one.name}]]" if one.repeated else f"[{one.name}]"
        kind = next((value.strip('"') for key, value, _ in one.keys if key == "kind"), "")
        out += [f"## {head}{f', kind {kind}' if kind else ''}", ""]
        if one.said:
            out += [_cell(_linked(one.said)) + ("" if one.said.endswith(".") else "."), ""]
        out += ["| key | default or example | |" if one.repeated else "| key | default | |", "|---|---|---|"]
        out += [f"| `{key}` | `{_cell(value)}` | {_cell(_linked(meaning))} |" for key, value, meaning in one.keys]
        out.append("")
    return "\n".join(out)


def _linked(text: str) -> str:
    """docs/x.md in a comment becomes a way to that page."""
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](../\1.md)", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


# --- the command line


def _commands() -> str:
    out = [_MADE, _COMMANDS_HEAD]
    out += _command(entry, click.Context(entry, info_name="mricore-node"), 1)
    return "\n".join(out)


def _command(command: click.Command, context: click.Context, depth: int) -> Iterator[str]:
    if depth > 1:
        yield f"{'#' * min(depth, 4)} {context.command_path.removeprefix('mricore-node ')}"
        yield ""
    yield "```text"
    yield " ".join((context.command_path, *command.collect_usage_pieces(context)))
    yield "```"
    yield ""
    yield from _help(command)
    yield from _parameters(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found and not found.hidden:
                below = click.Context(found, parent=context, info_name=name)
                yield from _command(found, below, depth + 1)


def _help(command: click.Command) -> Iterator[str]:
    """click's own marks: \\b keeps the lines of the paragraph that follows it."""
    text = (command.help or "").replace("\f", "\n")
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.lstrip().startswith("\b"):
            yield from ("```text", paragraph.split("\n", 1)[-1], "```", "")
        elif paragraph.strip():
            yield _plain(paragraph)
            yield ""


def _parameters(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = [
        record
        for one in command.get_params(context)
        if isinstance(one, click.Option) and "--help" not in one.opts and (record := one.get_help_record(context))
    ]
    if rows:
        yield "| option | |"
        yield "|---|---|"
        yield from (f"| `{_cell(opts)}` | {_plain(said)} |" for opts, said in rows)
        yield ""


def _plain(text: str) -> str:
    """Words that Markdown shall not read as its own."""
    return _cell(re.sub(r"([*_`\[])", r"\\\1", " ".join(text.split())))


# --- the conformance statement's tables


def _conformance() -> str:
    """The statement as it is, with its tables of presentation contexts made anew."""
    text = (_ROOT / "docs" / "conformance-statement.md").read_text(encoding="utf-8")
    for name, rows in (
        ("contexts", _accepted()),
        ("results", _results()),
        ("storage", _storage_classes()),
        ("syntaxes", [f"| {uid.name} | {uid} |" for uid in map(UID, TRANSFER_SYNTAXES)]),
    ):
        begin, end = f"<!-- made: {name} -->\n", "<!-- end -->"
        before, _, rest = text.partition(begin)
        text = before + begin + "\n".join([*_HEADS[name], *rows, "", ""]) + end + rest.partition(end)[2]
    return text


_RESULTS = (
    (uids.SegmentationStorage, '`seg = "binary"` (the default) or `"fractional"`'),
    (LABEL_MAP, '`seg = "labelmap"`'),
    (uids.Comprehensive3DSRStorage, '`sr = "planar"` (the default), `"segment"` or `"both"`'),
    (uids.MultiFrameTrueColorSecondaryCaptureImageStorage, "`overlay = true`"),
    (uids.GrayscaleSoftcopyPresentationStateStorage, "`gsps = true`"),
    (uids.EncapsulatedPDFStorage, "`pdf = true`"),
)
_HEADS = {
    "contexts": ["| SOP class | UID | transfer syntaxes | role of the node |", "|---|---|---|---|"],
    "results": ["| SOP class | UID | option of a destination |", "|---|---|---|"],
    "storage": ["| SOP class | UID |", "|---|---|"],
    "syntaxes": ["| transfer syntax | UID |", "|---|---|"],
}


def _accepted() -> list[str]:
    rows = [
        *((uid, "SCP") for uid in (*VERIFICATION.sop_class_uids, PERFORMED_PROCEDURE_STEP, *FIND, *MOVE, *GET)),
        (STORAGE_COMMITMENT, 'SCP where `[commitment] enabled`; SCU where a destination has `proof = "commitment"`'),
    ]
    named = [f"| {UID(uid).name} | {uid} | uncompressed | {role} |" for uid, role in rows]
    return [*named, "| Storage, annex 8.5 | | all | SCP; SCU to whoever takes the SCP role in a C-GET |"]


def _results() -> list[str]:
    return [f"| {_name(uid)} | {uid} | {option} |" for uid, option in _RESULTS]


def _name(uid: str) -> str:
    """pydicom's name of a SOP class; it does not know the newest yet."""
    newest = {LABEL_MAP: "Label Map Segmentation Storage", HEIGHT_MAP: "Height Map Segmentation Storage"}
    return newest.get(uid, UID(uid).name)


def _storage_classes() -> list[str]:
    classes = sorted(str(one.abstract_syntax) for one in AllStoragePresentationContexts)
    return [f"| {_name(uid)} | {uid} |" for uid in sorted(classes, key=lambda uid: [int(x) for x in uid.split(".")])]


# --- the API


def _api() -> str:
    described = openapi()
    out = [_MADE, _API_HEAD]
    by_tag: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, what in methods.items():
            tag = (what.get("tags") or ["more"])[0]
            row = f"| {method.upper()} | `{path.removeprefix('/v1')}` | {_cell(what.get('summary', ''))} |"
            by_tag.setdefault(tag, []).append(row)
    for tag, rows in by_tag.items():
        out += [f"## {tag.capitalize()}", "", "| | below /api/v1 | |", "|---|---|---|", *rows, ""]
    return "\n".join(out)


def openapi() -> dict[str, Any]:
    """What a node with default settings says of its API: one is started for a moment, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate(
            {
                "node": {"data_dir": folder},
                "dicom": {"host": "127.0.0.1", "port": 0},
                "http": {"port": 0},
                "storage": {"low_watermark": 0},
                "triton": {"url": "grpc://127.0.0.1:9"},
            }
        )
        node = Node(settings)
        node.start()
        try:
            address = f"http://127.0.0.1:{node.http_port}/api/openapi.json"
            described: dict[str, Any] = httpx.get(address, timeout=120, trust_env=False).json()
        finally:
            node.stop()
    return described


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "docs" / "reference")
