"""The table of passes: bytes by hand, and times only where a GPU's bandwidth is on record."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import write_machine
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.machine.passes import passes_table

NAME = "5B-f16x64"


def test_bytes_are_those_worked_out_by_hand_and_times_follow_from_a_recorded_bandwidth(results: Path) -> None:
    # 35.4 · 10⁹ values of 29, 18 and 18 bytes and 94.7 · 10⁹ hidden ones of 5, 5 and 3
    whole = [plain(cell) for cell in passes_table(NAME, 8192).rows[-1]]
    assert whole == ["All", "1,500", "1,110", "922", "1.63×", "1.21×"]
    rates = {"ceiling_matmul": 1300.0, "ceiling_copy": 3000.0, "latency": 1.0}
    for precision in (None, "fp8"):
        write_machine(results, "speed", 1024, NAME, rates, precision=precision, dtype="bfloat16")
    times = [plain(cell) for cell in passes_table(NAME, 8192).rows[-1]]
    assert times == ["All, ms at peak bandwidth", "500", "370", "307", "1.63×", "1.21×"]
