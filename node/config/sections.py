"""The sections of node.toml: every key, its type and its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from node.core.forms import SegChoice, SrChoice

_LONGEST_SECRET = 1 << 16  # bytes of a file that holds one
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B?)\s*", re.IGNORECASE)


def _bytes(value: object) -> object:
    """ "5 GB" → 5000000000."""
    if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
        unit = found[2].upper()
        return int(float(found[1]) * _SIZES[unit if unit.endswith("B") or not unit else unit + "B"])
    return value


def shipped(name: str) -> Path:
    """A folder that comes with the node: in the working folder, else inside the package or in the checkout."""
    here = Path(name)
    return here if here.is_dir() else own(name)


def own(name: str) -> Path:
    """What comes with this release, under its path in the checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "shipped" / name
    return inside if inside.exists() else package.parent / name


def _secret(key: str, said_twice: bool, file: str) -> str:
    """What a file holds, without the line's end. Raises ValueError, never with what it holds."""
    if said_twice:
        raise ValueError(f"{key} and {key.removesuffix('_file')} are both set: write one of them")
    try:
        with Path(file).open("rb") as opened:
            found = opened.read(_LONGEST_SECRET + 1)
    except OSError as unreadable:
        raise ValueError(f"{key}: {file} cannot be read ({unreadable.strerror})") from unreadable
    if len(found) > _LONGEST_SECRET:
        raise ValueError(f"{key}: {file} is too long for a secret")
    try:
        return found.decode().strip("\r\n")
    except UnicodeDecodeError as broken:
        raise ValueError(f"{key}: {file} is not text") from broken


def _plain(folder: Path) -> Path:
    """In the address of a database ? begins its options and %20 is a space: it would lie elsewhere."""
    if re.search(r"\?|%[0-9a-fA-F]{2}", str(folder)):
        raise ValueError("may hold neither a question mark nor % with two digits behind it")
    return folder


MONTHS_S = 10_000_000  # longer than that nobody waits, and some clocks and sockets cannot
Seconds = Annotated[float, Field(gt=0, le=MONTHS_S)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
AE_TITLE = r"^ *[\x21-\x5b\x5d-\x7e][\x20-\x5b\x5d-\x7e]*$"  # PS3.5 6.2; not of spaces alone
AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=AE_TITLE)]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: the system chooses
Window = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]  # over midnight too
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]  # what Orthanc takes


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _secrets_in_files(cls, values: object) -> object:
        """A secret may lie in a file of its own, as containers and systemd hand it over: `password_file` names it."""
        if not isinstance(values, dict):
            return values
        secret = {f"{name}_file": name for name, one in cls.model_fields.items() if one.annotation is SecretStr}
        named = [key for key in values if key in secret and key not in cls.model_fields]
        return {key: values[key] for key in values if key not in named} | {
            secret[key]: _secret(key, secret[key] in values, str(values[key])) for key in named
        }

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: object, about: ValidationInfo) -> object:
        """To pydantic, true is 1."""
        if isinstance(value, bool) and cls.model_fields[str(about.field_name)].annotation in (int, float):
            raise ValueError("is a number, neither true nor false")
        return value


class Node(Section):
    ae_title: AETitle = "MRICORE"
    data_dir: Annotated[Path, AfterValidator(_plain)] = Path("var")
    stop_seconds: float = Field(20, ge=0, le=MONTHS_S)


class Dicom(Section):
    host: str = "0.0.0.0"  # noqa: S104 # scanners are other machines
    port: Port = 11112
    tls_port: Port | None = None  # none: no TLS; by convention 2762
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None  # authorities of the senders' certificates; none: senders need no certificate
    accept: Literal["listed", "any"] = "listed"
    max_associations: int = Field(100, ge=1)
    max_pdu: int = Field(262144, ge=4096, le=0xFFFFFFFF)
    stall_seconds: Seconds = 60


