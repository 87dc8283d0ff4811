"""One page of the viewer: the image's pictures as data, and what is chosen; ``viewer.js`` draws it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from vitok_lib.report.viewer.cases import ORIGINAL, Shown, captions
from vitok_lib.report.viewer.layers import ERROR_COLOURS, ERROR_TOP, Layers, Start

SCRIPT = Path(__file__).with_name("viewer.js")
STEPS = (1, 2, 4, 8)  # screen pixels for each of the picture
LAST_KEY = 9  # the digit of the ninth tokenizer; those after it are chosen from the list, or with N and P
_TEMPLATE = Path(__file__).with_name("viewer.html.jinja")
_ESCAPING = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

Choices = Sequence[tuple[str, str]]
"""Values of a selection with their labels."""


@dataclass(frozen=True)
class Neighbours:
    """The pages that a page leads to, itself among them: one for each image set, one for each image of its own set."""

    groups: Choices
    images: Choices


def render(shown: Shown, views: Sequence[Layers], start: Start, neighbours: Neighbours) -> str:
    """The page's HTML; its pictures are ``views`` of the image, and it opens at ``start``."""
    names = [
        (name, f"{key} {name}" if key <= LAST_KEY else name) for key, name in enumerate([ORIGINAL, *shown.tokenizers])
    ]
    rules = [(str(index), view.rule.value) for index, view in enumerate(shown.visual.views)]
    return _ESCAPING.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=f"{shown.visual.image}, {shown.group}",
        visual=shown.visual,
        group=shown.group,
        selections=[
            ("group", "images", neighbours.groups, shown.page),
            ("image", "image", neighbours.images, shown.page),
            ("view", "part", rules, str(start.view)),
            ("a", "A", names, ORIGINAL),
            ("b", "B", names, shown.tokenizers[0]),
        ],
        steps=STEPS,
        latents=any(view.latents for view in views),
        colours=ERROR_COLOURS,
        top=ERROR_TOP,
        data=_data(shown, views, start),
        script=SCRIPT.name,
    )


def _data(shown: Shown, views: Sequence[Layers], start: Start) -> str:
    """What ``viewer.js`` reads, as JSON that no name in it can break out of."""
    held = captions(shown)
    data = {
        "tokenizers": shown.tokenizers,
        "start": vars(start),
        "views": [
            {
                "width": view.width,
                "height": view.height,
                "layers": {
                    name: {"picture": file, "error": view.errors.get(name), "latent": view.latents.get(name)}
                    | {"caption": caption[name]}
                    for name, file in view.files.items()
                },
            }
            for view, caption in zip(views, held, strict=True)
        ],
    }
    return json.dumps(data).replace("<", "\\u003c")
