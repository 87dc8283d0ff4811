"""The findings on speed, against arithmetic done by hand; none crosses a machine or a run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.machines import GPU, rounds, write_machine
from tests.fakes.reading import intervals_in, numbers_in, text_of
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.data.limits import limits
from vitok_lib.report.data.record_view import Entry, load
from vitok_lib.report.data.speedups import speed_ratio
from vitok_lib.report.findings import speed, window
from vitok_lib.report.page.content import Number, Sentence

VITOK = "5B-f16x64"


def texts(sentences: list[Sentence]) -> list[str]:
    return [text_of(sentence) for sentence in sentences]


def test_nothing_is_said_where_nothing_was_measured(results: Path) -> None:
    every = window.FINDINGS | speed.FINDINGS
    assert [finding([]) for finding in every.values()] == [[]] * len(every)
    assert speed.patches_measured([], "5B-f32x64", VITOK) == []


def test_published_windows_are_compared_with_their_flops(results: Path) -> None:
    write_published()
    (sentence,) = window.windows_published(load())
    linear = 2 * 4.995e9  # of a token
    attention = {r: 4 * 3072 * 44 * (2 * r + 1) for r in (64, 1024)}  # of a token
    share = 100 * attention[1024] / (attention[1024] + linear)
    limit = 1 + attention[1024] / linear
    assert numbers_in(sentence, Kind.PUBLISHED) == [7887.0, 7084.0, round(7887 / 7084, 2)]
    predicted = (linear + attention[1024]) / (linear + attention[64])
    assert numbers_in(sentence, Kind.DERIVED) == pytest.approx([predicted, share, limit], abs=0.06)


def write_windows(root: Path, latencies: dict[int | None, float], **options: object) -> None:
    whole, first = next(iter(latencies.values())), None
    for size, latency in latencies.items():
        settings = {"window": size} if size else {}
        values = {"latency": latency, "speedup": whole / latency}
        written = write_machine(
            root, "sliding-window", 2048, VITOK, values, preset="reference", first=first, **settings, **options
        )
        first = first or written


def test_the_narrowest_window_is_compared_with_the_widest_of_its_run(results: Path) -> None:
    write_windows(results, {None: 200.0, 1024: 110.0, 64: 100.0})
    (sentence,) = window.windows_measured(load())
    assert (numbers_in(sentence), intervals_in(sentence)[0]) == ([2.0, 1.87], "[1.98, 2.02]")
    assert f"(study h200, {GPU}): radius 64 is" in text_of(sentence)
    assert "as fast as full attention" in text_of(sentence)


def test_a_ratio_that_the_run_did_not_record_is_taken_from_its_rounds(results: Path) -> None:
    """Each round of one is 1.1 times that of the other: the interval has no width, though the latencies vary."""
    for size, latency in ((1024, 110.0), (64, 100.0)):
        values = {"latency": latency}
        file = write_machine(results, "sliding-window", 2048, VITOK, values, preset="reference", window=size)
        rounds(Path("the-same"), latency, 0.5).to_parquet(file.with_suffix(".parquet"), index=False)
    (sentence,) = window.windows_measured(load())
    assert (numbers_in(sentence)[0], intervals_in(sentence)[0]) == (1.10, "[1.10, 1.10]")
    assert "not significant" not in text_of(sentence)


def test_a_ratio_of_two_runs_has_no_interval(results: Path) -> None:
    for name, latency, day in ((VITOK, 110.0, 1), ("5B-f32x64", 100.0, 2)):
        started = datetime(2026, 1, day, tzinfo=UTC)
        write_machine(results, "speed", 2048, name, {"latency": latency}, preset="reference", started=started)
    first, second = load()
    ratio = speed_ratio(first, second)
    assert ratio is not None
    assert (ratio.interval, ratio.significant) == (None, False)


def test_latencies_that_do_not_differ_significantly_are_said_not_to(results: Path) -> None:
    write_windows(results, {1024: 100.5, 64: 100.0})
    assert texts(window.windows_measured(load()))[0].endswith("the difference is not significant.")


def test_the_dense_mask_has_a_time_or_an_outcome(results: Path) -> None:
    for resolution, latency in ((1024, 300.0), (8192, None)):
        values = {} if latency is None else {"latency": latency, "speedup": 0.5}
        ended = Outcome(status=OutcomeStatus.OK if latency else OutcomeStatus.OOM)
        where = {"window": 64, "preset": "dense", "outcome": ended}
        write_machine(results, "sliding-window", resolution, VITOK, values, **where)
        write_machine(results, "sliding-window", resolution, VITOK, {"latency": 150.0}, window=64, preset="reference")
    small, large = window.dense_against_windowed(load())
    assert numbers_in(small) == pytest.approx([150.0, 300.0, 2.0], rel=0.01)
    assert numbers_in(large) == [150.0]
    assert "OOM" in text_of(large)


def test_the_fastest_preset_is_named_with_its_error_and_never_across_machines(results: Path) -> None:
    first = None
    for path, latency, error in (("reference", 100.0, 0.004), ("fast", 80.0, 0.004), ("fp8", 50.0, 0.03)):
        values = {"latency": latency, "speedup": 100.0 / latency, "error": error}
        written = write_machine(results, "speed", 1024, VITOK, values, preset=path, dtype="bfloat16", first=first)
        first = first or written
    write_machine(results, "speed", 1024, VITOK, {"latency": 1.0}, preset="fast", dtype="bfloat16", study="local")
    (sentence,) = speed.fastest_presets(load())
    assert (numbers_in(sentence), intervals_in(sentence)[0]) == ([2.0, 0.03, 0.004], "[1.98, 2.02]")
    assert "fp8 is the fastest of 3 presets" in text_of(sentence)
    assert GPU in text_of(sentence)


def write_presets(root: Path, speedups: dict[str, float], margin: float) -> None:
    first = None
    for preset, speedup in speedups.items():
        values = {"latency": 100.0 / speedup, "speedup": speedup}
        written = write_machine(root, "speed", 1024, VITOK, values, preset=preset, margin=margin, first=first)
        first = first or written


@pytest.mark.parametrize(
    ("speedups", "margin", "said"),
    [
        ({"reference": 1.0, "fast": 1.02}, 0.05, "no other preset is significantly faster"),
        ({"reference": 1.0, "fast": 0.98, "fp8": 0.9}, 0.001, "none of 2 other presets is faster"),
        ({"reference": 1.0, "fast": 2.0, "fp8": 2.01}, 0.01, "the difference to fast is not significant"),
        ({"reference": 1.0, "fast": 2.0, "fp8": 2.5}, 0.01, "fp8 is the fastest of 3 presets, 2.50× [2.48, 2.52]"),
    ],
)
def test_a_preset_is_the_fastest_only_where_its_rounds_are_significant(
    speedups: dict[str, float], margin: float, said: str, results: Path
) -> None:
    write_presets(results, speedups, margin)
    (sentence,) = texts(speed.fastest_presets(load()))
    assert said in sentence


def test_the_gain_is_that_of_the_rounds_and_not_of_the_medians(results: Path) -> None:
    first = write_machine(results, "speed", 1024, VITOK, {"latency": 529.0, "speedup": 1.0}, preset="reference")
    values = {"latency": 502.0, "speedup": 0.977}
    write_machine(results, "speed", 1024, VITOK, values, preset="folded", first=first)
    assert "no other preset is faster" in texts(speed.fastest_presets(load()))[0]


def test_a_coarser_patch_is_compared_with_its_flops(results: Path) -> None:
    for name, latency in ((VITOK, 600.0), ("5B-f32x64", 100.0)):
        write_machine(results, "speed", 2048, name, {"latency": latency}, preset="reference")
    (sentence,) = speed.patches_measured(load(), "5B-f32x64", VITOK)
    linear, attention = 9.99e9, 4 * 3072 * 44
    predicted = (linear * 16384 + attention * 16384**2) / (10.02e9 * 4096 + attention * 4096**2)
    assert numbers_in(sentence) == pytest.approx([6.0, predicted], rel=0.01)


def test_compiling_pays_after_the_images_that_earn_it_back_or_never(results: Path) -> None:
    for mode, latency in ((None, 100.0), ("default", 80.0), ("max-autotune", 100.4)):
        settings = {"compile": mode} if mode else {}
        values = {"latency": latency, "compile_time": 30.0 if mode else 0.0}
        write_machine(results, "compile-modes", 1024, VITOK, values, **settings)
    paid, unpaid = speed.compiling_pays(load())
    assert numbers_in(paid) == pytest.approx([1.25, 30.0, 1500.0], rel=0.01)
    assert numbers_in(unpaid) == [0.99, 30.0]
    assert "the difference is not significant" in text_of(unpaid)


def test_the_worst_last_row_and_the_longest_stage_are_named(results: Path) -> None:
    for dtype, last in (("float32", 0.001), ("bfloat16", 0.5)):
        write_machine(results, "precision", 1024, VITOK, {"error": 0.01, "error_last": last}, dtype=dtype)
    chain = {"latency": 100.0, "end_to_end_latency": 250.0, "device_latency": 125.0}
    large = {"error_reference": 0.001, "error_reference_last": 0.5}
    write_machine(results, "speed", 1024, VITOK, chain | large, preset="fast")
    (last_row,), (whole,) = speed.last_tokens(load()), speed.end_to_end(load())
    assert numbers_in(last_row, Kind.MEASURED) == [0.5, 0.001]
    assert "5B-f16x64 at 1024 px, preset fast" in text_of(last_row)
    assert "3 comparisons" in text_of(last_row)
    assert numbers_in(whole) == [250.0, 2.0]
    assert "bottleneck" not in text_of(whole), "the stages are not known"


@pytest.mark.parametrize(
    ("loading", "decode", "metric", "whole", "bound"),
    [
        (900.0, 60.0, 30.0, 230.0, "the bottleneck is preparation"),
        (200.0, 60.0, 30.0, 110.0, "the bottleneck is the model"),
        (200.0, 20.0, 90.0, 130.0, "the bottleneck is the metrics"),
        (200.0, 60.0, 30.0, 900.0, "no single bottleneck"),
    ],
)
def test_the_bottleneck_follows_from_the_stages(
    results: Path, loading: float, decode: float, metric: float, whole: float, bound: str
) -> None:
    stages = {"load": loading, "copy": 2.0, "encode": 10.0, "decode": decode, "metric": metric}
    chain = {f"stage_{stage}": taken for stage, taken in stages.items()} | {"preparing_threads": 4.0}
    latency = {"latency": 100.0, "end_to_end_latency": whole, "device_latency": 10 + decode}
    write_machine(results, "speed", 1024, VITOK, latency | chain, preset="fast")
    (sentence,) = speed.end_to_end(load())
    assert bound in text_of(sentence)
    assert numbers_in(sentence)[2:] == [loading / 4, 2.0, 10 + decode, metric]


def test_an_older_record_prepared_with_two_threads(results: Path) -> None:
    stages = {"stage_load": 30.0, "stage_copy": 1.0, "stage_encode": 2.0, "stage_decode": 3.0, "stage_metric": 4.0}
    whole = {"latency": 5.0, "end_to_end_latency": 16.0}
    write_machine(results, "speed", 1024, VITOK, whole | stages, preset="fast")
    (sentence,) = speed.end_to_end(load())
    assert "the bottleneck is preparation (preparation 15" in text_of(sentence)
    assert numbers_in(sentence)[:2] == [16.0, 3.2]


def test_another_size_of_a_run_is_compared_with_its_flops(results: Path) -> None:
    write_machine(results, "speed", 2048, VITOK, {"latency": 100.0}, preset="fp8")
    path = write_machine(
        results, "speed", 2048, VITOK, {"latency": 66.0, "relative_time": 0.66}, preset="fp8", size=(1024, 2048)
    )
    assert speed.sizes_of_one_run(load()) == [], "what it was taken to is not known"
    record = read_record(path)
    signature = "relative-time|per-round ratio|median|to:5B-f16x64@preset=fp8 at 2048x2048 px|v1"
    values = [v.model_copy(update={"signature": signature}) if v.unit == "×" else v for v in record.values]
    write_record(record.model_copy(update={"values": tuple(values)}), path)
    (sentence,) = speed.sizes_of_one_run(load())
    linear, attention = 9.99e9, 4 * 3072 * 44
    counted = (linear * 8192 + attention * 8192**2) / (linear * 16384 + attention * 16384**2)
    assert numbers_in(sentence) == pytest.approx([0.66, counted], abs=0.006)
    assert intervals_in(sentence)[0] == "[0.65, 0.67]"
    assert "the time of 2048 px" in text_of(sentence)


def test_a_bound_is_named_for_the_smallest_and_the_largest_size_in_the_fastest_preset(results: Path) -> None:
    ceilings = {"ceiling_matmul": 800.0, "ceiling_copy": 4000.0}
    for resolution, path, latency in ((1024, "reference", 999.0), (1024, "fast", 400.0), (2048, "fast", 600.0)):
        write_machine(results, "roofline", resolution, VITOK, {"latency": latency, **ceilings}, preset=path)
    small, large = texts(speed.bounds(load()))
    assert "at 1024 px, preset fast" in small
    assert "bound by neither peak" in small
    assert "at 2048 px, preset fast" in large
    assert "bound by compute" in large


def test_each_configuration_of_a_run_has_its_own_roofline(results: Path) -> None:
    rates = {"ceiling_matmul": 800.0, "ceiling_attention": 400.0, "ceiling_copy": 4000.0}
    for latency, settings in ((3.0, {}), (2.0, {"compile": "default"}), (1.0, {"precision": "fp8"})):
        write_machine(results, "speed", 1024, VITOK, {"latency": latency, **rates}, dtype="bfloat16", **settings)
    (held,) = limits(load()).values()
    assert sorted(limit.taken_ms for limit in held) == [1.0, 2.0, 3.0]


def test_attention_beside_fp8_is_bound_by_products_in_its_own_dtype(results: Path) -> None:
    values = {"latency": 1000.0, "ceiling_matmul": 1e9, "ceiling_copy": 1e12}
    where = {"preset": "fp8", "precision": "fp8", "dtype": "bfloat16"}
    write_machine(results, "speed", 2048, VITOK, values, **where)
    assert limits(load()) == {}, "the ceiling of attention's products is not known"
    write_machine(results, "speed", 2048, VITOK, values | {"ceiling_attention": 400.0}, **where)
    ((limit,),) = limits(load()).values()
    assert limit.least("attention") == pytest.approx(4 * 3072 * 44 * 16384**2 / 400e12 * 1e3, rel=1e-3)
    assert limit.least("linear") < 1e-3


def test_every_number_of_a_sentence_is_measured_or_derived_and_links_to_a_record(results: Path) -> None:
    write_windows(results, {1024: 110.0, 64: 100.0})
    write_machine(results, "speed", 1024, VITOK, {"latency": 100.0, "error": 0.1}, preset="reference")
    write_machine(results, "speed", 1024, VITOK, {"latency": 50.0, "error": 0.2}, preset="fast")
    entries: list[Entry] = load()
    anchors = {entry.anchor for entry in entries}
    for sentence in (*window.windows_measured(entries), *speed.fastest_presets(entries)):
        found = [part for part in sentence if isinstance(part, Number)]
        assert found
        assert all(number.anchor in anchors and number.kind in (Kind.MEASURED, Kind.DERIVED) for number in found)


def test_a_latency_without_an_interval_is_said_to_have_none(results: Path) -> None:
    for path, latency in (("reference", 100.0), ("fast", 50.0)):
        file = write_machine(results, "speed", 1024, VITOK, {"latency": latency}, preset=path)
        record = read_record(file)
        bare = record.values[0].model_copy(update={"interval": None})
        write_record(record.model_copy(update={"values": (bare,), "samples": None}), file)
    assert "no interval" in texts(speed.fastest_presets(load()))[0]