class DatabaseSettings(Section):
    url: str = Field("", repr=False)  # "": sqlite in data_dir
    password: SecretStr = SecretStr("")  # of the user that url names


class Storage(Section):
    url: str = ""  # "": data_dir/instances
    endpoint: str = ""  # of s3://, for a server that is not Amazon's
    copies: Bytes = 20 * 10**9  # of s3://, local ones below data_dir
    low_watermark: Bytes = 5 * 10**9
    keep_days: float = Field(14, ge=0, le=36500)  # after all was delivered; 0: as long as there is room


class Triton(Section):
    url: str = "embedded"  # or grpc://host:port
    token: SecretStr = SecretStr("")
    models: Path = Field(default_factory=lambda: shipped("triton_models"))
    deadline_seconds: Seconds = 300


class Rules(Section):
    directory: Path = Field(default_factory=lambda: shipped("dicom_rules"))
    keep_headers_days: int = Field(30, ge=0, le=3650)  # of series, without pixels, to try rules on; 0: none
    approval: bool = False  # whether a second person has to approve a rule set


class Jobs(Section):
    engine: Literal["rows", "dbos"] = "rows"  # who carries the work: the job rows themselves, or DBOS Transact
    process: str = Field("", max_length=64)  # "": a name of its own, the same after a restart on SQLite
    makers: int = Field(1, ge=0)  # jobs whose results are made at once
    deliverers: int = Field(3, ge=0)  # jobs whose results are delivered at once
    per_model: int = Field(0, ge=0)  # at once in all processes together; 0: no limit
    per_destination: int = Field(2, ge=0)
    models: dict[str, int] = Field(default_factory=dict)  # model → its own limit


class Completion(Section):
    quiet_seconds: Seconds = 30
    grid_seconds: Seconds = 10
    settle_seconds: Seconds = 2
    longest_seconds: Seconds = 600


class QuerySettings(Section):
    ae_title: AETitle
    host: str
    port: Port = 104
    timeout_seconds: Seconds = 5


class ReportSettings(Section):
    host: str
    port: Port = 104
    timeout_seconds: Seconds = 30


class CommitmentSettings(Section):
    enabled: bool = False  # whether Storage Commitment is offered: who has it may delete its own copy
    mode: Literal["kept"] = "kept"  # what is promised: the instance lies durably in this node's store


class Places(Section):
    folders: tuple[Path, ...] = ()  # below which destinations and sources of kind folder may be added by page or API


class SourceSettings(Section):
    name: str = Field(min_length=1, max_length=64)
    kind: Literal["dicom", "orthanc", "folder"] = "dicom"
    quiet_seconds: Seconds | None = None
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
    settle_seconds: Seconds = 5
    received: Literal["move", "delete"] = "move"
    # Of both of them.
    poll_seconds: Seconds = 5


class DestinationSettings(Section):
    name: str = Field(min_length=1, max_length=64)
    kind: Literal["dicom", "stow", "orthanc", "folder"]
    timeout_seconds: Seconds = 60
    windows: tuple[Window, ...] = ()  # times of day, local, at which it is not tried
    max_parallel: int = Field(0, ge=0)  # deliveries at once, in each process of the node; 0: as they come
    proof: Literal["answer", "query", "commitment"] = "answer"
    # What it gets.
    seg: SegChoice = SegChoice.BINARY
    sr: SrChoice = SrChoice.PLANAR
    overlay: bool = False  # a colour Secondary Capture
    gsps: bool = False  # outlines as a presentation state
    pdf: bool = False  # a page for people
    # Of kind dicom.
    ae_title: AETitle | None = None
    host: str = ""
    port: Port = 104
    tls: bool = False
    commitment_seconds: Seconds = 3600  # how long a report may take
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


class DestinationGroupSettings(Section):
    name: str = Field(min_length=1, max_length=64)
    members: tuple[str, ...] = Field(min_length=1)
    mode: Literal["failover"] = "failover"  # the first member that takes a result
