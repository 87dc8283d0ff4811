"""What fits: the smallest memory and how, what every size holds, and the marks of a bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.machines import write_fits, write_machine
from tests.fakes.reading import heads, row, text_of
from vitok_lib.cost.fits import Predicted
from vitok_lib.cost.flops import SideFlops
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number
from vitok_lib.report.tables.machine.fits import fits_table, memory_sizes_table
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, RELEASED, find

GIB = 2**30
H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def predictions(results: Path) -> Path:
    """Each model at 8192 px: 20 GiB untiled with a margin of a half, 2 GiB in tiles, 988.4 TFLOP; qwen never fits."""
    side = SideFlops(linear=494_700 * 10**9, attention=0)
    for name in RELEASED:
        convolutional = find(name).family in CONVOLUTIONAL
        margin = 1.5 if convolutional else 1.0
        for gib, settings in ((20, {}), (2, {"tiling": True} if convolutional else {"window": 1024})):
            size = 1000 if name == "qwen" else gib
            peak = int(size * GIB / margin)
            write_fits(results, 8192, name, Predicted(GIB, peak, size * GIB, side, side, GIB, GIB), **settings)
    return results


def test_a_cell_names_the_smallest_memory_how_the_peak_and_the_least_time(predictions: Path) -> None:
    table = fits_table(load(), "H100", [8192])
    assert heads(table) == ["Model", "8192 px"]
    assert [text_of(cells[0]) for cells in table.rows] == list(RELEASED)
    assert row(table, "flux")["8192 px"] == "8 GB in tiles: 2.00 GiB, ≥ 1.00 s".replace("≥ ", "≥\u202f")
    assert row(table, "5B-f16x64")["8192 px"].startswith("8 GB window 1,024: 2.00 GiB")
    assert row(table, "qwen")["8192 px"].startswith("over 80 GB")


def test_every_size_says_how_it_holds_the_model(predictions: Path) -> None:
    table = memory_sizes_table(load(), "RTX 4090", [8192])
    cells = row(table, "sd")
    assert [cells[f"{size} GB"] for size in (8, 16, 24, 48, 80)] == ["in tiles", "in tiles", "yes", "yes", "yes"]
    assert (cells["Peak"], cells["Peak in tiles"]) == ("20.0 GiB", "2.00 GiB")
    assert {row(table, "qwen")[f"{size} GB"] for size in (8, 80)} == {"no"}


def test_a_measured_time_is_no_bound_and_the_note_says_how_far_it_is_above(predictions: Path) -> None:
    options = {"gpu": H100, "dtype": "bfloat16", "batch": 1, "preset": "reference"}
    write_machine(predictions, "speed", 8192, "sd", {"latency": 3000.0}, **options, tiling=True)
    table = fits_table(load(), "H100", [8192])
    (cells,) = [cells for cells in table.rows if text_of(cells[0]) == "sd"]
    assert text_of(cells[1]).endswith("GiB, 3.00 s")
    assert [part.kind for part in cells[1] if isinstance(part, Number)] == [Kind.DERIVED, Kind.DERIVED, Kind.MEASURED]
    notes = " ".join(text_of(note) for note in table.notes)
    assert "50 %" in notes
    assert "more than the peak shown" not in notes
    assert "3.00× to 3.00×" in notes
    assert "The peaks of ViToks here are all predicted" in notes


def test_the_note_on_peaks_knows_whether_the_gpu_measured_a_vitok_at_all(predictions: Path) -> None:
    def said() -> str:
        return " ".join(text_of(note) for note in fits_table(load(), "H100", [8192]).notes)

    options = {"dtype": "bfloat16", "batch": 1, "preset": "fp8", "precision": "fp8"}
    write_machine(predictions, "speed", 8192, "5B-f16x64", {"peak_memory": 12.0}, gpu="NVIDIA H200", **options)
    assert "measured are of other settings" not in said(), "another GPU"
    write_machine(predictions, "speed", 8192, "5B-f16x64", {"peak_memory": 12.0}, gpu=H100, **options)
    assert "measured are of other settings" in said()


def test_a_time_of_a_preset_that_needs_a_larger_gpu_than_the_cell_names_is_said_to(predictions: Path) -> None:
    options = {"gpu": H100, "dtype": "bfloat16", "batch": 1, "preset": "reference"}
    write_machine(predictions, "speed", 8192, "sd", {"latency": 3000.0, "peak_memory": 30.0}, **options, tiling=True)
    (said,) = [text_of(note) for note in fits_table(load(), "H100", [8192]).notes if "more than" in text_of(note)]
    assert "sd at 8192 px was measured with preset reference, which took 30.0 GiB" in said
    assert "8 GB" in said


def test_a_time_of_a_run_that_took_more_than_the_peak_next_to_it_is_said_to(predictions: Path) -> None:
    options = {"gpu": H100, "dtype": "bfloat16", "batch": 1, "preset": "reference"}
    write_machine(predictions, "speed", 8192, "sd", {"latency": 3000.0, "peak_memory": 3.0}, **options, tiling=True)
    (said,) = [text_of(note) for note in fits_table(load(), "H100", [8192]).notes if "more than" in text_of(note)]
    assert "which took 3.00 GiB" in said
    assert "too much for" not in said, "the GPU that the cell names holds it"


def test_a_missing_prediction_names_the_command_that_makes_it(predictions: Path) -> None:
    with pytest.raises(RequestError, match=r"'350M-f16x16' at 4096 px; vitok plan .*--study derived"):
        fits_table(load(), "H100", [8192, 4096])
    with pytest.raises(RequestError, match="H1000"):
        fits_table(load(), "H1000", [8192])
