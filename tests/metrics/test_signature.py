"""What each metric is called, and that no two can be mixed up."""

from __future__ import annotations

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.metrics.pixel import PIXEL_METRICS
from vitok_lib.metrics.signature import METRICS, find_metric


def test_signatures_are_unique() -> None:
    assert len({metric.signature for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_signature_starts_with_the_name_and_ends_with_a_version(name: str) -> None:
    parts = METRICS[name].signature.split("|")
    assert parts[0] == name
    assert parts[-1].startswith("v")
    assert parts[-1][1:].isdigit()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_computed_and_says_its_source(name: str) -> None:
    assert name in PIXEL_METRICS
    assert find_metric(name).source


def test_every_computation_has_a_signature() -> None:
    assert set(PIXEL_METRICS) <= set(METRICS)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown metric 'pnsr'; did you mean psnr"):
        find_metric("pnsr")
