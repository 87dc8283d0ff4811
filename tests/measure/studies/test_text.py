"""The study of text: what a record holds of each height, and that its command measures the same again."""

from __future__ import annotations

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.images.text_pages import HEIGHTS
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.studies import text
from vitok_lib.measure.studies.text import measure_text
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.records.store import iterate, read_samples


@pytest.fixture(scope="module")
def recogniser() -> None:
    for package in ("rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} comes with the extra 'text'")


@pytest.mark.usefixtures("recogniser")
def test_a_record_has_both_scores_and_the_counts_of_each_height() -> None:
    record = measure_text(RunConfig(name="jpeg:q=60"), resolution=160, samples=2)
    values = {value.quantity: value for value in record.values}
    heights = [height for height in HEIGHTS if f"drawn_{height}" in values]
    assert record.outcome.status is OutcomeStatus.OK
    assert heights[0] == 6
    assert sum(values[f"drawn_{height}"].value for height in heights) >= 6
    ((path, kept),) = iterate()
    table = read_samples(path, kept)
    for height in heights:
        for counts in (f"drawn_{height}", f"lines_{height}"):
            assert values[counts].value == table[counts].sum()
        assert 0 <= values[f"lines_{height}"].value <= values[f"drawn_{height}"].value
    for name in ("ned_6", "exact-match_6"):
        column = table[name].dropna()
        assert values[name].value == pytest.approx(column.mean(), abs=1e-12)
        assert values[name].n == len(column)
        assert column.between(0, 1).all()
    assert 0.1 < values["bpp"].value < 24
    assert record.provenance is not None
    again = parse(record.provenance.command)
    assert (again.what, again.configs) == ("measure_text", (RunConfig(name="jpeg:q=60"),))
    assert again.request == {"images": "text", "resolution": 160, "samples": 2}


def test_other_sets_have_their_own_folders_and_of_the_challenge_images_the_one_with_text_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "load_recogniser", lambda: lambda line: "")
    measure_text(RunConfig(name="jpeg:q=90"), images="han", resolution=256, samples=1)
    record = measure_text(RunConfig(name="jpeg:q=90"), images="challenge", resolution=256, samples=2)
    folders = sorted(path.parent.name for path, _ in iterate())
    assert folders == ["text-by-height-challenge-256", "text-by-height-han-256"]
    assert (record.outcome.total, record.outcome.done) == (2, 1)
    assert record.outcome.detail == "1 of 2 images have no text and were left out"
    counts = {value.quantity: value.value for value in record.values if value.unit == "lines"}
    assert sum(count for name, count in counts.items() if name.startswith("drawn")) > 5
    assert not any(count for name, count in counts.items() if name.startswith("lines"))


def test_a_set_without_known_text_is_refused() -> None:
    with pytest.raises(RequestError, match="reading text needs the true text of the lines, which image set 'leaves'"):
        measure_text(RunConfig(name="jpeg:q=60"), images="leaves", resolution=64)
