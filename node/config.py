"""Settings: node.toml and the environment, read once into frozen values.

Every key has a default; deploy/node.example.toml explains each. `MRICORE_SECTION__KEY` in the environment wins over
the file. An unknown key, a wrong type or a missing file is a BadConfiguration that names the key.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from node.errors import BadConfiguration

_STARTED = secrets.token_hex(8)  # this process among all that ever ran
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B?)\s*", re.IGNORECASE)


def _bytes(value: object) -> object:
    """ "5 GB" → 5000000000."""
    if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
        unit = found[2].upper()
        return int(float(found[1]) * _SIZES[unit if unit.endswith("B") or not unit else unit + "B"])
    return value


def _shipped(name: str) -> Path:
    """A folder of the repository: from the working folder, else from where this package lies."""
    here = Path(name)
    return here if here.is_dir() else Path(__file__).resolve().parent.parent / name


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[\x20-\x5b\x5d-\x7e]+$")]  # PS3.5 6.2, AE
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: the system chooses
Window = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]  # over midnight too
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]  # what Orthanc takes


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Node(_Section):
    ae_title: AETitle = "MRICORE"
    data_dir: Path = Path("var")
    stop_seconds: float = Field(20, ge=0)


class Dicom(_Section):
    host: str = "0.0.0.0"  # noqa: S104 # scanners are other machines
    port: Port = 11112
    tls_port: Port | None = None  # none: no TLS; by convention 2762
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None  # authorities of the senders' certificates; none: senders need no certificate
    accept: Literal["listed", "any"] = "listed"
    max_associations: int = Field(100, ge=1)
    max_pdu: int = Field(262144, ge=4096)
    stall_seconds: float = Field(60, gt=0)


class Http(_Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    max_request: Bytes = 64 * 10**9  # of one STOW-RS request


class DatabaseSettings(_Section):
    url: str = ""  # "": sqlite in data_dir


class Storage(_Section):
    url: str = ""  # "": data_dir/instances
    low_watermark: Bytes = 5 * 10**9


class Triton(_Section):
    url: str = "embedded"  # or grpc://host:port
    token: str = ""
    models: Path = Field(default_factory=lambda: _shipped("triton_models"))
    deadline_seconds: float = Field(300, gt=0)


class Rules(_Section):
    directory: Path = Field(default_factory=lambda: _shipped("dicom_rules"))


class Jobs(_Section):
    engine: Literal["rows", "dbos"] = "rows"  # who carries the work: the job rows themselves, or DBOS Transact
    process: str = Field("", max_length=64)  # "": a name of its own, the same after a restart on SQLite
    makers: int = Field(1, ge=0)  # jobs whose results are made at once
    deliverers: int = Field(3, ge=0)  # jobs whose results are delivered at once
    per_model: int = Field(0, ge=0)  # at once in all processes together; 0: no limit
    per_destination: int = Field(2, ge=0)
    models: dict[str, int] = Field(default_factory=dict)  # model → its own limit


class Completion(_Section):
    quiet_seconds: float = Field(30, gt=0)
    grid_seconds: float = Field(10, gt=0)
    settle_seconds: float = Field(2, gt=0)
    longest_seconds: float = Field(600, gt=0)


class QuerySettings(_Section):
    ae_title: AETitle
    host: str
    port: Port = 104
    timeout_seconds: float = Field(5, gt=0)


class ReportSettings(_Section):
    host: str
    port: Port = 104
    timeout_seconds: float = Field(30, gt=0)


class CommitmentSettings(_Section):
    enabled: bool = False  # whether Storage Commitment is offered: who has it may delete its own copy
    mode: Literal["kept"] = "kept"  # what is promised: the instance lies durably in this node's store


class SourceSettings(_Section):
    name: str = Field(min_length=1, max_length=64)
    kind: Literal["dicom", "orthanc", "folder"] = "dicom"
    quiet_seconds: float | None = Field(None, gt=0)
    # Of kind dicom, who may send.
    ae_title: AETitle | None = None
    hosts: tuple[str, ...] = ()
    certificate_name: str = ""  # common name that its TLS certificate must have
    commitment: ReportSettings | None = None  # where it hears reports of storage commitment
    query: QuerySettings | None = None  # where C-FIND tells how many instances a series has; none: nobody is asked
    # Of kind orthanc, whose changes are followed.
    url: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    modalities: tuple[str, ...] = ("MR",)  # empty: all
    # Of kind folder, what is watched.
    path: Path | None = None
    settle_seconds: float = Field(5, gt=0)
    received: Literal["move", "delete"] = "move"
    # Of both of them.
    poll_seconds: float = Field(5, gt=0)


class DestinationSettings(_Section):
    name: str = Field(min_length=1, max_length=64)
    kind: Literal["dicom", "stow", "orthanc", "folder"]
    timeout_seconds: float = Field(60, gt=0)
    windows: tuple[Window, ...] = ()  # times of day, local, at which it is not tried
    max_parallel: int = Field(0, ge=0)  # deliveries at once, in each process of the node; 0: as they come
    proof: Literal["answer", "query", "commitment"] = "answer"
    # Of kind dicom.
    ae_title: AETitle | None = None
    host: str = ""
    port: Port = 104
    tls: bool = False
    commitment_seconds: float = Field(3600, gt=0)  # how long a report may take
    # Of kind stow and orthanc.
    url: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    # Of kind stow.
    token: SecretStr = SecretStr("")
    # Of kind dicom and stow.
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    # Of kind orthanc.
    labels: tuple[Label, ...] = ()  # put on the study
    remove_test_object: bool = False  # after `destinations test`
    # Of kind folder.
    path: Path | None = None


class DestinationGroupSettings(_Section):
    name: str = Field(min_length=1, max_length=64)
    members: tuple[str, ...] = Field(min_length=1)
    mode: Literal["failover"] = "failover"  # the first member that takes a result


class Settings(_Section):
    node: Node = Node()
    dicom: Dicom = Dicom()
    http: Http = Http()
    database: DatabaseSettings = DatabaseSettings()
    storage: Storage = Storage()
    triton: Triton = Field(default_factory=Triton)
    rules: Rules = Field(default_factory=Rules)
    jobs: Jobs = Field(default_factory=Jobs)
    completion: Completion = Completion()
    commitment: CommitmentSettings = CommitmentSettings()
    source: tuple[SourceSettings, ...] = ()
    destination: tuple[DestinationSettings, ...] = ()
    destination_group: tuple[DestinationGroupSettings, ...] = ()

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.node.data_dir / 'node.db'}"

    @property
    def process_id(self) -> str:
        """A process that restarts on SQLite is the one that ended; on PostgreSQL others may live beside it."""
        if self.jobs.process or self.database_url.startswith("sqlite"):
            return self.jobs.process or "node"
        return f"{socket.gethostname()[:32]}-{_STARTED}"

    @property
    def destination_names(self) -> list[str]:
        """What rules may name."""
        return [*(one.name for one in self.destination), *(group.name for group in self.destination_group)]

    @property
    def engine_url(self) -> str:
        """Where DBOS keeps its own tables: a file beside the database, or a schema in it."""
        sqlite = self.database_url.startswith("sqlite")
        return f"sqlite:///{self.node.data_dir / 'engine.db'}" if sqlite else self.database_url

    @property
    def instances(self) -> Path:
        return Path(self.storage.url.removeprefix("file:")) if self.storage.url else self.node.data_dir / "instances"


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
    _overlay(values, os.environ if environment is None else environment)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as wrong:
        raise _named(where, wrong) from wrong
    _check_destinations(where, settings)
    _check_sources(where, settings)
    _check_tls(where, settings)
    _check_commitment(where, settings)
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise BadConfiguration(str(file), "no such file", "Copy deploy/node.example.toml and edit it") from missing
    except OSError as unreadable:
        raise BadConfiguration(str(file), f"cannot be read ({unreadable.strerror})") from unreadable
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise BadConfiguration(str(file), f"not TOML: {broken}") from broken


def _overlay(values: dict[str, Any], environment: Any) -> None:
    for name, value in environment.items():
        section, separator, key = name.removeprefix("MRICORE_").partition("__")
        if name.startswith("MRICORE_") and separator:
            there = values.setdefault(section.lower(), {})
            if not isinstance(there, dict):
                raise BadConfiguration(
                    name, f"{section.lower()} is no section of single values", "Write it in the file"
                )
            there[key.lower()] = value


def _named(where: str, wrong: ValidationError) -> BadConfiguration:
    first = wrong.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return BadConfiguration(f"{where}: {key}", "unknown key", "deploy/node.example.toml lists every key")
    return BadConfiguration(f"{where}: {key}", first["msg"][0].lower() + first["msg"][1:])


_OF_ALL_DESTINATIONS = frozenset({"name", "kind", "timeout_seconds", "windows", "max_parallel", "proof"})
_OF_A_DESTINATION = {
    "dicom": frozenset(
        {"ae_title", "host", "port", "tls", "tls_ca", "tls_certificate", "tls_key", "commitment_seconds"}
    ),
    "stow": frozenset({"url", "user", "password", "token", "tls_ca", "tls_certificate", "tls_key"}),
    "orthanc": frozenset({"url", "user", "password", "labels", "remove_test_object"}),
    "folder": frozenset({"path"}),
}
_PROOFS = {
    "dicom": ("answer", "query", "commitment"),
    "stow": ("answer", "query"),
    "orthanc": ("answer", "query"),
    "folder": ("answer",),
}


def _check_destinations(where: str, settings: Settings) -> None:
    seen: set[str] = set()
    for one in settings.destination:
        at = f"{where}: destination {one.name}"
        if one.name in seen:
            raise BadConfiguration(at, "two destinations have this name")
        seen.add(one.name)
        _check_destination(at, one)
    for group in settings.destination_group:
        at = f"{where}: destination_group {group.name}"
        if group.name in seen:
            raise BadConfiguration(at, "two destinations have this name")
        for member in group.members:
            if member not in {one.name for one in settings.destination}:
                raise BadConfiguration(f"{at}.members", f"there is no destination {member}")
    listed = {one.ae_title for one in settings.source}
    for one in settings.destination:
        if one.proof == "commitment" and one.ae_title not in listed and settings.dicom.accept == "listed":
            cure = f'Add a [[source]] with ae_title = "{one.ae_title}"'
            raise BadConfiguration(f"{where}: destination {one.name}.proof", "its reports would be rejected", cure)
    names = [group.name for group in settings.destination_group]
    if len(set(names)) < len(names):
        raise BadConfiguration(f"{where}: destination_group", "two groups have one name")


def _check_destination(at: str, one: DestinationSettings) -> None:
    if one.kind == "dicom" and not (one.ae_title and one.host):
        raise BadConfiguration(at, "a dicom destination needs ae_title and host")
    if one.kind == "folder" and one.path is None:
        raise BadConfiguration(at, "a folder destination needs path")
    if one.kind in ("stow", "orthanc") and not one.url:
        raise BadConfiguration(at, f"a destination of kind {one.kind} needs url")
    _check_url(at, one.url)
    if foreign := sorted(one.model_fields_set - _OF_ALL_DESTINATIONS - _OF_A_DESTINATION[one.kind]):
        raise BadConfiguration(f"{at}.{foreign[0]}", f"a destination of kind {one.kind} has no such key")
    if one.proof not in _PROOFS[one.kind]:
        known = ", ".join(_PROOFS[one.kind])
        raise BadConfiguration(f"{at}.proof", f"a destination of kind {one.kind} knows {known}")
    if one.user and one.token.get_secret_value():
        raise BadConfiguration(f"{at}.token", "user and token are two ways in", "Write one of them")


_OF_A_KIND = {
    "dicom": frozenset({"ae_title", "hosts", "certificate_name", "commitment", "query"}),
    "orthanc": frozenset({"url", "user", "password", "modalities", "poll_seconds"}),
    "folder": frozenset({"path", "settle_seconds", "received", "poll_seconds"}),
}
_DEMANDED = {"dicom": "ae_title", "orthanc": "url", "folder": "path"}


def _check_sources(where: str, settings: Settings) -> None:
    seen: set[str] = set()
    for one in settings.source:
        at = f"{where}: source {one.name}"
        demanded = _DEMANDED[one.kind]
        if not getattr(one, demanded):
            raise BadConfiguration(at, f"a source of kind {one.kind} needs {demanded}")
        mine = _OF_A_KIND[one.kind] | {"name", "kind", "quiet_seconds"}
        if foreign := sorted(one.model_fields_set - mine):
            raise BadConfiguration(f"{at}.{foreign[0]}", f"a source of kind {one.kind} has no such key")
        if one.kind != "dicom":
            if one.name in seen:
                raise BadConfiguration(at, "two feeds have this name")
            seen.add(one.name)
        _check_url(at, one.url)


def _check_url(at: str, url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        raise BadConfiguration(f"{at}.url", "is not a URL") from wrong
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise BadConfiguration(f"{at}.url", "is not a URL like http://orthanc:8042")
    if parts.username or parts.password:
        raise BadConfiguration(f"{at}.url", "names a user", "Write user and password as keys of their own")


def _check_tls(where: str, settings: Settings) -> None:
    dicom = settings.dicom
    if dicom.tls_port is not None and not (dicom.tls_certificate and dicom.tls_key):
        raise BadConfiguration(f"{where}: dicom.tls_port", "TLS needs dicom.tls_certificate and dicom.tls_key")
    bound = [one.name for one in settings.source if one.certificate_name]
    if bound and not dicom.tls_ca:
        cure = "Set dicom.tls_ca: without it no sender shows a certificate"
        raise BadConfiguration(f"{where}: source {bound[0]}.certificate_name", "nobody checks certificates", cure)


def _check_commitment(where: str, settings: Settings) -> None:
    if settings.commitment.enabled and not any(one.commitment for one in settings.source):
        cure = "Set source.commitment = {host, port} for each that asks for storage commitment"
        raise BadConfiguration(f"{where}: commitment.enabled", "no source says where it hears reports", cure)
