"""The findings on FLOPs, against arithmetic done by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.reading import numbers_in
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import flops
from vitok_lib.report.page.content import plain

VITOK = "5B-f16x64"


def test_attention_equals_linear_work_where_the_sentence_says(results: Path) -> None:
    (sentence,) = flops.where_attention_equals_linear([VITOK])
    tokens = numbers_in(sentence)[0]
    assert 4 * 3072 * 44 * tokens**2 == pytest.approx(2 * 4.995e9 * tokens, rel=2e-3)


def test_published_flops_leave_attention_out(results: Path) -> None:
    write_published()
    (sentence,) = flops.published_flops(load())
    assert numbers_in(sentence, Kind.PUBLISHED) == [0.24, 2.38]
    assert numbers_in(sentence, Kind.DERIVED) == pytest.approx([0.2391, 2.379], rel=1e-3)
    assert "leave attention out" in plain(sentence)
