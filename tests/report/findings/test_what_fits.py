"""What fits on a common GPU: whole or in tiles, predicted unless measured, and what is said where nothing is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.machines import write_fits, write_machine
from tests.fakes.reading import text_of
from vitok_lib.cost.fits import GIB, Predicted
from vitok_lib.cost.flops import SideFlops
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings.what_fits import what_fits

NO_WORK = SideFlops(linear=0, attention=0)


def predict(results: Path, name: str, gib: float, **settings: Any) -> None:
    peak = round(gib * GIB)
    write_fits(results, 4096, name, Predicted(GIB, peak, peak, NO_WORK, NO_WORK, 0, 0), **settings)


def answer() -> str:
    (sentence,) = what_fits(load())
    return text_of(sentence)


def test_what_fits_whole_is_told_from_what_fits_in_tiles_alone(results: Path) -> None:
    predict(results, "5B-f16x64", 14.0)
    predict(results, "350M-f16x64", 3.0)
    for name, whole in (("flux", 38.0), ("sd", 12.0)):
        predict(results, name, whole)
        predict(results, name, 2.0, tiling=True)
    assert "all 2 ViToks and 1 of the 2 auto-encoders fit as a whole; in tiles, all 2 auto-encoders do" in answer()
    assert "ViTok-v2 5B-f16x64 needs 14.0 GiB (predicted)" in answer()
    # 24 · 10⁹ bytes are 22.35 GiB.
    predict(results, "5B-f16x64", 22.4)
    assert "1 of the 2 ViToks" in answer()


def test_a_measured_peak_is_called_measured_and_names_its_gpu(results: Path) -> None:
    predict(results, "flux", 20.0)
    assert "In bf16, all 1 auto-encoders fit as a whole" in answer()
    measured: dict[str, Any] = {"dtype": "bfloat16", "batch": 1, "weights": "random:0", "gpu": "NVIDIA H100 80GB HBM3"}
    write_machine(results, "memory", 4096, "flux", {"evaluation_peak": 38.0, "model_peak": 37.0}, **measured)
    assert "In bf16, none of the 1 auto-encoders fit as a whole" in answer(), "a measurement goes before a prediction"
    assert "FLUX.1's VAE needs 37.0 GiB as a whole (measured on one NVIDIA H100)" in answer()


def test_without_a_prediction_the_answer_says_how_to_make_one(results: Path) -> None:
    assert "Unknown" in answer()
    assert "vitok plan --study derived --resolution 4096" in answer()
