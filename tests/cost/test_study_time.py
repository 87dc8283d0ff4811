"""The plan of a whole profile: against measured latencies, and arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from tests.fakes.images import write_noise
from vitok_lib.cost.achieved import Achieved, Pace
from vitok_lib.cost.profile_work import PADDING_PASSES, profile_work
from vitok_lib.cost.scaling import Bound, bound_of, scaling
from vitok_lib.cost.study_time import Line, StudyTime, core_seconds, study_time, weakest
from vitok_lib.errors import RequestError
from vitok_lib.measure.studies.drift import measure_drift
from vitok_lib.measure.studies.how_many import measure_how_many
from vitok_lib.measure.studies.padding import measure_padding
from vitok_lib.measure.studies.variations import measure_variations
from vitok_lib.project import ROOT
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Record
from vitok_lib.records.store import read_record
from vitok_lib.tokenizers import pca
from vitok_lib.tokenizers.vitok.checkpoint import ViTok


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """The committed measurements of the H100 and predictions, and those of preparing images."""
    found = [*ROOT.glob("results/h100/*/*.json"), *ROOT.glob("results/derived/*/*.json")]
    return [read_record(path) for path in [*found, *ROOT.glob("results/cpu/preparation-*/*.json")]]


@pytest.fixture(scope="module")
def released(records: list[Record]) -> StudyTime:
    return study_time(records, "released")


@pytest.mark.parametrize(
    ("resolution", "window", "latency", "level"),
    [(8192, 1024, 8.3423, Kind.MEASURED), (2048, None, 0.88621, Kind.MEASURED)],
)
def test_a_size_that_was_timed_takes_the_time_of_its_record(
    records: list[Record], resolution: int, window: int | None, latency: float, level: Kind
) -> None:
    pace = Achieved(records, "H100").pace("5B-f16x64", resolution, window, 1, 1)
    assert isinstance(pace, Pace)
    assert pace.seconds == pytest.approx(latency, rel=1e-3)
    assert pace.level == level


def test_what_was_not_timed_says_whose_throughput_it_takes(records: list[Record]) -> None:
    achieved = Achieved(records, "H100")
    kin, other = (achieved.pace(name, 1024, None, 1, 1) for name in ("5B-f16x16", "dc-ae-f32"))
    assert isinstance(kin, Pace)
    assert isinstance(other, Pace)
    assert (kin.level, other.level) == (Kind.DERIVED, Kind.ESTIMATED)
    assert "5B-f16x64" in kin.how
    assert achieved.pace("qwen-repa-e", 1024, None, 1, 1) == "no prediction of its FLOPs"
    assert "timed on L4" in str(Achieved(records, "L4").pace("flux", 1024, None, 1, 1))


def test_a_record_of_a_plug_in_that_is_not_installed_tells_nothing_and_ends_nothing(records: list[Record]) -> None:
    (timed, *_) = [
        record
        for record in records
        if (record.benchmark, record.settings.preset, record.settings.dtype) == ("speed", "reference", "bfloat16")
        and record.images.rule.startswith(f"{record.resolution}x{record.resolution} ")
    ]
    gone = timed.model_copy(update={"tokenizer": timed.tokenizer.model_copy(update={"name": "gone-plug-in"})})
    asked = ("5B-f16x64", 2048, None, 1, 1)
    assert Achieved([gone, *records], "H100").pace(*asked) == Achieved(records, "H100").pace(*asked)


def test_the_largest_peak_is_at_least_the_measured_one(records: list[Record]) -> None:
    pace = Achieved(records, "H100").pace("5B-f16x64", 8192, 1024, 1, 1)
    assert isinstance(pace, Pace)
    assert pace.peak == pytest.approx(29.99, rel=1e-3), "GiB of the record of speed, above the predicted 21.6"


def test_a_profile_is_counted_whole() -> None:
    works, uncounted = profile_work("released")
    assert uncounted == []
    evaluated = [work for work in works if work.output == "div8k-4096"]
    assert len(evaluated) == 21
    assert {(work.images, work.window, work.splits) for work in evaluated} == {(1500, 1024, True)}
    assert {(work.encodes, work.decodes) for work in works if work.output == "tiling-div8k-2048"} == {(8, 8)}
    assert {work.images for work in works if work.output == "how-many-dinov2-coco-256"} == {5000}
    assert [sentence.partition(":")[0] for sentence in profile_work("gpu")[1]][:2] == ["speed-5B-8192", "speed-5B-2048"]
    assert [sentence.partition(":")[0] for sentence in profile_work("coco")[1]] == ["coco-native"]


@pytest.mark.parametrize(("notebook", "passes"), [("drift", 8), ("padding", PADDING_PASSES)])
def test_passes_are_those_that_a_study_takes(
    notebook: str, passes: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, count = tmp_path, 0
    decode = pca.PCA.decode

    def counted(*given: object) -> object:
        nonlocal count
        count += 1
        return decode(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(pca.PCA, "decode", counted)
    monkeypatch.setenv("VITOK_RESULTS", str(folder / "results"))
    write_noise(folder / "noise", [(128, 192)])
    measure = {"drift": measure_drift, "padding": measure_padding}[notebook]
    measure(RunConfig(name="pca-f16x64"), images=folder / "noise", resolution=192)
    assert count == passes
    works, _ = profile_work("released")
    assert {work.decodes for work in works if work.output == f"{notebook}-div8k-1024"} == {passes}


def _images_encoded(tokenizer: type, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each batch that a tokenizer of this class encodes from now on."""
    encode, sizes = tokenizer.encode, list[int]()  # type: ignore[attr-defined]

    def counted(self: object, images: Tensor) -> object:
        sizes.append(len(images))
        return encode(self, images)

    monkeypatch.setattr(tokenizer, "encode", counted)
    return sizes


