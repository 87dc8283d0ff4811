"""Which metric is not independent of which tokenizer, because the tokenizer was trained with what it measures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vitok_lib.metrics.signature import METRICS


@dataclass(frozen=True)
class Leakage:
    """``tokenizers`` is a pattern of their whole names; of the metrics, those of ``extractor`` or in ``metrics``."""

    tokenizers: str
    why: str
    extractor: str | None = None
    metrics: tuple[str, ...] = ()


LEAKAGES = (
    Leakage(
        r"(350M|5B)-f\d+x\d+",
        "released ViTok-v2 was trained with a loss on DINOv3 features",
        extractor="dinov3",
    ),
    Leakage(
        r"qwen-repa-e",
        "this fine-tune was trained end to end with an alignment to DINOv2 features (REPA-E)",
        extractor="dinov2",
    ),
    Leakage(
        r"sd|sdxl",
        "this family of auto-encoders was trained with an LPIPS loss (Rombach et al. 2022)",
        metrics=("lpips",),
    ),
    Leakage(
        r"dc-ae-f\d+",
        "DC-AE was trained with an LPIPS loss (Chen et al. 2024)",
        metrics=("lpips",),
    ),
)
"""What is published of the training; of a tokenizer that is not listed nothing is known."""


def disclosure(metric_name: str, tokenizer_name: str) -> str | None:
    """One sentence where ``metric_name`` is not independent of ``tokenizer_name``; None where nothing is known."""
    metric = METRICS.get(metric_name)
    if metric is None:
        return None
    for leakage in LEAKAGES:
        measured = metric.name in leakage.metrics or (metric.extractor or "") == leakage.extractor
        if measured and re.fullmatch(leakage.tokenizers, tokenizer_name):
            return f"{metric.title} is not independent of {tokenizer_name}: {leakage.why}."
    return None
