"""Options go to the families they apply to; a tokenizer that is refused keeps no other from its record."""

from __future__ import annotations

import pytest

from tests.fakes.records import measured_record
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record


def test_each_family_gets_the_options_that_apply_to_it() -> None:
    names = ["nano-f16x64", "pca-f16x64", "jpeg:q=75", "folder:/my/files"]
    vitok, pca, *others = configurations(names, window=64, device="cuda", dtype="bfloat16")
    assert vitok == RunConfig(name="nano-f16x64", window=64, device="cuda", dtype="bfloat16")
    assert pca == RunConfig(name="pca-f16x64", device="cuda", dtype="bfloat16")
    assert others == [RunConfig(name="jpeg:q=75"), RunConfig(name="folder:/my/files")]


def test_minus_one_is_no_window() -> None:
    assert configurations(["nano-f16x64"], window=-1) == [RunConfig(name="nano-f16x64")]


def _measured(config: RunConfig) -> Record:
    if config.name == "flux":
        raise RequestError("no weights of flux here")
    return measured_record(config.name, "photos-32", {"psnr": [20.0, 21.0]})


def test_what_is_refused_is_told_and_the_others_are_measured() -> None:
    records, refused = measure_each(configurations(["flux", "pca-f16x64"]), _measured)
    assert [record.tokenizer.name for record in records] == ["pca-f16x64"]
    assert refused == {"flux": "no weights of flux here"}


@pytest.mark.parametrize(("names", "sentence"), [(["flux"], "no weights of flux here"), ([], "name at least one")])
def test_no_record_at_all_is_an_error(names: list[str], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        measure_each(configurations(names), _measured)
