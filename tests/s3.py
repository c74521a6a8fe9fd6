"""A server of S3 on loopback, as a process of its own: moto's."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import line_with, python

KEYS = {"AWS_ACCESS_KEY_ID": "mricore", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
BUCKET = "s3://hospital/node"


@dataclass(frozen=True)
class S3:
    """Where it is; `end` ends it."""

    endpoint: str
    environment: dict[str, str]


@contextmanager
def s3(folder: Path) -> Iterator[S3]:
    """With an empty bucket. Who uses it needs the keys in the environment, as in a hospital."""
    os.environ.update(KEYS)
    with python(["-m", "tests.s3"], log=folder / "s3.log", environment=KEYS) as process:
        endpoint = line_with(process, "http://", folder / "s3.log").split()[-1]
        told = {**KEYS, "MRICORE_STORAGE__URL": BUCKET, "MRICORE_STORAGE__ENDPOINT": endpoint}
        yield S3(endpoint, told)
    for key in KEYS:
        os.environ.pop(key, None)


def main() -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="hospital")
    sys.stdout.write(f"listens {endpoint}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
