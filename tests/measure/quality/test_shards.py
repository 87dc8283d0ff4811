"""Shards: every image in one part; one record as of a single run; nothing lost, doubled or mixed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.fakes.counting import counting_environment
from tests.fakes.images import write_noise
from vitok_lib.errors import RequestError
from vitok_lib.measure.quality import evaluate as evaluation
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.merging import merge
from vitok_lib.measure.quality.shards import parse_shard
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.interface import Latent

COUNT = 12
METRICS = ["psnr", "ssim", "fd-random", "kid-random"]
CODEC = RunConfig(name="jpeg:q=50")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(24, 24)] * COUNT, seed=5)


def _evaluated(images: Path, **options: Any) -> Record:
    return evaluate(CODEC, images=images, resolution=32, metrics=METRICS, **options)


def _files() -> list[Path]:
    return sorted(path for path in results_root().rglob("*") if path.is_file())


def _table() -> pd.DataFrame:
    (path,) = results_root().rglob("*.parquet")
    return pd.read_parquet(path)


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_an_image_is_in_one_part_and_stays_there(count: int) -> None:
    shards = [parse_shard(f"{index}/{count}") for index in range(1, count + 1)]
    digests = [sha256(str(number).encode()).hexdigest() for number in range(600)]
    assert all(sum(shard.holds(digest) for shard in shards) == 1 for digest in digests)
    sizes = [sum(shard.holds(digest) for digest in digests) for shard in shards]
    even = 600 / count
    assert max(abs(size - even) for size in sizes) <= 5 * even**0.5  # five standard deviations of chance


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5", ""])
def test_what_names_no_part_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="such as 3/16"):
        parse_shard(text)


def test_shards_in_any_order_make_the_record_of_a_single_run(images: Path) -> None:
    single = _evaluated(images)
    alone = _table()
    for path in _files():
        path.unlink()
    order = [f"{index}/4" for index in range(1, 5)]
    random.Random(1).shuffle(order)
    parts = [_evaluated(images, shard=shard) for shard in order]
    for part in parts[:-1]:
        assert "images have no result" in str(part.outcome.detail)
    assert sum(part.outcome.total or 0 for part in parts[:-1]) < COUNT
    merged = parts[-1]
    assert [path.suffix for path in _files()] == [".json", ".parquet"]
    pd.testing.assert_frame_equal(_table(), alone, check_exact=True)
    assert merged.outcome == single.outcome
    assert [value.quantity for value in merged.values] == [value.quantity for value in single.values]
    for value, other in zip(merged.values, single.values, strict=True):
        assert value.value == pytest.approx(other.value, rel=1e-9, abs=1e-9), value.quantity
    assert merged.provenance is not None
    assert single.provenance is not None
    assert merged.provenance.command == single.provenance.command
    assert _evaluated(images) == merged  # and a run of all answers from it


def test_what_is_missing_is_named_and_a_plain_run_measures_it(images: Path) -> None:
    _evaluated(images, shard="1/3")
    with pytest.raises(RequestError) as refused:
        merge(CODEC, images=images, resolution=32, metrics=METRICS)
    assert "2/3 (" in str(refused.value)
    assert "3/3 (" in str(refused.value)
    assert "1/3 (" not in str(refused.value)
    record = _evaluated(images)
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.OK, COUNT)
    assert [path.suffix for path in _files()] == [".json", ".parquet"]


@pytest.mark.parametrize("time_limit", [1e-3, None])
def test_a_run_next_to_a_shard_loses_none_of_its_results(images: Path, time_limit: float | None) -> None:
    """Whether the run ends with every image or, out of time, with some."""
    runs: list[Record] = []

    def run_all(done: int, total: int) -> None:
        if done == 1 and not runs:
            runs.append(_evaluated(images, time_limit=time_limit))

    _evaluated(images, shard="1/2", progress=run_all)
    assert runs[0].outcome.status is (OutcomeStatus.OK if time_limit is None else OutcomeStatus.TIMEOUT)
    assert _evaluated(images, shard="2/2").outcome.done == COUNT
    assert [path.suffix for path in _files()] == [".json", ".parquet"]


def test_a_run_over_fewer_images_leaves_the_results_of_a_shard_of_more(images: Path) -> None:
    _evaluated(images, shard="1/2")
    assert _evaluated(images, samples=3).outcome.done == 3
    assert _evaluated(images, shard="2/2").outcome.done == COUNT
    assert not any(path.suffix == ".jsonl" for path in _files())


def test_results_of_other_metrics_are_named_and_not_mixed_in(images: Path) -> None:
    _evaluated(images, shard="1/2")
    evaluate(CODEC, images=images, resolution=32, metrics=["psnr"], shard="2/2")
    with pytest.raises(RequestError, match=r"2-of-2\.partial\.jsonl: of other metrics"):
        merge(CODEC, images=images, resolution=32, metrics=METRICS)


def test_equal_results_of_one_image_are_one_and_different_ones_are_refused(images: Path) -> None:
    _evaluated(images, shard="1/2")
    (part,) = _files()
    copy = part.with_name(part.name.replace("1-of-2", "2-of-2"))
    copy.write_bytes(part.read_bytes())
    assert _evaluated(images, shard="2/2").outcome.done == COUNT
    for path in _files():
        path.unlink()
    _evaluated(images, shard="1/2")
    (part,) = _files()
    header, *lines = part.read_text(encoding="utf-8").splitlines()
    changed = json.loads(lines[0])
    next(iter(changed["results"].values()))["psnr"] += 1e-12
    copy.write_text("\n".join([str(header), json.dumps(changed)]) + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match="different results of the image"):
        merge(CODEC, images=images, resolution=32, metrics=METRICS)


def test_an_image_is_equal_whatever_other_images_its_part_had_for_a_batch(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines without a folder in common divided the set by other numbers; their results are then put together."""
    journals: dict[str, bytes] = {}
    batches: list[dict[str, int]] = []
    for shard in ("1/2", "2/2", "1/3"):
        monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / shard.replace("/", "-")))
        evaluate(CODEC, images=images, resolution=32, batch=COUNT, shard=shard)
        (journal,) = _files()
        journals[journal.name] = journal.read_bytes()
        lines = [json.loads(line).get("results", {}) for line in journal.read_text(encoding="utf-8").splitlines()]
        batches.append({image: result["batch"] for line in lines for image, result in line.items()})
    halves, third = batches[0] | batches[1], batches[2]
    assert any(third[image] != halves[image] for image in third)
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "all"))
    for name, held in journals.items():
        place = results_root() / journal.parent.relative_to(tmp_path / "1-3") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(held)
    merged = merge(CODEC.replace(batch=COUNT), images=images, resolution=32)
    assert (merged.outcome.status, merged.outcome.done) == (OutcomeStatus.OK, COUNT)


