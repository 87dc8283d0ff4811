"""What a record may hold, and what it may not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from vitok_lib.records.schema import Kind, OutcomeStatus, Record

MEASURED: dict[str, Any] = {
    "benchmark": "photos",
    "resolution": 256,
    "tokenizer": {"name": "t", "family": "vitok", "weights": {"source": "random:0"}},
    "images": {"name": "photos", "description": "d", "count": 2, "rule": "r"},
    "settings": {"device": "cpu", "dtype": "float32"},
    "outcome": {"status": "ok"},
    "values": [{"quantity": "psnr", "value": 30.5, "unit": "dB", "kind": "measured", "n": 2}],
    "provenance": {
        "command": "vitok eval t",
        "started": datetime(2026, 1, 2, tzinfo=UTC),
        "seconds": 1.5,
        "host": {"cpu": "c", "cores": 2, "memory_gib": 8.0, "platform": "Linux", "python": "3.11"},
    },
}
SOURCE = {"name": "paper", "title": "A paper"}


def _value(kind: str, quantity: str = "psnr") -> dict[str, Any]:
    return {"quantity": quantity, "value": 1.0, "unit": "dB", "kind": kind}


def _published(**fields: Any) -> dict[str, Any]:
    record = {key: value for key, value in MEASURED.items() if key != "provenance"}
    return record | {"source": SOURCE, "values": [_value("published")]} | fields


def test_a_measured_record_is_valid() -> None:
    record = Record.model_validate(MEASURED)
    assert record.outcome.status is OutcomeStatus.OK
    assert record.values[0].kind is Kind.MEASURED


def test_a_published_record_is_valid() -> None:
    record = Record.model_validate(_published(values=[_value("published"), _value("estimated", "speed")]))
    assert record.source is not None
    assert record.provenance is None


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record | {"psnr": 3},
        lambda record: record | {"tokenizer": record["tokenizer"] | {"size": 3}},
        lambda record: record | {"settings": {"windows": 3}},
        lambda record: record | {"outcome": {"status": "ok", "note": "x"}},
        lambda record: record | {"values": [record["values"][0] | {"std": 1.0}]},
        lambda record: record | {"provenance": record["provenance"] | {"user": "x"}},
    ],
    ids=["record", "tokenizer", "settings", "outcome", "value", "provenance"],
)
def test_an_unknown_key_is_refused_everywhere(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Record.model_validate(change(MEASURED))


@pytest.mark.parametrize("kind", ["published", "estimated"])
def test_a_measured_record_holds_nobody_elses_values(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"value 'psnr' of kind {kind} does not fit"):
        Record.model_validate(MEASURED | {"values": [_value(kind)]})


@pytest.mark.parametrize("kind", ["measured", "derived"])
def test_a_published_record_holds_no_values_of_ours(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"value 'psnr' of kind {kind} does not fit"):
        Record.model_validate(_published(values=[_value(kind)]))


def test_kinds_of_two_origins_do_not_mix() -> None:
    with pytest.raises(ValidationError, match="does not fit"):
        Record.model_validate(MEASURED | {"values": [_value("measured"), _value("published", "ssim")]})


@pytest.mark.parametrize("source", [None, SOURCE], ids=["neither", "both"])
def test_a_record_has_exactly_one_origin(source: dict[str, str] | None) -> None:
    record = MEASURED | {"source": SOURCE} if source else {k: v for k, v in MEASURED.items() if k != "provenance"}
    with pytest.raises(ValidationError, match=r"either a provenance .* or a source"):
        Record.model_validate(record)


def test_a_quantity_stands_once() -> None:
    with pytest.raises(ValidationError, match="each quantity once"):
        Record.model_validate(MEASURED | {"values": [_value("measured"), _value("derived")]})


@pytest.mark.parametrize(
    ("field", "value"),
    [("outcome", {"status": "fine"}), ("values", [_value("guessed")]), ("resolution", "wide"), ("images", None)],
)
def test_a_value_of_the_wrong_type_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Record.model_validate(MEASURED | {field: value})
    assert caught.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize("field", ["benchmark", "resolution", "tokenizer", "images", "settings", "outcome"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Record.model_validate({key: value for key, value in MEASURED.items() if key != field})
    assert caught.value.errors()[0]["loc"] == (field,)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Record.model_validate(MEASURED).resolution = 512


def test_a_value_is_found_by_its_quantity() -> None:
    record = Record.model_validate(MEASURED)
    found = record.value("psnr")
    assert found is not None
    assert found.value == 30.5
    assert record.value("ssim") is None


def test_a_value_survives_the_way_through_json_bit_for_bit() -> None:
    value = 0.1 + 0.2
    record = Record.model_validate(MEASURED | {"values": [_value("measured") | {"value": value}]})
    assert Record.model_validate_json(record.model_dump_json()).values[0].value == value


def test_the_schema_needs_no_torch() -> None:

    code = "import sys, vitok_lib.records.schema, vitok_lib.records.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
