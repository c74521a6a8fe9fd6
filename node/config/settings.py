"""All of node.toml as one frozen value."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from pydantic import Field
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from node.config.access import Audit, Auth, Http
from node.config.notices import Notices, Notify, Telemetry
from node.config.sections import (
    CommitmentSettings,
    Completion,
    DatabaseSettings,
    DestinationGroupSettings,
    DestinationSettings,
    Dicom,
    Jobs,
    Node,
    Places,
    Rules,
    Section,
    SourceSettings,
    Storage,
    Triton,
)

_STARTED = secrets.token_hex(8)  # this process among all that ever ran


class Settings(Section):
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
    auth: Auth = Field(default_factory=Auth)
    audit: Audit = Audit()
    places: Places = Places()
    notices: Notices = Notices()
    telemetry: Telemetry = Telemetry()
    source: tuple[SourceSettings, ...] = ()
    destination: tuple[DestinationSettings, ...] = ()
    destination_group: tuple[DestinationGroupSettings, ...] = ()
    notify: tuple[Notify, ...] = ()

    @property
    def database_url(self) -> str:
        """With the password, where there is one: never to be shown."""
        password = self.database.password.get_secret_value()
        if password and self.database.url:
            try:
                return make_url(self.database.url).set(password=password).render_as_string(hide_password=False)
            except ArgumentError:
                return self.database.url  # refused where it is opened, with the cure
        return self.database.url or f"sqlite:///{self.node.data_dir / 'node.db'}"

    @property
    def process_id(self) -> str:
        """A process that restarts on SQLite is the one that ended; on PostgreSQL others may live beside it."""
        if self.jobs.process or self.database_url.startswith("sqlite"):
            return self.jobs.process or "node"
        return f"{socket.gethostname()[:32]}-{_STARTED}"

    @property
    def chain(self) -> str:
        """Each process that receives writes a chain of its own in the ledger."""
        return self.node.ae_title if self.database_url.startswith("sqlite") else self.process_id

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
    def index_url(self) -> str:
        """Where DICOMweb's index lies: a file beside the database, so that neither waits for the other, or in it."""
        sqlite = self.database_url.startswith("sqlite")
        return f"sqlite:///{self.node.data_dir / 'index.db'}" if sqlite else self.database_url

    @property
    def viewer_folder(self) -> Path:
        """Where `viewer install` puts OHIF."""
        return self.http.viewer or self.node.data_dir / "viewer"

    @property
    def results(self) -> Path:
        """Made by one process and delivered by another: they lie in the store that processes share."""
        if self.bucket:
            return self.node.data_dir / "copies" / "results"
        return self.instances / "results" if self.storage.url else self.node.data_dir / "results"

    @property
    def bucket(self) -> str:
        """s3://bucket/prefix; "" where bytes lie in a folder."""
        return self.storage.url.rstrip("/") if self.storage.url.startswith("s3://") else ""

    @property
    def instances(self) -> Path:
        if self.bucket:
            return self.node.data_dir / "copies" / "instances"
        return Path(self.storage.url.removeprefix("file:")) if self.storage.url else self.node.data_dir / "instances"
