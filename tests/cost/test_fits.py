"""What a record of a prediction holds is read as it was written; the least time by hand."""

from __future__ import annotations

import pytest

from vitok_lib.cost.fits import Predicted, configuration_text
from vitok_lib.cost.flops import SideFlops
from vitok_lib.cost.gpus import find_gpu
from vitok_lib.records.config import RunConfig

PREDICTED = Predicted(
    weights=10**10,
    peak=13_312_345_677,
    peak_with_margin=21_299_753_084,
    encode=SideFlops(linear=10**15 + 1, attention=3),
    decode=SideFlops(linear=0, attention=0),
    encode_moved=10**9,
    decode_moved=67_000_000_001,
)


def test_the_least_time_is_that_of_the_bound_of_each_side() -> None:
    """Encoding is bound by 989.4 TFLOP/s, decoding by 3,350 GB/s."""
    expected = (10**15 + 4) / 989.4e12 + 67_000_000_001 / 3350e9
    assert PREDICTED.least_seconds(find_gpu("H100")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("family", "options", "text"),
    [
        ("vitok", {}, "full attention"),
        ("vitok", {"window": 0}, "window 0"),
        ("kl", {"tiling": True, "batch": 2}, "in tiles, batch 2"),
        ("dc-ae", {"attention": "math"}, "untiled, attention math"),
        ("codec", {}, ""),
    ],
)
def test_a_configuration_in_words(family: str, options: dict[str, object], text: str) -> None:
    config = RunConfig(name="t", device="cuda", dtype="bfloat16", **options)
    assert configuration_text(family, config) == text
