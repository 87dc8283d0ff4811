"""What each metric is, in words and in a signature that two comparable numbers must share.

A signature names colour space, number format, aggregation and version, after sacreBLEU (Post 2018); of a distance
between sets it names the extractor, how images are resized for it, and its dimensions d. Of a learned metric it has the
first digits of the sha256 of its weights, which :mod:`vitok_lib.metrics.networks.pins` holds whole. A record has the
number of images next to it. Nothing here computes anything, so the report can read it without torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from vitok_lib.errors import unknown
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.pins import tag

Scope = Literal["image", "text", "output", "rate", "set"]
STREAMS = ("codec", "folder")  # the families whose latent is a stream of bits
_STREAM = "bpp|stream|per-image-mean|v1"
UNBOUNDED = (-math.inf, math.inf)
DECIBELS = (0, 100)  # of PSNR: all differences are 255, and none is above 0
FROM_ZERO = (0, math.inf)


@dataclass(frozen=True)
class Metric:
    """``title`` for tables, ``unit``, ``signature``, and ``source``: the paper or standard of the formula.

    ``scope`` is ``image`` (a value of each image and its reconstruction), ``text`` (the same, of the known lines of
    text on the image), ``output`` (a value of what the tokenizer gave before it was rounded to 8 bits), ``rate`` (a
    value of each latent) or ``set`` (one value of all images, from the features of ``extractor`` by ``statistic``).
    ``needs`` says what images must be for a value, where not all have one. The value of an image is within ``bounds``.
    What is not ``ranked`` orders no tokenizers: the best of it is no extreme, or it judges no reconstruction.
    """

    name: str
    title: str
    unit: str
    signature: str
    source: str
    higher_is_better: bool = False
    scope: Scope = "image"
    extractor: str | None = None
    statistic: str | None = None
    needs: str = ""
    bounds: tuple[float, float] = UNBOUNDED
    ranked: bool = True


_READING = f"pp-ocrv6-rec-small:{tag('pp-ocrv6-rec-small')}|known-boxes|original-read-rightly|rgb|u8|per-image-mean|v1"
_TEXT_NEEDS = "a line of known text that is read rightly in the original"
_IMAGE_METRICS = (
    Metric(
        "psnr",
        "PSNR",
        "dB",
        "psnr|rgb|u8|cap:100|per-image-mean|v1",
        "10·log₁₀(255²/MSE) over all pixels and channels of an 8-bit image, then the mean over images; "
        "equal images count as 100 dB",
        higher_is_better=True,
        bounds=DECIBELS,
    ),
    Metric(
        "ssim",
        "SSIM",
        "",
        "ssim|rgb|u8|gauss:11,1.5|reflect|per-image-mean|v1",
        "Wang, Bovik, Sheikh & Simoncelli 2004: Gaussian window 11×11, σ 1.5, K₁ 0.01, K₂ 0.03, "
        "borders reflected, mean over pixels and channels, as in torchmetrics; the variant of valid windows alone "
        "(scikit-image, Wang's own) differs by up to 0.006 at 300 px",
        higher_is_better=True,
        needs="sides of 11 px or more",
        bounds=(-1, 1),
    ),
    Metric(
        "ms-ssim",
        "MS-SSIM",
        "",
        "ms-ssim|rgb|u8|gauss:11,1.5|scales:5|relu|per-image-mean|v1",
        "Wang, Simoncelli & Bovik 2003: five scales, each half the one before, as in torchmetrics; "
        "images with a side below 176 px have none",
        higher_is_better=True,
        needs="sides of 176 px or more",
        bounds=(0, 1),
    ),
    Metric(
        "ssimulacra2",
        "SSIMULACRA 2",
        "",
        "ssimulacra2|2.1|srgb|u8|gauss:11,1.5|zeros-lr,mirror-tb|per-image-mean|v1",
        "Sneyers 2022, version 2.1 of 2023 (github.com/cloudinary/ssimulacra2): errors of structure and of edges in "
        "XYB at up to six scales, fitted to opinions of viewers; as in the Python package ssimulacra2 0.3.0, whose "
        "Gaussian is truncated, where that of libjxl is recursive",
        higher_is_better=True,
        needs="sides of 8 px or more",
        bounds=(-math.inf, 100),
    ),
    Metric(
        "lpips",
        "LPIPS",
        "",
        f"lpips|alex:{tag('lpips')}|rgb|u8|per-image-mean|v1",
        "Zhang, Isola, Efros, Shechtman & Wang 2018, AlexNet with linear weights 0.1, through torchmetrics",
        bounds=FROM_ZERO,
    ),
    Metric(
        "dists",
        "DISTS",
        "",
        f"dists|vgg16:{tag('dists')}|rgb|u8|per-image-mean|v1",
        "Ding, Ma, Wang & Simoncelli 2020, VGG-16, through torchmetrics",
        bounds=FROM_ZERO,
    ),
    Metric(
        "ned",
        "Edit distance of text",
        "",
        f"ned|{_READING}",
        "Levenshtein 1966 over the longer length, as in Shi et al. 2017 (ICDAR RCTW-17): 0 is right; recognised by "
        "PP-OCRv6 small in the known box of each line that is read rightly in the original",
        scope="text",
        needs=_TEXT_NEEDS,
        bounds=(0, 1),
    ),
    Metric(
        "exact-match",
        "Lines read rightly",
        "",
        f"exact-match|{_READING}",
        "share of the lines in which every character is right, read as for the edit distance",
        higher_is_better=True,
        scope="text",
        needs=_TEXT_NEEDS,
        bounds=(0, 1),
    ),
    Metric(
        "ciede2000",
        "CIEDE2000",
        "",
        "ciede2000|srgb-d65|u8|per-image-mean|v1",
        "Sharma, Wu & Dalal 2005, all parametric factors 1, of sRGB (IEC 61966-2-1) in CIELAB under D65, then the mean "
        "over pixels and over images; no viewing distance takes part",
        bounds=FROM_ZERO,
    ),
    *(
        Metric(
            f"delta-{axis}",
            f"Mean Δ{axis if axis != 'l' else 'L'}*",
            "",
            f"delta-{axis}|srgb-d65|u8|signed|per-image-mean|v1",
            f"CIELAB (CIE 15) of sRGB under D65: {name} of the reconstruction less that of the original, with its "
            f"sign, the mean over pixels and over images; positive is {direction}",
            ranked=False,
        )
        for axis, name, direction in (
            ("l", "L*", "lighter"),
            ("a", "a*", "towards red, negative towards green"),
            ("b", "b*", "towards yellow, negative towards blue"),
        )
    ),
    Metric(
        "grid-error",
        "Error at the patch grid",
        "×",
        "grid-error|rgb|u8|welch:256|harmonics:p/2|neighbours:2|per-image-mean|v1",
        "power of the error at 1/p and its harmonics, over that at neighbouring frequencies (vitok_lib.metrics.grid): "
        "1 without a grid; p is the downsampling of a tokenizer, and the 8 px of JPEG's blocks; codecs whose blocks "
        "vary in size have no value",
        needs="sides of 256 px or more and a grid of 2 to 85 px",
        bounds=FROM_ZERO,
        ranked=False,
    ),
    Metric(
        "out-of-range",
        "Values outside [−1, 1]",
        "%",
        "out-of-range|float-output|per-image-mean|v1",
        "the share of the values of a reconstruction that the clamp to [−1, 1] moves, before rounding to 8 bits; "
        "0 of what decodes to 8 bits, as a codec does",
        scope="output",
        bounds=(0, 100),
        ranked=False,
    ),
    Metric(
        "bpp",
        "Rate",
        "bit/px",
        "bpp|latent-values-16-bit|per-image-mean|v1",
        "bits of the latent over pixels of the image: of a codec the stream it writes, "
        "of any other tokenizer each latent value as 16 bits, without entropy coding",
        scope="rate",
        bounds=FROM_ZERO,
    ),
)


_LEGACY = {"inception": "", "inception-legacy": "-legacy"}
_LEGACY_STATISTICS = ("fd", "kid")  # those that other programs report
_FRECHET = "Heusel, Ramsauer, Unterthiner, Nessler & Hochreiter 2017: Fréchet distance of two Gaussians, in float64"


_SET_NEEDS = {"fd": "2 images or more", "kid": "3 images or more", "fd-infinity": "20 images or more"}


def _set_metrics() -> Iterator[Metric]:
    """Only the checked weights of 2015-12-05 make a distance an FID; any other is an FD with its extractor's name."""
    for name, facts in EXTRACTORS.items():
        fid = name in _LEGACY
        of = _LEGACY.get(name, f"-{name}")
        in_words = f"{', legacy resize' if of else ''}" if fid else f", {facts.title}"
        note = f"; {facts.note}" if facts.note else ""
        rows = (
            ("fd", f"fid{of}" if fid else f"fd{of}", f"{'FID' if fid else 'FD'}{in_words}", "", _FRECHET + note),
            (
                "fd-infinity",
                f"{'fid' if fid else 'fd'}-infinity{of}",
                f"{'FID' if fid else 'FD'}∞{in_words}",
                "|line:n,2n/3,n/2",
                "Chong & Forsyth 2020: the intercept of a line through the distance over 1/n, at n, 2n/3 and n/2",
            ),
            (
                "kid",
                f"kid{of}",
                f"KID{in_words}",
                "|poly:3|u-statistic|all-images",
                "Bińkowski, Sutherland, Arbel & Gretton 2018: kernel (x·y/d + 1)³, over all images at once, "
                "without the terms of an image with its own reconstruction; torch-fidelity and clean-fid average "
                f"random subsets instead{note}",
            ),
            (
                "paired",
                f"paired-{name}",
                f"Paired feature distance, {facts.title}",
                "|squared|per-image-mean",
                "mean squared distance between the features of an image and of its reconstruction; "
                "n/(n − 1) times it bounds the Fréchet distance from above",
            ),
            (
                "patch-fd",
                f"patch-fd-{name}",
                f"Patch FD, {facts.title}",
                "|grid:3x3",
                _FRECHET + "; over nine crops of each image at native resolution; n counts crops",
            ),
        )
        for statistic, metric, title, detail, source in rows:
            if name == "inception-legacy" and statistic not in _LEGACY_STATISTICS:
                continue
            rule = f"native-{facts.crop_side}" if statistic == "patch-fd" else facts.rule
            signature = f"{metric}|{facts.weights}|{rule}|u8{detail}|d:{facts.dimensions}|v1"
            needs = _SET_NEEDS.get(statistic, "")
            bounds = FROM_ZERO if statistic == "paired" else UNBOUNDED
            yield Metric(metric, title, "", signature, source, False, "set", name, statistic, needs, bounds)


METRICS = {metric.name: metric for metric in (*_IMAGE_METRICS, *_set_metrics())}


def find_metric(name: str) -> Metric:
    """The metric of that name; a RequestError names the nearest known ones."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]


def signature_of(metric: Metric, family: str) -> str:
    """The signature of ``metric`` for a tokenizer of ``family``; the rate of a codec or a folder is of true streams."""
    return _STREAM if metric.scope == "rate" and family in STREAMS else metric.signature