def test_a_shard_that_is_done_loads_no_tokenizer(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"images": images, "resolution": 32, "shard": "1/2"}
    first = evaluate("pca-f16x64", **asked)
    monkeypatch.setattr(evaluation, "load", lambda config: pytest.fail("loaded"))
    again = evaluate("pca-f16x64", **asked)
    assert again.values == first.values


def test_images_that_fail_are_tried_again_by_their_shard(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = evaluation.load(CODEC)
    encode = type(tokenizer).encode
    broken = [True]

    def fails(self: object, pixels: Any) -> Latent:
        if broken[0]:
            raise ValueError("broken for now")
        latent: Latent = encode(self, pixels)  # type: ignore[arg-type]
        return latent

    monkeypatch.setattr(type(tokenizer), "encode", fails)
    monkeypatch.setattr("vitok_lib.measure.quality.runner._FAILURES_IN_A_ROW", 100)
    _evaluated(images, shard="1/2")
    broken[0] = False
    record = _evaluated(images, shard="2/2")
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.outcome.failed
    record = _evaluated(images, shard="1/2", retry=True)
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.OK, COUNT)
    assert [path.suffix for path in _files()] == [".json", ".parquet"]


@pytest.mark.parametrize("last", ["2/2", None])
def test_the_seconds_of_a_record_are_those_of_all_its_parts(images: Path, last: str | None) -> None:
    """Of shards, and of a run that goes on with what a part of it has measured."""
    first = _evaluated(images, shard="1/2")
    (part,) = _files()
    header, *lines = (json.loads(line) for line in part.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if "results" in line:
            line["seconds"] = 1000.0
    part.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines)), encoding="utf-8")
    record = _evaluated(images, shard=last)
    assert record.outcome.done == COUNT
    assert record.provenance is not None
    assert 0 < record.provenance.seconds - 1000 * (first.outcome.done or 0) < 100


def test_a_shard_that_is_killed_goes_on_where_it_was(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    environment = counting_environment(tmp_path, log)
    monkeypatch.setenv("COUNTING_LOG", str(log))
    monkeypatch.syspath_prepend(tmp_path)
    words = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()", "eval", "counting:Counting"]
    words += ["--images", str(images), "--resolution", "32", "--shard", "2/3"]
    victim = subprocess.Popen(words, env=environment)
    for shard in ("1/3", "3/3"):
        evaluate("counting:Counting", images=images, resolution=32, shard=shard)
    deadline = time.monotonic() + 60
    while not list(results_root().rglob("*.2-of-3.partial.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not list(results_root().rglob("*.json"))
    record = evaluate("counting:Counting", images=images, resolution=32, shard="2/3")
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.OK, COUNT)
    assert len(_table()) == COUNT
    seen = Counter(log.read_text(encoding="utf-8").split())
    assert len(seen) == COUNT
    assert sum(seen.values()) <= COUNT + 1  # the image that the killed process was at
    assert [path.suffix for path in _files()] == [".json", ".parquet"]
