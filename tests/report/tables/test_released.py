"""The table of released models: what each cell rests on, and that no order of the rows ranks across protocols."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.fakes.machines import write_fits, write_machine
from tests.fakes.reading import heads, row
from tests.fakes.records import write_measured
from tests.fakes.released import write_released
from vitok_lib.cost.fits import Predicted
from vitok_lib.cost.flops import SideFlops
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number, Table, WebLink, plain
from vitok_lib.report.tables.measured_where import measured_where
from vitok_lib.report.tables.released import released_table
from vitok_lib.tokenizers.licences import LICENCES
from vitok_lib.tokenizers.registry import REGISTRY, RELEASED

H100 = "NVIDIA H100 80GB HBM3"
ALONE: dict[str, Any] = {"dtype": "bfloat16", "batch": 1, "weights": "random:0"}


def cells(table: Table, model: str) -> dict[str, object]:
    """The first part of each cell of a model's row."""
    (found,) = [line for line in table.rows if plain(line[0]).split()[0] == model]
    return {name: (cell[0] if cell else None) for name, cell in zip(heads(table), found, strict=True)}


def psnr(table: Table, model: str) -> Number:
    found = cells(table, model)["DIV8K, 1024 px|PSNR, dB"]
    assert isinstance(found, Number)
    return found


def test_the_rows_are_released_models_and_two_codecs_by_compression() -> None:
    names = [plain(line[0]).split()[0] for line in released_table([]).rows]
    assert sorted(names[:-2]) == sorted(RELEASED)
    assert names[-2:] == ["jpeg:q=75", "avif:q=60"]
    ratios = [float(str(cells(released_table([]), name)["In : out"]).split()[0]) for name in names[:-2]]
    assert ratios == sorted(ratios)
    # 3 · 16² / 64 numbers of a patch for each number of its latent, and 3 · 8² / 4
    assert [cells(released_table([]), name)["In : out"] for name in ("5B-f16x64", "sd")] == ["12 : 1", "48 : 1"]


def test_a_published_value_stays_until_somebody_measures_and_an_estimate_never_shows(results: Path) -> None:
    write_published()
    before = released_table(load())
    assert (psnr(before, "5B-f16x64").text, psnr(before, "5B-f16x64").kind) == ("33.99", Kind.PUBLISHED)
    numbers = [part for line in before.rows for cell in line for part in cell if isinstance(part, Number)]
    assert Kind.ESTIMATED not in {number.kind for number in numbers}
    # The summary guesses 33.50 dB for 5B-f16x32, the project page prints 30.98 dB.
    assert psnr(before, "5B-f16x32").text == "30.98"
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [30.0, 31.0]})
    after = psnr(released_table(load()), "5B-f16x64")
    assert (after.text, after.kind) == ("‡ 30.50", Kind.MEASURED)


def test_what_follows_another_protocol_is_marked_and_no_number_to_sort_by(results: Path) -> None:
    write_published()
    write_measured(results, "cpu", "jpeg:q=75", "wallpapers-1024", {"psnr": [34.0, 36.0], "bpp": [1.5, 2.5]})
    table = released_table(load())
    # Only the hand-written summary has FLUX.1; all others come from the project page.
    assert (psnr(table, "flux").text, psnr(table, "flux").amount) == ("‡ 31.45", None)
    assert (psnr(table, "jpeg:q=75").text, psnr(table, "jpeg:q=75").amount) == ("‡ 35.00", None)
    assert psnr(table, "flux2").amount == 31.44
    assert cells(table, "jpeg:q=75")["In : out"].text == "bits 12 : 1"  # type: ignore[attr-defined]


def predict(results: Path, name: str, work: float = 0.0) -> None:
    """A prediction at 1024 px: ``work`` TFLOP on each side, all in linear layers."""
    side = SideFlops(linear=round(work * 1e12), attention=0)
    write_fits(results, 1024, name, Predicted(10**9, 10**9, 10**9, side, side, 0, 0))


def test_a_least_time_is_a_bound_and_is_not_sorted_among_measured_times(results: Path) -> None:
    for name in ("flux", "sd"):
        predict(results, name, 98.94)
    write_machine(results, "speed", 1024, "flux", {"latency": 140.0}, gpu=H100, **ALONE)
    table = released_table(load())
    measured, bound = (cells(table, name)["NVIDIA H100|ms at 1024 px"] for name in ("flux", "sd"))
    assert isinstance(measured, Number)
    assert isinstance(bound, Number)
    assert (measured.amount, measured.kind) == (140.0, Kind.MEASURED)
    # 2 · 98.94 TFLOP at the data sheet's 989.4 TFLOP/s are 200 ms.
    assert (bound.text, bound.amount, bound.kind) == ("≥ 200", None, Kind.DERIVED)


def test_a_users_own_gpu_adds_its_columns(results: Path) -> None:
    for name in ("flux", "sd"):
        predict(results, name)
        write_machine(results, "speed", 1024, name, {"latency": 140.0}, gpu=H100, study="h100", **ALONE)
    own = "NVIDIA GeForce RTX 4090"
    write_machine(results, "speed", 1024, "sd", {"latency": 300.0}, gpu=own, study="local", **ALONE)
    table = released_table(load())
    assert [head.text for head in table.heads[0] if "NVIDIA" in head.text] == ["NVIDIA H100", "NVIDIA RTX 4090"]
    shown = [cells(table, "sd")[f"NVIDIA {gpu}|ms at 1024 px"] for gpu in ("H100", "RTX 4090")]
    assert [part.text for part in shown if isinstance(part, Number)] == ["140", "300"]


def test_a_licence_is_named_only_where_it_was_read(results: Path) -> None:
    table = released_table([])
    for name in RELEASED:
        shown, repository = cells(table, name)["Licence"], REGISTRY[name].repository
        if repository in LICENCES:
            assert isinstance(shown, WebLink)
            assert shown.url.startswith("https://")
        else:
            assert plain((shown,)) == "not checked"  # type: ignore[arg-type]
    gated = {name for name in RELEASED if "gated" in row(table, plain(line_of(table, name)))["Licence"]}
    assert gated == {"flux", "flux2"}


def line_of(table: Table, model: str) -> tuple[object, ...]:
    (found,) = [line[0] for line in table.rows if plain(line[0]).split()[0] == model]
    return found


def test_every_licence_is_of_a_repository_that_the_registry_names() -> None:
    assert set(LICENCES) <= {entry.repository for entry in REGISTRY.values()}


def test_each_machine_has_a_row_and_what_nobody_measured_is_counted(results: Path) -> None:
    for name in ("flux", "sd"):
        predict(results, name)
    where = {"gpu": H100, "study": "h100"}
    write_machine(results, "speed", 1024, "flux", {"latency": 140.0}, **where, **ALONE)
    write_machine(results, "speed", 1024, "sd", {"latency": 140.0}, **where, **{**ALONE, "batch": 8})
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 31.0]})
    write_published()
    table = measured_where(load())
    assert [plain(line[0]) for line in table.rows] == [H100, "test, 2 cores, no GPU"]
    assert [plain(line[3]) for line in table.rows] == ["2", "1"]
    assert [plain(line[4]) for line in table.rows] == ["flux, sd", "none"]
    counts = dict(re.findall(r"(\w+) at 1024 px for (\d+)", plain(table.notes[0])))
    assert counts == {"PSNR": str(len(RELEASED)), "latency": str(len(RELEASED) - 1)}, "a batch of 8 is no single image"
