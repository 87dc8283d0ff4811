"""Which metric is said not to be independent of which tokenizer."""

from __future__ import annotations

import re

import pytest

from vitok_lib.metrics.leakage import LEAKAGES, disclosure
from vitok_lib.metrics.signature import METRICS
from vitok_lib.tokenizers.registry import REGISTRY

OF_DINOV3 = [name for name, metric in METRICS.items() if metric.extractor == "dinov3"]
RELEASED = [entry.name for entry in REGISTRY.values() if entry.family == "vitok" and entry.repository]


@pytest.mark.parametrize("tokenizer", RELEASED)
def test_every_dinov3_metric_is_disclosed_for_every_released_vitok(tokenizer: str) -> None:
    for metric in OF_DINOV3:
        sentence = disclosure(metric, tokenizer)
        assert sentence is not None
        assert METRICS[metric].title in sentence
        assert tokenizer in sentence
        assert "DINOv3" in sentence


@pytest.mark.parametrize(
    ("metric", "tokenizer"),
    [
        ("psnr", "5B-f16x64"),
        ("fid", "5B-f16x64"),
        ("fd-dinov2", "5B-f16x64"),
        ("fd-dinov3", "nano-f16x64"),
        ("fd-dinov3", "flux"),
        ("fd-dinov3", "Td4-T/1x16x64"),
        ("lpips", "jpeg:q=75"),
        ("throughput", "5B-f16x64"),
    ],
)
def test_what_is_independent_as_far_as_is_known_is_not_disclosed(metric: str, tokenizer: str) -> None:
    assert disclosure(metric, tokenizer) is None


@pytest.mark.parametrize(
    ("metric", "tokenizer"), [("lpips", "sd"), ("fd-dinov2", "qwen-repa-e"), ("lpips", "dc-ae-f64")]
)
def test_other_losses_on_a_metrics_features_are_disclosed_too(metric: str, tokenizer: str) -> None:
    assert disclosure(metric, tokenizer)


def test_every_leakage_is_of_known_tokenizers_and_metrics() -> None:
    for leakage in LEAKAGES:
        assert any(re.fullmatch(leakage.tokenizers, name) for name in REGISTRY)
        assert set(leakage.metrics) <= METRICS.keys()
        assert leakage.metrics or leakage.extractor in {metric.extractor for metric in METRICS.values()}
