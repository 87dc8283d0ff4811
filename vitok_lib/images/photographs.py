"""The photographs that scikit-image and scikit-learn ship: what each is, who made it, who may learn from it.

They are read from the installed packages and never copied into this project. The split is fixed: a
held-out photograph is evaluated on and must never reach training, nor may another view of its scene.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

_PUBLIC_DOMAIN = "public domain"
_NO_KNOWN_RESTRICTIONS = "no known copyright restrictions"


@dataclass(frozen=True)
class Photograph:
    """One photograph: ``package`` and ``path`` locate the file, ``licence`` is what that package states."""

    name: str
    package: str
    path: str
    subject: str
    source: str
    licence: str
    held_out: bool

    def file(self) -> Path:
        """Where the installed package keeps it; the package itself is not imported."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"photograph '{self.name}' needs the package {self.package}")
        return Path(spec.origin).parent / self.path


def _skimage(file: str, subject: str, source: str, licence: str, held_out: bool = False) -> Photograph:
    return Photograph(Path(file).stem, "skimage", f"data/{file}", subject, source, licence, held_out)


def _sklearn(file: str, subject: str, source: str, held_out: bool = False) -> Photograph:
    path = f"datasets/images/{file}"
    return Photograph(Path(file).stem, "sklearn", path, subject, source, "CC BY 2.0", held_out)


PHOTOGRAPHS = (
    _skimage("astronaut.png", "Eileen Collins", "NASA Great Images", _PUBLIC_DOMAIN, held_out=True),
    _skimage("camera.png", "photographer, grey", "Lav Varshney", "CC0", held_out=True),
    _skimage("chelsea.png", "cat", "Stefan van der Walt", "CC0", held_out=True),
    _sklearn("china.jpg", "temple roof", "danielbuechele, Flickr", held_out=True),
    _skimage("coffee.png", "espresso cup", "Rachel Michetti, Pikolo Espresso Bar", "CC0", held_out=True),
    _skimage("gravel.png", "gravel, grey", "CC0Textures Gravel04", "CC0", held_out=True),
    _sklearn("flower.jpg", "dahlia", "vultilion, Flickr"),
    _skimage("rocket.jpg", "Falcon 9 launch", "SpaceX", _PUBLIC_DOMAIN),
    _skimage("hubble_deep_field.jpg", "galaxies", "NASA, HubbleSite", _PUBLIC_DOMAIN),
    _skimage("retina.jpg", "human retina", "Mikael Häggström, Wikimedia", "CC0"),
    _skimage("ihc.png", "stained tissue", "CMMI", _NO_KNOWN_RESTRICTIONS),
    _skimage("brick.png", "brick wall, grey", "CC0Textures Bricks25", "CC0"),
    _skimage("grass.png", "grass, grey", "linolafett, DeviantArt", "CC0"),
    _skimage("coins.png", "Greek coins, grey", "Brooklyn Museum", _NO_KNOWN_RESTRICTIONS),
    _skimage("clock_motion.png", "wall clock, grey", "Stefan van der Walt", _PUBLIC_DOMAIN),
    _skimage("text.png", "printed text, grey", "Wikipedia, Corner.png", _PUBLIC_DOMAIN),
)


def held_out() -> list[Photograph]:
    """The photographs of the image set ``photos``, in its order."""
    return [photograph for photograph in PHOTOGRAPHS if photograph.held_out]


def training() -> list[Photograph]:
    """The photographs that the project's own tokenizers may learn from."""
    return [photograph for photograph in PHOTOGRAPHS if not photograph.held_out]
