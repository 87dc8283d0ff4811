"""The figure of the released models, read back from its axes: one protocol, and evidence that its look tells apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from tests.fakes.machines import write_fits, write_machine
from tests.fakes.records import write_measured
from vitok_lib.cost.fits import Predicted
from vitok_lib.cost.flops import SideFlops
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures.released import released
from vitok_lib.tokenizers.registry import RELEASED, describe

GB = 10**9
H100 = "NVIDIA H100 80GB HBM3"


def _marks(axes: Axes) -> dict[str, PathCollection]:
    return {str(mark.get_label()): mark for mark in axes.collections if isinstance(mark, PathCollection)}


def test_published_values_are_of_one_source_and_hollow(results: Path) -> None:
    write_published()
    drawing = released(
        load(),
    )
    marks = _marks(drawing.figure.axes[0])
    by_source: dict[str, dict[str, float]] = {}
    for entry in load():
        if entry.case == "div8k-1024" and entry.record.value("psnr") and entry.record.tokenizer.name in RELEASED:
            by_source.setdefault(entry.origin, {})[entry.record.tokenizer.name] = entry.value("psnr").value
    page = by_source["project-page"]
    assert set(marks) >= set(page)
    assert "flux" in by_source["evaluation-summary"]
    assert "flux" not in marks, "another source is another protocol"
    assert "Not shown, since this source gives no PSNR: flux" in drawing.caption
    for name, psnr in page.items():
        assert marks[name].get_offsets().tolist() == [[describe(name).compression_ratio, psnr]]
        assert marks[name].get_facecolor().size == 0, "published"


def test_what_is_measured_is_filled_and_has_a_solid_outline_and_the_area_is_the_latency(results: Path) -> None:
    write_published()
    side = SideFlops(linear=0, attention=0)
    # 3,350 GB/s of an H100 move 670 GB in 200 ms.
    predicted = Predicted(GB, GB, GB, side, side, 335 * GB, 335 * GB)
    for name in ("flux", "flux2", "5B-f16x64", "5B-f16x32"):
        write_fits(results, 1024, name, predicted)
    write_measured(results, "h100", "flux", "div8k-1024", {"psnr": [30.0, 32.0]})
    for name, latency in (("flux", 100.0), ("5B-f16x64", 50.0), ("5B-f16x32", 1234.5)):
        write_machine(results, "speed", 1024, name, {"latency": latency}, gpu=H100, dtype="bfloat16")
    drawing = released(load())
    marks = _marks(drawing.figure.axes[0])
    assert marks["flux"].get_offsets().tolist() == [[12.0, 31.0]]
    assert marks["flux"].get_facecolor().size > 0
    assert marks["5B-f16x64"].get_facecolor().size == 0
    areas = [marks[name].get_sizes()[0] for name in ("5B-f16x64", "flux", "flux2")]
    assert [area / areas[0] for area in areas] == pytest.approx([1.0, 2.0, 4.0])
    dashed = {name: marks[name].get_linestyle()[0][1] is not None for name in ("5B-f16x64", "flux", "flux2")}
    assert dashed == {"5B-f16x64": False, "flux": False, "flux2": True}
    shown = {"flux, 100 ms", "flux2, ≥ 200 ms", "5B-f16x32, 1,230 ms"}
    assert shown <= {text.get_text() for text in drawing.figure.axes[0].texts}


def test_the_caption_says_what_an_area_is(results: Path) -> None:
    write_published()
    assert "area" not in released(load()).caption, "no time is known"
    side = SideFlops(linear=0, attention=0)
    write_fits(results, 1024, "flux2", Predicted(GB, GB, GB, side, side, 335 * GB, 335 * GB))
    assert "No latency was measured: each area is the least time" in released(load()).caption
    write_machine(results, "speed", 1024, "flux2", {"latency": 250.0}, gpu=H100, dtype="bfloat16")
    assert "Solid outline: latency measured (1)." in released(load()).caption


def test_labels_name_every_model_once_and_none_covers_another(results: Path) -> None:
    write_published()
    (axes,) = released(load()).figure.axes
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts if text.get_text()}
    names = {text.partition(",")[0] for text in boxes}
    assert names == set(_marks(axes)) & set(RELEASED)
    held = list(boxes.values())
    overlapping = np.array([[one.overlaps(other) for other in held] for one in held])
    assert overlapping.sum() == len(held), "each overlaps itself alone"


def test_small_tokenizers_and_codecs_are_not_in_it(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "div8k-1024", {"psnr": [30.0, 32.0]})
    with pytest.raises(RequestError, match="no released model has a PSNR at 1024 px"):
        released(load())
