"""Figures that join measurements: what may be joined is, what may not is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.machines import GPU, write_machine
from tests.fakes.records import HOST, write_measured
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures.frontier import memory_frontier, quality_and_speed

CASE = "photos-512"
NAMES = ("nano-f16x64", "nano-f32x64")


def _measure(root: Path, *, dtype: str = "float32", resolution: int = 512, **settings: object) -> None:
    """Quality and speed of two tokenizers on the one machine of invented records."""
    for name, psnr, latency in zip(NAMES, (30.0, 25.0), (8.0, 2.0), strict=True):
        write_measured(root, "cpu", name, CASE, {"psnr": [psnr, psnr + 1]})
        for path, factor in (("reference", 2.0), ("fast", 1.0)):
            written = write_machine(
                root,
                "speed",
                resolution,
                name,
                {"latency": latency * factor},
                study="cpu",
                gpu=None,
                preset=path,
                dtype=dtype,
                **settings,
            )
            record = read_record(written)
            assert record.provenance is not None
            origin = record.provenance.model_copy(update={"host": HOST})
            write_record(record.model_copy(update={"provenance": origin}), written)


def test_quality_joins_the_shortest_latency_of_its_tokenizer(results: Path) -> None:
    _measure(results)
    ((machine, drawing),) = quality_and_speed(load(), CASE, "psnr")
    assert machine.study == "cpu"
    assert "nano-f16x64 30.50 dB at 8 ms, preset fast" in drawing.alternative
    assert "nano-f32x64 25.50 dB at 2 ms, preset fast" in drawing.alternative


def test_another_type_of_number_or_size_joins_nothing(results: Path) -> None:
    _measure(results, dtype="bfloat16")
    assert quality_and_speed(load(), CASE, "psnr") == []


def test_another_size_joins_nothing(results: Path) -> None:
    _measure(results, resolution=1024)
    assert quality_and_speed(load(), CASE, "psnr") == []


@pytest.mark.parametrize("settings", [{"tiling": True}, {"blocks": "2"}, {"window": 16}])
def test_a_latency_of_what_gives_other_images_joins_nothing(results: Path, settings: dict[str, object]) -> None:
    _measure(results, **settings)
    assert quality_and_speed(load(), CASE, "psnr") == []


def test_settings_of_no_effect_join(results: Path) -> None:
    _measure(results, tiling=False, window=0)
    assert len(quality_and_speed(load(), CASE, "psnr")) == 1


def test_another_machine_joins_nothing(results: Path) -> None:
    for name in NAMES:
        write_measured(results, "h200", name, CASE, {"psnr": [30.0, 31.0]})
        write_machine(results, "speed", 512, name, {"latency": 1.0}, dtype="float32")
    assert quality_and_speed(load(), CASE, "psnr") == []


def test_memory_is_drawn_under_the_cards_that_were_tried(results: Path) -> None:
    for resolution, peak in ((1024, 10.0), (2048, 40.0)):
        write_machine(results, "memory", resolution, "flux", {"model_peak": peak})
    write_machine(results, "memory", 4096, "flux", {}, outcome=Outcome(status=OutcomeStatus.OOM))
    write_machine(results, "capacity", 8192, "flux", {"largest_resolution": 1024.0}, memory_limit_gib=24.0)
    ((machine, drawing),) = memory_frontier(load())
    assert machine.device == GPU
    assert "flux: 10 GiB at 1024 px, 40 GiB at 2048 px, OOM at 4096 px" in drawing.alternative
    assert "Memory limits: 24 GiB." in drawing.alternative


def test_lines_in_chunks_and_whole_have_names_and_values_of_their_own(results: Path) -> None:
    for resolution, chunked, whole in ((1024, 0.07, 0.07), (4096, 0.5, 0.9)):
        write_machine(results, "memory", resolution, "nano-f16x64", {"model_peak": chunked}, gpu=None, window=1024)
        values = {"model_peak": whole}
        write_machine(results, "memory", resolution, "nano-f16x64", values, gpu=None, window=1024, chunk=0)
    write_machine(results, "memory", 1024, "nano-kl-f8x16", {"model_peak": 0.7}, gpu=None)
    ((_, drawing),) = memory_frontier(load())
    assert "nano-f16x64, radius 1,024, 16,384 tokens at once: 0.07 GiB at 1024 px, 0.5 GiB" in drawing.alternative
    assert "nano-f16x64, radius 1,024, all tokens at once: 0.07 GiB at 1024 px, 0.9 GiB" in drawing.alternative
    assert "nano-kl-f8x16: 0.7 GiB at 1024 px" in drawing.alternative, "it has neither a window nor tokens"


def test_nothing_is_drawn_where_nothing_was_measured_or_one_value_alone(results: Path) -> None:
    write_machine(results, "memory", 4096, "flux", {}, outcome=Outcome(status=OutcomeStatus.OOM))
    write_machine(results, "memory", 1024, "flux", {"model_peak": 1.0}, gpu=None)
    assert memory_frontier(load()) == []
    assert quality_and_speed(load(), CASE, "psnr") == []
