"""The named image sets as plain data: what can be said of each without having its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitok_lib.images import challenge, photographs, wallpapers

LEAVES_COUNT = 64


@dataclass(frozen=True)
class ImageSetFacts:
    """``benchmark`` is the name in records; ``count`` the number of images that the set must hold."""

    name: str
    benchmark: str
    count: int
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
    ImageSetFacts("div8k", "div8k", 1500, "DIV8K's training split: 1,500 photographs of up to 8K, PNG."),
    ImageSetFacts(
        "coco", "coco-val2017-centre-crop", 5000, "COCO's val2017 split: 5,000 photographs, most of 640 × 480, JPEG."
    ),
)
IMAGE_SET_FACTS: Mapping[str, ImageSetFacts] = {facts.name: facts for facts in _FACTS}
