"""The table of size rules against values and intervals that are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.reading import heads
from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number, plain
from vitok_lib.report.tables.size_rules import size_rule_table


def test_a_row_has_both_means_and_their_difference_paired_by_image(results: Path) -> None:
    for resolution, lift in ((256, 1.0), (512, 0.0)):
        capped, cropped = [30.0, 31.0, 33.0], [31.0, 33.0, 36.0]
        write_measured(results, "cpu", "nano-f16x64", f"set-{resolution}", {"psnr": capped})
        crops = [psnr + 10 * lift for psnr in cropped]
        write_measured(results, "cpu", "nano-f16x64", f"set-centre-crop-{resolution}", {"psnr": crops})
    table = size_rule_table(load(), ["none", "set"], "psnr")
    assert heads(table)[3:] == ["PSNR, dB, longest side capped", "PSNR, dB, centre crop", "Δ PSNR, dB"]
    small, large = ([plain(cell) for cell in line] for line in table.rows)
    assert small[:3] == ["set, n = 3", "nano-f16x64", "256"]
    assert [cell.partition(" [")[0] for cell in small[3:]] == ["31.33", "43.33", "+12.00"]
    # 1, 2 and 3 dB have the mean 2 and the standard deviation 1: Student's t of 2 degrees of freedom is 4.303.
    assert large[5].startswith("+2.00 [−0.48, 4.48]")
    assert "not significant" in large[5]
    assert "not significant" not in small[5]
    (note,) = table.notes
    assert [part.text for part in note if isinstance(part, Number)] == ["2", "2", "1"], "both above 0, one significant"


def test_other_images_and_one_rule_alone_are_not_compared(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "set-256", {"psnr": [30.0, 31.0]})
    with pytest.raises(RequestError, match="on the same images of set under both size rules"):
        size_rule_table(load(), ["set"], "psnr")
    write_measured(results, "cpu", "nano-f16x64", "set-centre-crop-256", {"psnr": [30.0, 31.0, 32.0]})
    with pytest.raises(RequestError, match="measure one with --rule cap and with --rule centre-crop"):
        size_rule_table(load(), ["set"], "psnr")
