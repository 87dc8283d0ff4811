"""What fits on which card, and the sentences on memory, against arithmetic done by hand."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import GPU, at_commit, write_machine
from tests.fakes.reading import heads, row
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Sentence, plain
from vitok_lib.report.tables import memory

VITOK = "5B-f16x64"
HERE = f"On study h200, {GPU}, "


def told(sentences: list[Sentence]) -> list[str]:
    return [plain(sentence).replace("\N{NO-BREAK SPACE}", " ") for sentence in sentences]


def test_nothing_is_said_where_nothing_was_measured(results: Path) -> None:
    assert [claim([]) for claim in memory.CLAIMS.values()] == [[]] * len(memory.CLAIMS)
    assert memory.capacity_tables([]) == []


def test_each_card_has_its_largest_square_and_what_was_predicted(results: Path) -> None:
    for limit, largest in ((80.0, 4096.0), (16.0, 1024.0)):
        values = {"largest_resolution": largest, "predicted_largest": largest / 2}
        write_machine(results, "capacity", 4096, "flux", values, memory_limit_gib=limit)
    ended = Outcome(status=OutcomeStatus.OOM, detail="weights alone do not fit")
    write_machine(results, "capacity", 4096, VITOK, {}, memory_limit_gib=16.0, outcome=ended)
    ((_, table),) = memory.capacity_tables(load())
    assert heads(table) == ["Tokenizer", "16 GiB|px", "16 GiB|predicted", "80 GiB|px", "80 GiB|predicted"]
    assert list(row(table, "flux").values()) == ["flux", "1,024", "512", "4,096 or more", "2,048"]
    assert list(row(table, VITOK).values()) == [VITOK, "OOM", "–", "not measured", "–"]
    assert "an evaluation, encode and decode with PSNR and SSIM, stayed within a cap" in plain(table.notes[0])


def test_published_ooms_are_answered_by_what_was_measured_by_batch_and_kernel(results: Path) -> None:
    write_published()
    write_machine(results, "memory", 4096, "flux", {"model_peak": 24.0}, attention="flash", dtype="bfloat16")
    ended = Outcome(status=OutcomeStatus.OOM)
    write_machine(results, "memory", 4096, "flux", {}, attention="math", batch=4, dtype="bfloat16", outcome=ended)
    answers = told(memory.published_oom(load()))
    (flux,) = [sentence for sentence in answers if "flux at 4096 px" in sentence]
    assert flux.startswith(f"evaluation-summary says of flux at 4096 px: OOM. On study h200, {GPU}: ")
    assert "batch 1, untiled, bfloat16, attention flash 24 GiB" in flux
    assert "batch 4, untiled, bfloat16, attention math OOM" in flux
    assert "project-page says of qwen at 8192 px: OOM. Here: not measured." in answers


def test_activations_grow_by_the_exponent_of_what_the_weights_leave(results: Path) -> None:
    for resolution, peak in ((1024, 12.0), (2048, 18.0)):  # 2 and 8 GiB beside 10 of weights, for 4 times the tokens
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak, "weights": 10.0}, window=64)
    assert told(memory.memory_growth(load())) == [
        HERE + "5B-f16x64, radius 64: from 4,096 to 16,384 tokens the memory of its activations grows with an exponent "
        "of 1.00."
    ]


def test_growth_is_told_of_chunks_and_of_the_whole_where_there_was_more_than_a_chunk(results: Path) -> None:
    chunked = {1024: 12.0, 4096: 18.0, 8192: 26.0}  # 65,536 tokens are one chunk on a GPU, and 8192 px have four
    for resolution, peak in chunked.items():
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak, "weights": 10.0})
        whole = {8192: 42.0}.get(resolution, peak)
        write_machine(results, "memory", resolution, VITOK, {"model_peak": whole, "weights": 10.0}, chunk=0)
    grows = ": from 65,536 to 262,144 tokens the memory of its activations grows with an exponent of "
    assert told(memory.memory_growth(load())) == [
        HERE + f"5B-f16x64, 65,536 tokens at a time{grows}0.50.",
        HERE + f"5B-f16x64, all tokens at a time{grows}1.00.",
    ]


def test_growth_within_a_chunk_is_told_once_and_says_where_commits_differ(results: Path) -> None:
    for resolution, peak in ((1024, 12.0), (2048, 18.0)):
        write_machine(results, "memory", resolution, VITOK, {"model_peak": peak, "weights": 10.0}, chunk=0)
        last = write_machine(results, "memory", resolution, VITOK, {"model_peak": peak + 0.1, "weights": 10.0})
    (sentence,) = told(memory.memory_growth(load()))
    assert sentence.startswith(HERE + "5B-f16x64: from 4,096 to 16,384 tokens")
    at_commit(last, "fedcba9876543210")
    (sentence,) = told(memory.memory_growth(load()))
    assert sentence.endswith("; the two sizes were measured at two commits.")


def test_chunks_are_held_against_the_whole_or_against_its_failure(results: Path) -> None:
    for resolution, whole in ((8192, 20.0), (16384, None)):
        write_machine(results, "memory", resolution, VITOK, {"model_peak": 15.0})
        values = {"model_peak": whole} if whole else {}
        ended = Outcome(status=OutcomeStatus.OK if whole else OutcomeStatus.OOM)
        write_machine(results, "memory", resolution, VITOK, values, chunk=0, outcome=ended)
    assert told(memory.chunking_saves(load())) == [
        HERE + "5B-f16x64 at 8192 px: in chunks 15 GiB, with all tokens at a time 20 GiB, that is 0.75×.",
        HERE + "5B-f16x64 at 16384 px: in chunks 15 GiB, with all tokens at a time OOM.",
    ]


def test_of_an_image_that_is_no_more_than_a_chunk_nothing_is_said(results: Path) -> None:
    for chunk in ({}, {"chunk": 0}):
        write_machine(results, "memory", 4096, VITOK, {"model_peak": 15.0}, **chunk)
    assert memory.chunking_saves(load()) == []
    write_machine(results, "memory", 4096, VITOK, {"model_peak": 12.0}, chunk=4096)
    assert told(memory.chunking_saves(load())) == [
        HERE + "5B-f16x64 at 4096 px: in chunks 12 GiB, with all tokens at a time 15 GiB, that is 0.80×."
    ]


def test_tiles_are_told_by_memory_and_by_what_they_change(results: Path) -> None:
    for tiling, peak in ((None, 24.0), (True, 6.0)):
        settings = {"tiling": tiling} if tiling else {}
        write_machine(results, "memory", 4096, "flux", {"model_peak": peak}, **settings)
    values = {"untiled_psnr": 30.0, "tiled_psnr": 29.25, "seam_error": 1.5}
    write_machine(results, "tiling", 2048, "flux", values)
    assert told(memory.tiling_saves(load())) == [HERE + "flux at 4096 px: tiled 6 GiB, untiled 24 GiB, that is 0.25×."]
    assert told(memory.tiling_changes(load())) == [
        HERE + "flux at 2048 px: tiling changes the PSNR by −0.75 dB, and the squared error of steps between "
        "neighbours is at the seams 1.50 times that elsewhere."
    ]


def test_the_prediction_that_is_off_the_most_is_named_where_the_search_ended_within_its_range(results: Path) -> None:
    for name, largest, predicted in (("flux", 1000.0, 900.0), ("sd", 1000.0, 1040.0), (VITOK, 4096.0, 9000.0)):
        values = {"largest_resolution": largest, "predicted_largest": predicted}
        write_machine(results, "capacity", 4096, name, values, memory_limit_gib=16.0)
    (sentence,) = told(memory.predictions_hold(load()))
    assert sentence == HERE + "over 2 largest squares, the prediction is off by no more than −10.0 %, that of flux."
