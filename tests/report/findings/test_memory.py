"""The findings on memory, against arithmetic done by hand."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import GPU, at_commit, write_machine
from tests.fakes.reading import numbers_in, text_of
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import memory

VITOK = "5B-f16x64"
OOM = Outcome(status=OutcomeStatus.OOM)


def test_nothing_is_said_where_nothing_was_measured(results: Path) -> None:
    assert [finding([]) for finding in memory.FINDINGS.values()] == [[]] * len(memory.FINDINGS)


def test_published_ooms_are_answered_by_what_was_measured_by_batch_and_kernel(results: Path) -> None:
    write_published()
    write_machine(results, "memory", 4096, "flux", {"model_peak": 24.0}, attention="flash", dtype="bfloat16")
    write_machine(results, "memory", 4096, "flux", {}, attention="math", batch=4, dtype="bfloat16", outcome=OOM)
    answers = {text_of(sentence): sentence for sentence in memory.published_oom(load())}
    (flux,) = [text for text in answers if "flux at 4096 px" in text]
    assert flux.startswith("evaluation-summary reports OOM")
    assert GPU in flux
    assert "batch 1, untiled, bfloat16, attention flash: 24 GiB" in flux
    assert "batch 4, untiled, bfloat16, attention math: OOM" in flux
    assert numbers_in(answers[flux], Kind.MEASURED) == [24.0]
    (apart,) = [text for text in answers if text.startswith("Not measured here, of those that project-page reports:")]
    assert "qwen at 4096 px (OOM) and 8192 px (OOM)" in apart


def test_activations_grow_by_the_exponent_of_what_the_weights_leave(results: Path) -> None:
    for resolution, peak in ((1024, 12.0), (2048, 18.0)):  # 2 and 8 GiB beside 10 of weights, for 4 times the tokens
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak, "weights": 10.0}, window=64)
    (sentence,) = memory.memory_growth(load())
    assert numbers_in(sentence, Kind.DERIVED) == [1.0]
    assert "from 4,096 to 16,384 tokens" in text_of(sentence)


def test_growth_has_a_line_in_chunks_and_one_whole_where_there_was_more_than_a_chunk(results: Path) -> None:
    chunked = {1024: 12.0, 4096: 18.0, 8192: 26.0}  # 65,536 tokens are one chunk on a GPU, and 8192 px have four
    for resolution, peak in chunked.items():
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak, "weights": 10.0})
        whole = {8192: 42.0}.get(resolution, peak)
        write_machine(results, "memory", resolution, VITOK, {"model_peak": whole, "weights": 10.0}, chunk=0)
    split, at_once = memory.memory_growth(load())
    assert (numbers_in(split), numbers_in(at_once)) == ([0.5], [1.0])
    assert "65,536 tokens at once" in text_of(split)
    assert "all tokens at once" in text_of(at_once)


def test_growth_within_a_chunk_has_one_line_and_says_where_commits_differ(results: Path) -> None:
    for resolution, peak in ((1024, 12.0), (2048, 18.0)):
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak, "weights": 10.0}, chunk=0)
        last = write_machine(results, "memory", resolution, VITOK, {"model_peak": peak + 0.1, "weights": 10.0})
    (sentence,) = memory.memory_growth(load())
    assert "two commits" not in text_of(sentence)
    at_commit(last, "fedcba9876543210")
    (sentence,) = memory.memory_growth(load())
    assert "two commits" in text_of(sentence)


def test_chunks_are_compared_with_the_whole_or_with_its_failure(results: Path) -> None:
    for resolution, whole in ((8192, 20.0), (16384, None)):
        write_machine(results, "memory", resolution, VITOK, {"model_peak": 15.0})
        values = {"model_peak": whole} if whole else {}
        write_machine(results, "memory", resolution, VITOK, values, chunk=0, outcome=None if whole else OOM)
    small, large = memory.chunking_saves(load())
    assert (numbers_in(small, Kind.MEASURED), numbers_in(small, Kind.DERIVED)) == ([15.0, 20.0], [0.75])
    assert (numbers_in(large, Kind.MEASURED), numbers_in(large, Kind.DERIVED)) == ([15.0], [])
    assert "OOM" in text_of(large)


def test_of_an_image_within_one_chunk_nothing_is_said(results: Path) -> None:
    for chunk in ({}, {"chunk": 0}):
        write_machine(results, "memory", 4096, VITOK, {"model_peak": 15.0}, **chunk)
    assert memory.chunking_saves(load()) == []
    write_machine(results, "memory", 4096, VITOK, {"model_peak": 12.0}, chunk=4096)
    (sentence,) = memory.chunking_saves(load())
    assert numbers_in(sentence) == [12.0, 15.0, 0.8]


def test_tiles_have_a_peak_and_change_the_reconstruction(results: Path) -> None:
    for tiling, peak in ((None, 24.0), (True, 6.0)):
        settings = {"tiling": tiling} if tiling else {}
        write_machine(results, "memory", 4096, "flux", {"model_peak": peak}, **settings)
    values = {"untiled_psnr": 30.0, "tiled_psnr": 29.25, "seam_error": 1.5}
    write_machine(results, "tiling", 2048, "flux", values)
    (saved,), (changed,) = memory.tiling_saves(load()), memory.tiling_changes(load())
    assert (numbers_in(saved, Kind.MEASURED), numbers_in(saved, Kind.DERIVED)) == ([6.0, 24.0], [0.25])
    assert (numbers_in(changed, Kind.DERIVED), numbers_in(changed, Kind.MEASURED)) == ([-0.75], [1.5])


def test_strips_take_less_memory_and_more_time_than_the_whole(results: Path) -> None:
    for settings, peak, latency in (
        ({}, 38.0, 1000.0),
        ({"tiling": True}, 3.0, 500.0),
        ({"strips": True}, 19.0, 1250.0),
    ):
        write_machine(results, "memory", 4096, "flux", {"model_peak": peak}, **settings)
        preset = {} if settings else {"preset": "reference"}
        write_machine(results, "speed", 4096, "flux", {"latency": latency}, **preset, **settings)
    (saved,), (taken,) = memory.strips_save(load()), memory.strips_take(load())
    assert (numbers_in(saved, Kind.MEASURED), numbers_in(saved, Kind.DERIVED)) == ([19.0, 38.0], [0.5])
    assert numbers_in(taken) == [1.25]
    assert "1.25× [1.2" in text_of(taken), "the interval of the rounds"


def test_tiles_with_overlap_change_psnr_between_two_ends(results: Path) -> None:
    for tile, change in {"512/0": -0.5, "512/64": 0.25, "512/128": 0.0}.items():
        write_machine(results, "tiling", 2048, VITOK, {"untiled_psnr": 30.0, "tiling_change": change}, tile=tile)
    (sentence,) = memory.tiles_change(load())
    assert numbers_in(sentence, Kind.MEASURED) == [-0.5, 0.25]
    assert "512" not in text_of(sentence)


def test_the_prediction_that_is_off_the_most_is_named_where_the_search_ended_within_its_range(results: Path) -> None:
    for name, largest, predicted in (("flux", 1000.0, 900.0), ("sd", 1000.0, 1040.0), (VITOK, 4096.0, 9000.0)):
        values = {"largest_resolution": largest, "predicted_largest": predicted}
        write_machine(results, "capacity", 4096, name, values, memory_limit_gib=16.0)
    (sentence,) = memory.predictions_hold(load())
    assert numbers_in(sentence, Kind.DERIVED) == [-10.0]
    assert "flux" in text_of(sentence)
    assert "2 measurements" in text_of(sentence)
