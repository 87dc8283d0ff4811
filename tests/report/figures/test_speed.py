"""The figures of speed and memory, by the words that say what they show."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import CPU, GPU, write_all_machines, write_machine
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures import speed

VITOK = "5B-f16x64"


def test_each_machine_has_its_figure_and_it_is_the_same_twice(results: Path) -> None:
    write_all_machines(results)
    for study, gpu in (("h200", GPU), ("cpu", None)):
        where = {"study": study, "gpu": gpu, "dtype": "bfloat16"}
        write_machine(results, "speed", 4096, VITOK, {"latency": 3e3}, preset="reference", **where)
        write_machine(results, "memory", 4096, VITOK, {"model_peak": 40.0}, study=study, gpu=gpu)
    figures = (
        lambda: speed.by_tokens(load(), ["sliding-window", "speed"], "latency"),
        lambda: speed.by_tokens(load(), ["memory"], "model_peak"),
        lambda: speed.rates_under_peaks(load()),
        lambda: speed.time_by_operation(load()),
    )
    for draw in figures:
        drawn = draw()
        assert [machine.device for machine, _ in drawn] == [GPU, CPU]
    assert [drawing.svg for _, drawing in drawn] == [drawing.svg for _, drawing in draw()]


def test_growth_is_drawn_of_each_path_at_one_window(results: Path) -> None:
    for resolution, factor in ((1024, 1.0), (2048, 4.0), (4096, 16.0)):
        for path, window, base in (("reference", None, 90.0), ("reference", 64, 50.0), ("dense", 64, 70.0)):
            settings = {"window": window} if window else {}
            values = {"latency": base * factor}
            write_machine(results, "sliding-window", resolution, VITOK, values, preset=path, **settings)
    for resolution in (1024, 2048):
        write_machine(results, "sliding-window", resolution, VITOK, {"latency": 60.0}, preset="reference", window=1024)
    ((_, drawing),) = speed.by_tokens(load(), ["sliding-window"], "latency")
    assert "5B-f16x64, dense, radius 64: 70 at 4,096, 280 at 16,384, 1,120 at 65,536" in drawing.alternative
    assert "5B-f16x64, reference, full attention: 90 at 4,096, 360 at 16,384, 1,440 at 65,536" in drawing.alternative
    assert "radius 1,024" not in drawing.alternative, "two points are no line"


def test_squares_are_drawn_and_tokens_at_a_time_tell_lines_apart(results: Path) -> None:
    for resolution, peak in ((1024, 1.0), (2048, 4.0), (4096, 16.0)):
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak})
        write_machine(results, "memory", resolution, VITOK, {"model_peak": 2 * peak}, chunk=0)
    write_machine(results, "memory", 1536, VITOK, {"model_peak": 2.5}, size=(1024, 1536))
    ((_, drawing),) = speed.by_tokens(load(), ["memory"], "model_peak")
    assert "5B-f16x64, 65,536 tokens at once: 1 at 4,096, 4 at 16,384, 16 at 65,536" in drawing.alternative
    assert "5B-f16x64, all tokens at once: 2 at 4,096, 8 at 16,384, 32 at 65,536" in drawing.alternative


def test_a_guide_leaves_the_axes_where_the_data_end(results: Path) -> None:
    for resolution, latency in ((512, 20.0), (1024, 21.0), (4096, 22.0)):
        write_machine(results, "speed", resolution, VITOK, {"latency": latency})
    ((_, drawing),) = speed.by_tokens(load(), ["speed"], "latency")
    low, high = drawing.figure.axes[0].get_ylim()
    assert low > 10
    assert high < 40


def test_peaks_of_the_roofline_that_hardly_differ_are_one_line(results: Path) -> None:
    for resolution, peak in ((512, 700.0), (1024, 720.0), (2048, 1300.0)):
        values = {"latency": 100.0, "ceiling_matmul": peak, "ceiling_copy": 3000.0}
        write_machine(results, "roofline", resolution, VITOK, values, dtype="bfloat16", preset="reference")
    ((_, drawing),) = speed.rates_under_peaks(load())
    tops = sorted(max(line.get_ydata()) for line in drawing.figure.axes[0].lines if len(line.get_ydata()) > 100)
    assert tops == [720.0, 1300.0]


def test_labels_leave_out_what_all_lines_share() -> None:
    shared, short = speed.short_names(["5B, fast, radius 64", "5B, fp8, radius 64", "350M, fp8, radius 64"])
    assert shared == ["radius 64"]
    assert list(short.values()) == ["5B, fast", "5B, fp8", "350M, fp8"]
    assert speed.short_names(["5B, fast"]) == ([], {"5B, fast": "5B, fast"})


def test_one_size_draws_nothing_and_neither_does_what_has_no_ceilings(results: Path) -> None:
    write_machine(results, "speed", 1024, VITOK, {"latency": 60.0})
    assert speed.by_tokens(load(), ["speed"], "latency") == []
    assert speed.rates_under_peaks(load()) == []
    assert speed.time_by_operation(load()) == []


def test_a_rate_stands_at_its_operations_for_each_byte(results: Path) -> None:
    values = {"latency": 100.0, "ceiling_matmul": 800.0, "ceiling_copy": 4000.0}
    write_machine(results, "roofline", 1024, VITOK, values, dtype="bfloat16", preset="reference")
    write_machine(results, "roofline", 2048, VITOK, values, dtype="float32", preset="reference")
    ((_, drawing),) = speed.rates_under_peaks(load())
    operations = 9.99e9 * 4096 + 4 * 3072 * 44 * 4096**2
    assert f"{operations / 0.1 / 1e12:.1f} of 800 TFLOP/s at 1024" in drawing.alternative
    halves, wholes = (int(text.split(" ")[0]) for text in drawing.alternative.replace(",", "").split(" and ")[1:3])
    assert halves > wholes / 2, "values twice as wide move twice the bytes"


def test_shares_of_time_are_told_for_each_record(results: Path) -> None:
    values = {"time_linear": 30.0, "time_attention": 10.0}
    write_machine(results, "profile", 1024, VITOK, values, preset="fast")
    write_machine(results, "profile", 1024, VITOK, {"time_copy": 5.0}, preset="reference")
    ((_, drawing),) = speed.time_by_operation(load())
    said = drawing.alternative.replace("\N{NO-BREAK SPACE}", " ")
    assert "fast, 1024 px: linear 75.0 %, attention 25.0 %" in said
    assert "reference, 1024 px: copies 100.0 %" in said
