"""The worked example multiplies out: each line by itself, from the lines above it, and against known figures."""

from __future__ import annotations

import math
import re

import pytest

from tests.fakes.reading import text_of
from vitok_lib.errors import RequestError
from vitok_lib.project import ROOT
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Table
from vitok_lib.report.tables.machine.worked_example import worked_example

_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


@pytest.fixture(autouse=True)
def _committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(ROOT / "results"))


def _value(arithmetic: str) -> float:
    """The printed arithmetic, computed."""
    text = arithmetic.replace(",", "").replace("·", "*").replace("−", "-")
    text = text.replace("⌊", "math.floor(").replace("⌈", "math.ceil(").replace("⌋", ")").replace("⌉", ")")
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: f"**{power[0].translate(_POWERS)}", text)
    assert re.fullmatch(r"(?:math\.(?:floor|ceil)|[\d.()+\-*/ ])+", text)
    return float(eval(text, {"math": math}))


def _results(table: Table) -> dict[str, float]:
    return {text_of(cells[0]): float(text_of(cells[2]).split()[0].replace(",", "")) for cells in table.rows}


@pytest.mark.parametrize(
    ("name", "resolution", "gpu"),
    [("5B-f16x64", 4096, "H100"), ("5B-f16x64", 8192, "RTX 4090"), ("350M-f16x16", 8192, "A10")],
)
def test_every_line_multiplies_out(name: str, resolution: int, gpu: str) -> None:
    table = worked_example(load(), name, resolution, gpu)
    for label, arithmetic, result in table.rows:
        shown = float(text_of(result).split()[0].replace(",", ""))
        assert shown == pytest.approx(_value(text_of(arithmetic)), rel=1e-3), text_of(label)


def test_the_figures_are_those_of_the_architecture() -> None:
    """5B: 44 blocks of width 3072, MLP 8208, so 113.4 M weights each; at 8192 px 2.62 PFLOP, attention 0.29."""
    full, windowed = (worked_example(load(), "5B-f16x64", size, "H100") for size in (4096, 8192))
    found = _results(full)
    assert list(found.values())[:3] == [65_536, 8208, 113_393_664]
    assert found["FLOPs of attention: two products a pair"] == pytest.approx(4 * 65_536**2 * 3072 * 44 / 1e12, rel=1e-3)
    assert found["FLOPs"] == pytest.approx((2 * 65_536 * 113.4e6 * 44 + 4 * 65_536**2 * 3072 * 44) / 1e12, rel=1e-2)
    assert found["Least time at 989.4 TFLOP/s (H100)"] == pytest.approx(2977 / 989.4, rel=1e-3)
    assert found["Weights, 2 bytes each"] == pytest.approx(2 * 4.9947e9 / 2**30, rel=1e-3)
    found = _results(windowed)
    assert found["FLOPs of these in all blocks"] == pytest.approx(2380 + 240, rel=1e-2)
    assert found["FLOPs of attention: two products a pair"] == pytest.approx(290, rel=1e-2)


@pytest.mark.parametrize(
    ("name", "resolution", "gpu", "named"),
    [
        ("flux", 4096, "H100", "'flux' is no ViTok"),
        ("5B-f16x64", 512, "H100", "512 px"),
        ("5B-f16x64", 4096, "H1000", "H1000"),
        ("nano-f16x64", 4096, "H100", "'nano-f16x64'"),
    ],
)
def test_what_has_no_example_is_one_sentence(name: str, resolution: int, gpu: str, named: str) -> None:
    with pytest.raises(RequestError, match=named):
        worked_example(load(), name, resolution, gpu)
