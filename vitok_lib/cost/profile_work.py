"""What a profile asks for: which tokenizer encodes and decodes how many images, how often, at which size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images.facts import IMAGE_SET_FACTS
from vitok_lib.images.prepare import NATIVE
from vitok_lib.metrics.quantities import PASSES
from vitok_lib.parameters import as_text, find_source, read_parameters
from vitok_lib.project import in_clone

DECODED_AT_QUANTISERS = 13
"""Of the study of rates: at twelve quantisers, and as it is."""
LATENT_PASSES = (11, 19.5)
"""Encodings and decodings of each image for the properties of latents, the midpoint of two images counted half."""
PADDING_PASSES = 11
"""With and without padding, cut, filled in three ways, on a square, and four crops."""


@dataclass(frozen=True)
class Work:
    """A tokenizer over ``images`` of an image set, each encoded and decoded so many times, ``resolution`` px a side.

    ``metrics`` are those of an evaluation; ``splits``: whether its images can be measured in shards.
    """

    output: str
    tokenizer: str
    image_set: str
    resolution: int
    images: int
    encodes: float = 1.0
    decodes: float = 1.0
    window: int | None = None
    metrics: tuple[str, ...] = ()
    splits: bool = False


Parameters = Mapping[str, Any]
_TIMES: Mapping[str, Callable[[Parameters], tuple[float, float]]] = {
    "div8k": lambda asked: (1, 1),
    "text": lambda asked: (1, 1),
    "how_many": lambda asked: (1, 1),
    "viewer": lambda asked: (1, 1),
    "rate": lambda asked: (1, DECODED_AT_QUANTISERS),
    "drift": lambda asked: (PASSES[-1], PASSES[-1]),
    "latents": lambda asked: LATENT_PASSES,
    "padding": lambda asked: (PADDING_PASSES, PADDING_PASSES),
    "tiling": lambda asked: (2 * len(_words(asked["tiles"])),) * 2,
    "variations": lambda asked: (1 + len(_words(asked["choices"])),) * 2,
}
"""Encodings and decodings of each image by notebook."""


def profile_work(profile: str) -> tuple[list[Work], list[str]]:
    """What ``profiles/<profile>.yml`` asks for, and a sentence for each entry whose images are not counted.

    Raises:
        RequestError: the profile is not known.
    """
    files = {file.stem: file for file in in_clone("profiles").glob("*.yml")}
    if profile not in files:
        raise unknown("profile", profile, files)
    works: list[Work] = []
    uncounted = []
    for entry in yaml.safe_load(files[profile].read_text(encoding="utf-8")):
        notebook = entry["notebook"]
        if notebook not in _TIMES:
            uncounted.append(f"{entry['output']}: notebook '{notebook}' times a machine, and not a set of images")
            continue
        source = find_source(notebook)
        asked = {parameter.name: parameter.default for parameter in read_parameters(source)} | entry["parameters"]
        if asked.get("resolution") == NATIVE.name:
            uncounted.append(f"{entry['output']}: native sizes of images are not known before they are opened")
            continue
        works += _works(entry["output"], notebook, asked)
    return works, uncounted


def _works(output: str, notebook: str, asked: Parameters) -> Iterator[Work]:
    encodes, decodes = _TIMES[notebook](asked)
    window = asked.get("window", -1)
    names = _words(asked["tokenizers"]) if "tokenizers" in asked else [asked["tokenizer"]]
    for image_set, resolution, count in _cases(notebook, asked):
        for name in names:
            yield Work(
                output=output,
                tokenizer=name,
                image_set=image_set,
                resolution=resolution,
                images=count,
                encodes=encodes,
                decodes=decodes,
                window=None if window == -1 else window,
                metrics=tuple(_words(asked["metrics"])) if notebook == "div8k" else (),
                splits=notebook == "div8k",
            )


def _cases(notebook: str, asked: Parameters) -> Iterator[tuple[str, int, int]]:
    """Image set, resolution and number of images."""
    if notebook == "viewer":
        for case in _words(asked["cases"]):
            image_set, _, resolution = case.rpartition("-")
            yield image_set, int(resolution), int(asked["count"])
        return
    sides = _words(asked["resolutions"]) if notebook == "variations" else [asked["resolution"]]
    for image_set in _words(asked["image_sets" if notebook == "text" else "image_set"]):
        for side in sides:
            yield image_set, int(side), _count(image_set, int(asked["samples"]))


def _count(image_set: str, samples: int) -> int:
    facts = IMAGE_SET_FACTS.get(image_set)
    held = None if facts is None else facts.count
    if held is None and not samples:
        raise RequestError(f"how many images '{image_set}' holds is not known before it is opened; give samples")
    return min(count for count in (samples or None, held) if count)


def _words(text: Any) -> list[str]:
    return [word.strip() for word in as_text(text).split(",") if word.strip()]
