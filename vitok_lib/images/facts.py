"""The named image sets as plain data: what can be said of each without having its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitok_lib.images import challenge, photographs, text_pages, wallpapers

LEAVES_COUNT = 64


@dataclass(frozen=True)
class ImageSetFacts:
    """``benchmark`` is the name in records; ``count`` the number of images that the set must hold, None where its
    authors state none.
    """

    name: str
    benchmark: str
    count: int | None
    description: str


_FACTS = (
    ImageSetFacts(
        "photos",
        "photos",
        len(photographs.held_out()),
        f"{len(photographs.held_out())} photographs that scikit-image and scikit-learn ship, held out from this "
        "project's training.",
    ),
    ImageSetFacts(
        "wallpapers",
        "wallpapers",
        len(wallpapers.of_use("evaluate")),
        f"{len(wallpapers.of_use('evaluate'))} photographs of 2,560 to 6,028 px that Debian packages as wallpapers, "
        "the largest first, held out from this project's training.",
    ),
    ImageSetFacts(
        "leaves",
        "leaves",
        LEAVES_COUNT,
        f"{LEAVES_COUNT} dead-leaves scenes with 1/f texture, the same scenes at every resolution.",
    ),
    ImageSetFacts(
        "challenge",
        "challenge",
        len(challenge.SCENES),
        "Five drawn images, each hard in its own way: " + ", ".join(challenge.SCENES) + ".",
    ),
    ImageSetFacts(
        "text",
        "text",
        len(text_pages.NAMES),
        f"{len(text_pages.NAMES)} drawn pages of known lines, with capitals of {text_pages.HEIGHTS[0]} to "
        f"{text_pages.HEIGHTS[-1]} px: dark on light, light on dark, and on photographs.",
    ),
    ImageSetFacts(
        "han",
        "han",
        len(text_pages.NAMES),
        f"{len(text_pages.NAMES)} drawn pages of known Chinese lines, with characters of {text_pages.HEIGHTS[0]} to "
        f"{text_pages.HEIGHTS[-1]} px: dark on light, light on dark, and on photographs.",
    ),
    ImageSetFacts("div8k", "div8k", 1500, "DIV8K's training split: 1,500 photographs of up to 8K, PNG."),
    ImageSetFacts(
        "coco", "coco-val2017-centre-crop", 5000, "COCO's val2017 split: 5,000 photographs, most of 640 × 480, JPEG."
    ),
    ImageSetFacts(
        "imagenet-val-256",
        "imagenet-val-centre-crop",
        50_000,
        "ImageNet's validation split of 2012: 50,000 photographs, on which reconstruction FID is reported at 256 px.",
    ),
    ImageSetFacts("kodak", "kodak", 24, "Kodak's lossless true colour images: 24 photographs of 768 × 512, PNG."),
    ImageSetFacts(
        "clic2020-professional-valid",
        "clic2020-professional-valid",
        41,
        "CLIC 2020's validation split of professional photographs: 41 images of up to 2,048 px, PNG.",
    ),
    ImageSetFacts("div2k-valid", "div2k-valid", 100, "DIV2K's validation split: 100 photographs of 2,040 px, PNG."),
    ImageSetFacts(
        "omnidoc-tokenbench",
        "omnidoc-tokenbench",
        3042,
        "OmniDoc-TokenBench: 3,042 crops of documents, on which reconstruction is reported at 256 px.",
    ),
    ImageSetFacts(
        "tokbench",
        "tokbench",
        None,
        "TokBench: photographs and documents with small text, of eight data sets, and faces of WFLW; its text and "
        "faces are not recognised here, and its authors state no exact count.",
    ),
)
IMAGE_SET_FACTS: Mapping[str, ImageSetFacts] = {facts.name: facts for facts in _FACTS}
