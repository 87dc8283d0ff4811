"""What an image looks like through some tokenizers: pictures and how they were made.

``results/<study>/visuals/<case>/<image>-<digest>/`` is a folder with lossless pictures and ``visual.json``.
Records lie one level higher, so that no reader of records meets a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from vitok_lib.records.schema import Provenance, Settings, TokenizerIdentity
from vitok_lib.records.store import read_model, results_root, slug
from vitok_lib.records.studies import studies_in_order

SCHEMA_VERSION = 1
FOLDER = "visuals"
MANIFEST = "visual.json"
_DIGEST_IN_NAME = 8  # hex digits, since two names may have one slug
_LONGEST_NAME = 80


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(StrEnum):
    """Why a view shows what it shows; squared errors are summed over a square's pixels and channels.

    Of an image that is too large to be shown whole there is an overview, fitted to a size, and squares at native
    size: where the squared errors of all tokenizers together are largest, where those of the best and of the worst
    tokenizer lie furthest apart, and the middle of the image.
    """

    WHOLE = "whole image"
    OVERVIEW = "overview"
    LARGEST_ERROR = "largest error"
    LARGEST_GAIN = "largest gain"
    CENTRE = "centre"


class View(_Strict):
    """A part of the image, in its own pixels; an overview's pictures are smaller than that, all others are equal."""

    rule: Rule
    left: int
    top: int
    width: int
    height: int

    @property
    def native(self) -> bool:
        """Whether one pixel of a picture is one pixel of the image."""
        return self.rule is not Rule.OVERVIEW


class Picture(_Strict):
    """A lossless file beside the manifest; ``values`` are metrics of a crop, whose pixels it shows."""

    file: str
    sha256: str
    values: dict[str, float] = Field(default_factory=dict)


class Reconstruction(_Strict):
    """One tokenizer's pictures, one for each view; ``values`` are metrics of the whole image.

    ``latent`` is a picture of the latent of the whole image, a pixel a position: its three leading principal components
    over the images that were kept with it. None where the latent is no grid of numbers, and in older manifests.
    """

    tokenizer: TokenizerIdentity
    settings: Settings
    values: dict[str, float]
    pictures: tuple[Picture, ...]
    latent: Picture | None = None


class Visual(_Strict):
    """One image through several tokenizers.

    ``sha256`` is the image's in the manifest of its set, by which records of single images name it too.
    ``left_out`` says of each tokenizer without pictures why there are none.
    """

    schema_version: int = SCHEMA_VERSION
    benchmark: str
    resolution: int
    image: str
    sha256: str
    width: int
    height: int
    views: tuple[View, ...]
    originals: tuple[Picture, ...]
    reconstructions: tuple[Reconstruction, ...]
    left_out: dict[str, str] = Field(default_factory=dict)
    provenance: Provenance

    @property
    def case(self) -> str:
        """Benchmark and resolution, such as ``photos-512``."""
        return f"{self.benchmark}-{self.resolution}"


def visual_folder(study: str, benchmark: str, resolution: int, image: str, sha256: str) -> Path:
    """Where the pictures of one image go."""
    name = f"{slug(image)[:_LONGEST_NAME]}-{sha256[:_DIGEST_IN_NAME]}"
    return results_root() / slug(study) / FOLDER / f"{slug(benchmark)}-{resolution}" / name


def iterate_visuals() -> Iterator[tuple[Path, Visual]]:
    """Every manifest with its path, study by study in the order in which they take precedence, then by path."""
    root = results_root()
    files = sorted(root.glob(f"*/{FOLDER}/*/*/{MANIFEST}"))
    for study in studies_in_order({path.relative_to(root).parts[0]: path for path in reversed(files)}):
        for path in files:
            if path.relative_to(root).parts[0] == study:
                yield path, read_visual(path)


def read_visual(path: Path) -> Visual:
    """Read one manifest.

    Raises:
        RequestError: the file cannot be read or is no valid manifest; the message names the file and the field.
    """
    return read_model(path, Visual, "list of pictures")
