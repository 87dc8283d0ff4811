"""A local S3 server, processes that write to it, and another machine's view of it."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

from vitok_lib.measure.quality import pieces
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records import object_store

KEY, SECRET = "AKIAVITOKTESTKEY0001", "secret-of-the-bucket/1f0c"


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server that lives in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def environment(address: str) -> dict[str, str]:
    """What a process needs to know of the server; one attempt, since nothing here is worth a second one."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }


class Bucket:
    """A bucket of its own on the server at ``address``, read by another client than the library's."""

    def __init__(self, address: str) -> None:
        self.name = f"bucket-{uuid4().hex[:8]}"
        self.url = f"s3://{self.name}/some/where"
        self._client = boto3.client("s3", endpoint_url=address)
        self._client.create_bucket(Bucket=self.name)

    def objects(self) -> dict[str, bytes]:
        """Every object below the URL, by the rest of its name."""
        found = self._client.list_objects_v2(Bucket=self.name).get("Contents", [])
        names = [entry["Key"] for entry in found]
        bodies = {name: self._client.get_object(Bucket=self.name, Key=name)["Body"] for name in names}
        return {name.removeprefix("some/where/"): body.read() for name, body in bodies.items()}

    def put(self, name: str, body: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=f"some/where/{name}", Body=body)


def on_another_machine() -> None:
    """From here on this process knows nothing of what it read from a store or wrote to it."""
    object_store._opened.cache_clear()


def evaluate_in_process(tokenizer: str, killed_after: int | None = None, **options: Any) -> int:
    """The id of a process that measures a shard, on a machine of its own, and may be killed after so many images.

    Each image is in the store before the next one is begun.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks next to threads: the server is idle here
        child = os.fork()
    if child:
        return child

    def kill(done: int, _: int) -> None:
        if done == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        on_another_machine()
        pieces._EVERY = 0.0
        evaluate(tokenizer, progress=kill, **options)
        os._exit(0)
    finally:
        os._exit(1)
