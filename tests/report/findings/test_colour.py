"""Sentences on colour: what differs from its neutral value once all are tested, and what passes add up to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import t as student

from tests.fakes.reading import intervals_in, numbers_in, text_of
from tests.fakes.records import write_measured
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import colour

CASE = "photos-512"


def _spread(mean: float, half: float) -> list[float]:
    """Twenty values with a mean, and a spread that is easy to see: the 95 % interval is ± 0.48 of ``half``."""
    return [mean + sign * half for sign in (-1, 1)] * 10


def test_shifts_are_tested_all_at_once(results: Path) -> None:
    # The single interval of 0.55 ± 0.48 leaves out 0, that of one among six, ± 0.68, does not.
    write_measured(
        results,
        "cpu",
        "nano-f16x64",
        CASE,
        {"delta-l": _spread(0.55, 1), "delta-a": _spread(-2, 1), "delta-b": [0.0] * 20},
    )
    write_measured(
        results, "cpu", "pca-f16x64", CASE, {name: _spread(0.0, 1) for name in ("delta-l", "delta-a", "delta-b")}
    )
    (sentence,) = colour.shifts(load(), CASE)
    assert numbers_in(sentence) == [-2.0]
    assert "1 of 6 mean shifts" in text_of(sentence)
    assert "Δa* of nano-f16x64" in text_of(sentence)
    half = student.ppf(1 - 0.05 / 6 / 2, 19) * np.std(_spread(-2, 1), ddof=1) / np.sqrt(20)
    assert intervals_in(sentence) == [f"[{-2 - half:.3f}, {-2 + half:.3f}]".replace("-", "−")]


def test_a_grid_is_tested_against_one(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"grid-error": _spread(1.5, 0.2)})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"grid-error": _spread(1.01, 0.2)})
    (sentence,) = colour.grids(load(), CASE)
    assert numbers_in(sentence) == [1.5]
    assert "1 of 2 tokenizers" in text_of(sentence)


def test_drift_names_a_loss_that_is_not_significant(results: Path) -> None:
    for name, loss in (("nano-f16x64", 3.0), ("pca-f16x64", 0.1)):
        samples = {"psnr_loss": _spread(loss, 1), "delta-l_1": _spread(0.2, 0.1), "delta-l_8": _spread(1.6, 0.1)}
        write_measured(results, "cpu", name, "drift-256", samples)
    write_measured(results, "cpu", "nano-f16x32", "drift-256", {"psnr_1": [20.0, 21.0]})  # ended before its last pass
    lossy, still = colour.drifts(load(), "drift-256")
    assert numbers_in(lossy) == [3.0, 0.2, 1.6]
    assert "not significant" not in text_of(lossy)
    assert "(not significant)" in text_of(still)


def test_one_image_is_no_test(results: Path) -> None:
    values = {"psnr_loss": [1.0], "delta-l_1": [0.1], "delta-l_8": [0.2], "delta-l": [0.5], "grid-error": [2.0]}
    write_measured(results, "cpu", "nano-f16x64", "drift-256", values)
    (drift,) = colour.drifts(load(), "drift-256")
    assert "too few for a test" in text_of(drift)
    for make in (colour.shifts, colour.grids):
        (sentence,) = make(load(), "drift-256")
        assert numbers_in(sentence) == []
        assert "nothing can be tested" in text_of(sentence)