def test_passes_of_subsets_and_of_variations_are_those_that_their_studies_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of subsets each image once however many are drawn; of variations once as it is and once for each choice."""
    noise, count = write_noise(tmp_path / "noise", [(64, 64)] * 6), 6
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "results"))
    planned = {work.output: work.encodes for work in profile_work("cpu")[0]}
    once = _images_encoded(pca.PCA, monkeypatch)
    measure_how_many(RunConfig(name="pca-f16x64"), images=noise, resolution=64, counts=(3,), draws=5)
    assert sum(once) == count * planned["how-many-leaves-128"]
    varied = _images_encoded(ViTok, monkeypatch)
    config = RunConfig(name="w32_d1_h2/16x8", weights="random")
    choices = ["4", "40", "2d:1", "2d:4"]  # as many as profiles/cpu.yml has
    measure_variations(config, setting="window", choices=choices, images=noise, resolution=64)
    assert sum(varied) == count * planned["window-quality-256"]


@pytest.mark.parametrize(("shares", "expected"), [((), 67e12), ((40.0, 10.0, 70.0), 0.4 * 67e12)])
def test_networks_in_float32_run_at_the_share_of_the_data_sheet_that_models_achieve(
    shares: tuple[float, ...], expected: float, records: list[Record]
) -> None:
    """NVIDIA's data sheet of the H100 SXM has 67 TFLOP/s in float32."""
    timed = next(record for record in records if record.benchmark == "speed" and Achieved([record], "H100")._timed)
    made = [_with_utilisation(timed, share) for share in shares]
    assert Achieved(made, "H100").float32 == pytest.approx(expected)
    assert Achieved(made, "L4").float32 is None


def _with_utilisation(record: Record, share: float) -> Record:
    values = [v.model_copy(update={"value": share}) if v.quantity == "utilisation" else v for v in record.values]
    return record.model_copy(update={"values": tuple(values)})


def test_nothing_is_left_out_silently(released: StudyTime) -> None:
    works, _ = profile_work("released")
    told = {(line.work.tokenizer, line.work.output) for line in released.lines}
    for work in works:
        named = any(sentence.startswith(f"{work.tokenizer}:") for sentence in released.not_known)
        assert (work.tokenizer, work.output) in told or named, work


def test_gpu_seconds_by_evidence_add_up(released: StudyTime) -> None:
    assert sum(released.gpu_seconds.values()) == pytest.approx(released.on(1, 1e9).busy)
    assert weakest([Kind.MEASURED, Kind.ESTIMATED, Kind.DERIVED]) == Kind.ESTIMATED


def test_few_cores_become_what_bounds(released: StudyTime) -> None:
    line = next(line for line in released.lines if line.work.output == "div8k-8192")
    fed = StudyTime("one", "H100", (_with_core(line, 3 * line.gpu),), ())
    assert bound_of(fed.on(8, 3)) == Bound.GPUS
    starved = fed.on(8, 1)
    assert bound_of(starved) == Bound.CORES
    assert starved.seconds == pytest.approx(line.load + 3 * line.gpu * 1500 / 8)
    points = scaling(fed, [1, 8], 3)
    seconds = line.gpu * 1500
    assert points[1].speedup == pytest.approx((line.load + seconds) / (line.load + seconds / 8))


def _with_core(line: Line, seconds: float) -> Line:
    return replace(line, core=seconds)


def test_a_profile_without_anything_known_is_refused(records: list[Record]) -> None:
    with pytest.raises(RequestError) as refused:
        study_time([record for record in records if record.benchmark == "fits"], "released")
    assert "no record tells how fast" in str(refused.value)


def test_networks_do_not_run_on_another_gpu_at_the_throughput_of_an_h100(records: list[Record]) -> None:
    elsewhere = [_measured_on(record, "NVIDIA A100-SXM4-80GB") for record in records]
    known = study_time(elsewhere, "released", "A100 80GB")
    assert all(line.network == 0 for line in known.lines if line.gpu)
    assert any("throughput in float32 of A100 80GB is not known" in sentence for sentence in known.not_known)


def _measured_on(record: Record, gpu: str) -> Record:
    if record.provenance is None or record.provenance.host.gpu is None:
        return record
    host = record.provenance.host.model_copy(update={"gpu": gpu})
    return record.model_copy(update={"provenance": record.provenance.model_copy(update={"host": host})})


def test_a_codec_codes_on_cores_and_the_networks_of_its_metrics_run_on_the_gpu(
    records: list[Record], released: StudyTime
) -> None:
    evaluated = {line.work.tokenizer: line for line in released.lines if line.work.output == "div8k-8192"}
    line, model = evaluated["avif:bpp=1"], evaluated["flux"]
    assert line.gpu == line.network == model.network
    (timed,) = [r for r in records if r.benchmark == "preparation" and r.tokenizer.name == "avif:bpp=1"]
    coding = timed.value("codec_1024")
    assert coding is not None
    assert line.core == pytest.approx(model.core + 64 * coding.value), (
        "64 times the pixels; an image is prepared for both"
    )
    assert line.job.seconds(1e9) == pytest.approx(line.gpu * 1500), "with cores enough, the GPU bounds"


def test_no_record_of_preparation_is_no_preparation() -> None:
    assert core_seconds([], 1024) is None
