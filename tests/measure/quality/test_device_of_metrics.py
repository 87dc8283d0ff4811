"""A codec runs on the CPU and its metrics on the device of the run: where tensors lie, and what the record says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.fakes import gpu
from tests.fakes.gpu import OnGpu, invented_gpu
from tests.fakes.images import write_noise
from tests.fakes.tokenizers import Identity
from vitok_lib.errors import RequestError
from vitok_lib.measure.cluster import engine
from vitok_lib.measure.cluster.connection import Share
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.quality import metric_suite
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.studies.drift import measure_drift
from vitok_lib.measure.studies.preparation import measure_preparation
from vitok_lib.metrics.pixel import psnr
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.load import checked, load_tokenizer

CODEC = "jpeg:q=75"
ON_CUDA = RunConfig(name=CODEC, device="cuda", dtype="bfloat16")
METRICS = ["psnr", "ssim", "ssimulacra2", "ciede2000", "delta-l", "out-of-range", "bpp"]
SMALL: dict[str, Any] = {"resolution": 48, "metrics": ["psnr"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(40, 48)] * 2)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether both images of each PSNR lay on the invented GPU, which is there."""
    found: list[bool] = []

    def noted(original: Tensor, reconstruction: Tensor) -> dict[str, float]:
        found.append(isinstance(original, OnGpu) and isinstance(reconstruction, OnGpu))
        return {"psnr": psnr(original, reconstruction)}

    monkeypatch.setattr(metric_suite, "image_metrics", lambda names, device, period: noted)
    with invented_gpu(monkeypatch):
        yield found


def _values(record: Record) -> dict[str, float]:
    assert record.outcome.status is OutcomeStatus.OK, record.outcome.detail
    return {value.quantity: value.value for value in record.values}


def test_every_metric_of_pixels_runs_where_the_run_is_and_gives_the_values_of_a_cpu(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = evaluate(CODEC, images=folder, resolution=48, metrics=METRICS, study="alone")
    with invented_gpu(monkeypatch):
        together = evaluate(ON_CUDA, images=folder, resolution=48, metrics=METRICS)
    assert set(_values(together)) == set(METRICS)
    assert _values(together) == _values(alone)


def test_the_record_names_the_gpu_and_says_that_the_codec_ran_on_the_cpu(folder: Path, seen: list[bool]) -> None:
    record = evaluate(ON_CUDA, images=folder, **SMALL)
    assert seen == [True, True]
    assert record.provenance is not None
    assert record.provenance.host.gpu == gpu.NAME
    assert record.settings.device == "cpu"
    assert record.requested == checked(RunConfig(name=CODEC))
    (config,) = parse(record.provenance.command).configs
    assert (config.device, checked(config)) == ("cuda", record.requested)


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_record_answers_whatever_its_metrics_ran_on(folder: Path, seen: list[bool], first: str, second: str) -> None:
    records = [evaluate(ON_CUDA.replace(device=device), images=folder, **SMALL) for device in (first, second)]
    assert records[0] == records[1]
    assert len(list(results_root().rglob("*.json"))) == 1
    assert seen == [first == "cuda"] * 2, "measured once"


def test_a_loaded_codec_keeps_the_device_that_was_asked_for(folder: Path, seen: list[bool]) -> None:
    evaluate(load_tokenizer(CODEC, device="cuda"), images=folder, **SMALL)
    assert seen == [True, True]


def test_what_runs_on_the_cpu_alone_gets_its_images_there(folder: Path, seen: list[bool]) -> None:
    class OfTheCpu(Identity):
        asked_device = "cuda"

        def decoded(self, images: Tensor) -> Tensor:
            assert not isinstance(images, OnGpu)
            return images

    evaluate(OfTheCpu(), images=folder, **SMALL)
    assert seen == [True, True]


def _runs_out(*_: object) -> dict[str, float]:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 is full")


@pytest.mark.parametrize("when", ["loading", "computing"])
def test_metrics_that_run_out_of_a_gpus_memory_are_an_outcome_of_that_gpu_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with invented_gpu(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(metric_suite, "image_metrics", _runs_out if when == "loading" else lambda *_: _runs_out)
        failed = evaluate(ON_CUDA, images=folder, **SMALL)
        assert failed.outcome.status is OutcomeStatus.OOM
        assert failed.outcome.memory is not None
        assert (failed.outcome.memory.device, failed.outcome.memory.requested_bytes) == ("cuda", 1.5 * 2**30)
        assert evaluate(ON_CUDA, images=folder, **SMALL) == failed, "not tried again"
    assert _values(evaluate(CODEC, images=folder, **SMALL)), "a CPU has other memory"


def test_a_device_that_is_not_here_is_refused_and_leaves_nothing(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RequestError, match="device 'cuda' cannot be used here") as refused:
        evaluate(ON_CUDA, images=folder, **SMALL)
    assert "\n" not in str(refused.value)
    with pytest.raises(RequestError, match="device 'cuda' cannot be used here"):
        measure_drift(ON_CUDA, images=folder, resolution=48)
    assert [path for path in results_root().rglob("*") if path.is_file()] == []


def test_a_study_of_a_codec_measures_on_the_gpu_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = measure_drift(RunConfig(name=CODEC), images=folder, resolution=48, study="alone")
    with invented_gpu(monkeypatch):
        record = measure_drift(ON_CUDA, images=folder, resolution=48)
    assert _values(record) == _values(alone)
    assert record.provenance is not None
    assert (record.settings.device, record.provenance.host.gpu) == ("cpu", gpu.NAME)
    assert "--device cuda" in record.provenance.command or 'device="cuda"' in record.provenance.command


def test_seconds_of_a_codec_stay_those_of_a_cpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitok_lib.measure.studies.preparation.SOURCE", (40, 48))
    with invented_gpu(monkeypatch):
        record = measure_preparation(ON_CUDA, images=folder, resolution=48, samples=1)
    assert record.provenance is not None
    assert record.provenance.host.gpu is None


def test_the_workers_of_a_cluster_take_the_gpus_for_the_metrics(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[Share] = []

    class Noted:
        def __init__(self, ray: object, run: object, share: Share, todo: object) -> None:
            shares.append(share)

        def run(self) -> None:
            raise RequestError("seen enough")

        def end(self) -> None:
            pass

    monkeypatch.setattr(engine, "connect", lambda address: None)
    monkeypatch.setattr(engine, "living_nodes", lambda ray: [{"CPU": 16.0, "GPU": 2.0}])
    monkeypatch.setattr(engine, "_Dispatch", Noted)
    for device in ("cuda", "cpu"):
        with pytest.raises(RequestError, match="seen enough"):
            evaluate(ON_CUDA.replace(device=device), images=folder, cluster=engine.Cluster(), **SMALL)
    assert [(share.workers, share.gpus) for share in shares] == [(2, 1), (1, 0)]
