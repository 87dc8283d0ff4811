"""The networks whose features distances between sets are computed from, in the words of titles and signatures.

Nothing here computes anything: :mod:`vitok_lib.metrics.networks.features` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.metrics.networks.pins import tag


@dataclass(frozen=True)
class ExtractorFacts:
    """How an extractor is called, in words and in signatures: its weights, and its resize rule; d and crop side;
    ``note`` says what other programs do otherwise.
    """

    title: str
    weights: str
    rule: str
    dimensions: int
    crop_side: int
    note: str = ""


EXTRACTORS = {
    "inception": ExtractorFacts(
        "Inception",
        "inception-2015-12-05",
        "bicubic-aa-299",
        2048,
        299,
        "resized as in clean-fid (antialiased bicubic), where torch-fidelity and pytorch-fid resize bilinearly without "
        "antialiasing",
    ),
    "inception-legacy": ExtractorFacts(
        "Inception, legacy resize",
        "inception-2015-12-05",
        "bilinear-tf1-299",
        2048,
        299,
        "resized as in torch-fidelity (TensorFlow 1's bilinear filter without antialiasing); pytorch-fid samples half "
        "a pixel elsewhere",
    ),
    "dinov2": ExtractorFacts("DINOv2", f"dinov2-large:{tag('dinov2')}|cls", "bicubic-aa-224", 1024, 224),
    "dinov3": ExtractorFacts("DINOv3", f"dinov3-vitb16-lvd1689m:{tag('dinov3')}|cls", "bicubic-aa-512", 768, 512),
    "random": ExtractorFacts("random network", "random-conv-seed-0", "bicubic-aa-256", 128, 256),
}
"""``random`` is a convolutional network that never was trained: it runs anywhere, and says little of quality."""
