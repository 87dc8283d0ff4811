"""Results in an object store: what shards write to a bucket makes the record of a single run on a disk."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from tests.fakes.bucket import KEY, SECRET, Bucket, environment, evaluate_in_process, on_another_machine, s3_server
from tests.fakes.counting import counting_environment
from tests.fakes.images import write_noise
from vitok_lib.errors import RequestError
from vitok_lib.measure.quality import runner
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.merging import merge
from vitok_lib.records.config import RunConfig
from vitok_lib.records.object_store import object_store
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import read_records, results_root
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.load import load

COUNT = 12
CODEC = "jpeg:q=50"
METRICS = ["psnr", "ssim"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, which the results go to."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    made = Bucket(server)
    monkeypatch.setenv("VITOK_RESULTS", made.url)
    return made


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(24, 24)] * COUNT, seed=5)


def _evaluated(images: Path, **options: Any) -> Record:
    return evaluate(CODEC, images=images, resolution=32, metrics=METRICS, **options)


def _merged(images: Path) -> Record:
    return merge(CODEC, images=images, resolution=32, metrics=METRICS)


def _table(root: Path) -> pd.DataFrame:
    (path,) = root.rglob("*.parquet")
    return pd.read_parquet(path)


def _suffixes(bucket: Bucket) -> list[str]:
    return sorted(Path(name).suffix for name in bucket.objects())


def test_shards_on_several_machines_make_the_record_of_a_single_run(
    images: Path, results: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(results))
        single = _evaluated(images)
    assert _evaluated(images, shard="2/3").outcome.done < COUNT  # type: ignore[operator]
    assert set(_suffixes(bucket)) == {".jsonl"}
    on_another_machine()
    with pytest.raises(RequestError, match=r"shards 1/3 \(\d+ images\), 3/3 \(\d+ images\)"):
        _merged(images)
    _evaluated(images, shard="1/3")
    on_another_machine()
    record = _evaluated(images, shard="3/3")
    assert _suffixes(bucket) == [".json", ".parquet"]
    pd.testing.assert_frame_equal(_table(results_root()), _table(results), check_exact=True)
    assert record.outcome == single.outcome
    for value, other in zip(record.values, single.values, strict=True):
        assert value.value == pytest.approx(other.value, rel=1e-9, abs=1e-9), value.quantity
    on_another_machine()
    assert _evaluated(images) == _merged(images) == record  # they answer from the bucket
    assert read_records(benchmark=record.benchmark) == [record]
    written = bucket.objects()
    assert not any(secret.encode() in body for body in written.values() for secret in (KEY, SECRET, bucket.name))


def test_processes_that_are_killed_lose_nothing(
    images: Path, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    counting_environment(tmp_path, log)
    monkeypatch.setenv("COUNTING_LOG", str(log))
    monkeypatch.syspath_prepend(tmp_path)
    asked: dict[str, Any] = {"images": images, "resolution": 32}
    victims = [evaluate_in_process("counting:Counting", 2, **asked, shard="2/3") for _ in range(2)]  # at the same time
    others = [evaluate_in_process("counting:Counting", **asked, shard=shard) for shard in ("1/3", "3/3")]
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in victims] == [-signal.SIGKILL] * 2
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in others] == [0, 0]
    assert set(_suffixes(bucket)) == {".jsonl"}
    before = Counter(log.read_text(encoding="utf-8").split())
    record = evaluate("counting:Counting", **asked, shard="2/3")
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.OK, COUNT)
    seen = Counter(log.read_text(encoding="utf-8").split())
    assert len(seen) == COUNT
    assert all(seen[image] == times for image, times in before.items())
    assert len(_table(results_root())) == COUNT
    assert _suffixes(bucket) == [".json", ".parquet"]


def test_two_writers_of_one_shard_are_one_where_they_agree_and_named_where_not(
    images: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _evaluated(images, shard="1/2")
    ((name, body),) = bucket.objects().items()
    twin = name.replace("-000000.", "-000001.")
    bucket.put(twin, body)
    said: list[str] = []
    assert _evaluated(images, shard="2/2", log=said.append).outcome.done == COUNT
    assert any("measured by several shards, with equal results" in sentence for sentence in said)
    for path in results_root().rglob("*.json"):
        path.unlink()
    other = Bucket(os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("VITOK_RESULTS", other.url)
    other.put(name, body)
    other.put(twin, body.replace(b'"psnr": ', b'"psnr": 1'))
    with pytest.raises(RequestError, match=rf"'{Path(name).name}' and '{Path(twin).name}' hold different results"):
        _merged(images)


def test_measuring_again_leaves_out_what_the_bucket_holds(images: Path, bucket: Bucket) -> None:
    _evaluated(images, shard="1/2")
    (name,) = bucket.objects()
    bucket.put(name, bucket.objects()[name].replace(b'"psnr": ', b'"psnr": 1'))
    on_another_machine()
    _evaluated(images, shard="1/2", again=True)
    record = _evaluated(images, shard="2/2")
    assert max(_table(results_root())["psnr"]) < 100
    assert record.outcome.done == COUNT


def test_images_that_fail_are_tried_again_on_another_machine(
    images: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load(RunConfig(name=CODEC))
    encode = type(tokenizer).encode
    begun: list[int] = []

    def fails_once(self: object, pixels: Any) -> Latent:
        begun.append(1)
        if len(begun) == 5:
            raise ValueError("broken for now")
        latent: Latent = encode(self, pixels)  # type: ignore[arg-type]
        return latent

    monkeypatch.setattr(type(tokenizer), "encode", fails_once)
    record = _evaluated(images)
    assert (record.outcome.status, record.outcome.failed) == (OutcomeStatus.ERROR, 1)
    assert set(_suffixes(bucket)) == {".json", ".jsonl", ".parquet"}
    on_another_machine()
    assert _evaluated(images, retry=True).outcome.done == COUNT
    assert len(begun) == COUNT + 1
    assert _suffixes(bucket) == [".json", ".parquet"]


def test_an_upload_that_breaks_off_is_never_seen(images: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = object_store()
    assert store is not None
    write = store._objects.pipe_file
    monkeypatch.setattr(
        store._objects,
        "pipe_file",
        lambda key, data: write(key, data) if key.endswith("l") else (_ for _ in ()).throw(ConnectionError("cut")),
    )
    with pytest.raises(RequestError, match=r"cannot be reached \(ConnectionError\)"):
        _evaluated(images)
    assert set(_suffixes(bucket)) == {".jsonl"}  # neither record nor table, and every image is there
    on_another_machine()
    monkeypatch.setattr(runner.Run, "_go_through", lambda self, todo: pytest.fail("measured again"))
    assert _evaluated(images).outcome.done == COUNT
    assert _suffixes(bucket) == [".json", ".parquet"]


@pytest.mark.parametrize("trouble", ["bucket", "credentials", "address"])
def test_what_is_wrong_with_a_store_is_one_sentence(
    images: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    wrong = {"bucket": "no such bucket", "credentials": "missing or refused", "address": "cannot be reached"}
    if trouble == "bucket":
        monkeypatch.setenv("VITOK_RESULTS", "s3://nobody-has-this/x")
    if trouble == "credentials":
        requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"0", timeout=10)
    if trouble == "address":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{KEY}:{SECRET}@127.0.0.1:9")
    on_another_machine()
    try:
        with pytest.raises(RequestError, match=wrong[trouble]) as refused:
            _evaluated(images, shard="1/2")
    finally:
        if trouble == "credentials":
            requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"inf", timeout=10)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert not any(secret in refused.value.line for secret in (KEY, SECRET))
    assert bucket.name in refused.value.line or trouble == "bucket"
