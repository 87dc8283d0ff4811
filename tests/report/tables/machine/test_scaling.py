"""The page on scaling out: its numbers against arithmetic by hand over invented records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.machines import write_fits, write_h100
from vitok_lib.cost.fits import Predicted
from vitok_lib.cost.flops import vitok_flops
from vitok_lib.cost.study_time import StudyTime
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import Entry, load
from vitok_lib.report.page.content import Number, Sentence, plain
from vitok_lib.report.sphinx.request import Request
from vitok_lib.report.sphinx.scaling_directive import scaling_out
from vitok_lib.report.tables.machine.scaling import cores_table, known_of, parts_table, totals_table, where_it_stops
from vitok_lib.tokenizers.vitok.variant import parse_variant


@pytest.fixture
def entries(results: Path) -> list[Entry]:
    """5B-f16x64 took 0.2 s an image at 1024 px, of which nothing else is known; a core prepares one in 2 s."""
    write_h100(results)
    flops = vitok_flops(parse_variant("Td4-T/1x16x64"), 1024, 1024)
    known = Predicted(10 * 2**30, 12 * 2**30, 12 * 2**30, flops.encoder, flops.decoder, 10**9, 10**9)
    write_fits(results, 1024, "5B-f16x64", known)
    return load()


@pytest.fixture
def known(entries: list[Entry]) -> StudyTime:
    return known_of(entries, "released", "H100")


def _numbers(row: list[Sentence]) -> list[float | None]:
    return [part.amount for cell in row for part in cell if isinstance(part, Number)]


def test_a_run_takes_its_images_times_the_seconds_of_one(known: StudyTime) -> None:
    rows = {plain(row[0]): row for row in parts_table(known).rows}
    hours = _numbers(list(rows["drift-div8k-1024"]))
    assert hours[0] == pytest.approx(100 * 8 * 0.2 / 3600, rel=5e-3), "8 passes of 100 images"
    assert hours[1] == pytest.approx(100 * 2 / 3600, rel=5e-3), "each prepared once"
    assert hours[2] == 12, "GiB of the prediction"


def test_cores_are_seconds_of_a_core_over_those_of_the_gpu(entries: list[Entry], known: StudyTime) -> None:
    row = cores_table(entries, known).rows[0]
    prepared, gpu, cores = _numbers(list(row))
    assert prepared == 2
    assert gpu is not None
    assert gpu > 0.2, "the networks of metrics come on top"
    assert cores == pytest.approx(2 / gpu, rel=0.01)


def test_hours_of_an_estimate_are_estimates(known: StudyTime) -> None:
    table = totals_table(known, [1, 8], 16)
    kinds = {part.kind for row in table.rows for cell in row for part in cell if isinstance(part, Number)}
    assert kinds == {Kind.ESTIMATED}
    assert "flux: no prediction" in plain(table.notes[1])


def test_an_unknown_part_of_the_page_is_refused(entries: list[Entry]) -> None:
    with pytest.raises(RequestError) as refused:
        scaling_out(Request("scaling", ["released", "total"], {}, entries))
    assert "did you mean totals" in str(refused.value)
    with pytest.raises(RequestError, match="':gpus: many' must be whole numbers"):
        scaling_out(Request("scaling", ["released", "totals"], {"gpus": "many"}, entries))
    (drawing,) = scaling_out(Request("scaling", ["released", "figure"], {"cores": "16 4"}, entries))
    assert "with 4 cores" in drawing.drawing.alternative  # type: ignore[union-attr]


def test_what_codecs_take_is_told_and_how_long_the_gpu_waits_for_them(known: StudyTime) -> None:
    line = next(line for line in known.lines if line.work.splits)
    work = replace(line.work, tokenizer="jpeg:q=75", images=3600)
    coded = replace(line, work=work, gpu=1.0, network=1.0, core=64.0, load=0.0)
    _, sentence = where_it_stops(replace(known, lines=(coded,)), 8, 16)
    assert _numbers([sentence]) == [4, 100, 3, 64], "4 s of 16 cores an image, and one of them of the GPU"


def test_what_grows_with_more_gpus_is_loading_where_nothing_else_does(known: StudyTime) -> None:
    line = replace(next(line for line in known.lines if line.work.splits), core=0.0, load=10.0, gpu=1.0)
    (sentence,) = where_it_stops(replace(known, lines=(line,)), 150, 16)
    said = plain(sentence)
    assert "loading models: 50\N{NO-BREAK SPACE}% of their time" in said, "10 s of loading for 10 images of 1 s"
    assert "75.5 times" in said, "1,510 s against 20 s"
