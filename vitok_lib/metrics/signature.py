"""What each metric is, in words and in a signature that two comparable numbers must share.

A signature names colour space, number format, aggregation and version, after sacreBLEU (Post 2018). Nothing
here computes anything, so the report can read it without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.errors import unknown


@dataclass(frozen=True)
class Metric:
    """``title`` for tables, ``unit``, ``signature``, and ``source``: the paper or standard of the formula."""

    name: str
    title: str
    unit: str
    signature: str
    source: str


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "psnr",
            "PSNR",
            "dB",
            "psnr|rgb|u8|cap:100|per-image-mean|v1",
            "10·log₁₀(255²/MSE) over all pixels and channels of an 8-bit image, then the mean over images; "
            "equal images count as 100 dB",
        ),
        Metric(
            "ssim",
            "SSIM",
            "",
            "ssim|rgb|u8|gauss:11,1.5|reflect|per-image-mean|v1",
            "Wang, Bovik, Sheikh & Simoncelli 2004: Gaussian window 11×11, σ 1.5, K₁ 0.01, K₂ 0.03, "
            "borders reflected, mean over pixels and channels, as in torchmetrics",
        ),
    )
}


def find_metric(name: str) -> Metric:
    """The metric of that name; a RequestError names the nearest known ones."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]
