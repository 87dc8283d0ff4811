"""Invented pictures for tests of the viewer; they are written to temporary folders and never shown as results."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.fakes.records import HOST
from vitok_lib.measure.pictures.crops import choose_views, seen
from vitok_lib.records.schema import Provenance, Settings, TokenizerIdentity, Weights
from vitok_lib.records.visuals import MANIFEST, Picture, Reconstruction, View, Visual, visual_folder

Pixels = NDArray[np.uint8]
PROVENANCE = Provenance(command="vitok run viewer", started=datetime(2026, 1, 1, tzinfo=UTC), seconds=1, host=HOST)
SETTINGS = Settings(device="cpu", dtype="float32")


def noise(height: int, width: int, seed: int) -> Pixels:
    """An image in which no two neighbours are alike, so that a pixel out of place or mixed with others shows."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def identity(name: str, weights: str = "shipped") -> TokenizerIdentity:
    return TokenizerIdentity(name=name, family="vitok", downsampling=8, weights=Weights(source=weights))


def write_visual(
    image: str,
    original: Pixels,
    made: Mapping[str, Pixels],
    *,
    study: str = "cpu",
    case: str = "photos-256",
    left_out: Mapping[str, str] | None = None,
    latents: Mapping[str, Pixels] | None = None,
) -> Path:
    """Keep pictures of one image as a run does; the path of their manifest.

    Of ``latents``, by tokenizer, a position is eight pixels a side.
    """
    benchmark, _, resolution = case.rpartition("-")
    digest = sha256_of(image)
    folder = visual_folder(study, benchmark, int(resolution), image, digest)
    folder.mkdir(parents=True, exist_ok=True)
    views = choose_views(original, list(made.values()))

    def write(pixels: Pixels, file: str, values: Mapping[str, float]) -> Picture:
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, format="PNG")
        (folder / file).write_bytes(encoded.getvalue())
        return Picture(file=file, sha256=hashlib.sha256(encoded.getvalue()).hexdigest(), values=dict(values))

    def keep(pixels: Pixels, name: str, index: int, view: View) -> Picture:
        crop = {"psnr": 20.5 + index, "ssim": 0.5} if view.native and len(views) > 1 else {}
        return write(seen(pixels, view), f"{name}-{index}.png", crop)

    visual = Visual(
        benchmark=benchmark,
        resolution=int(resolution),
        image=image,
        sha256=digest,
        width=original.shape[1],
        height=original.shape[0],
        views=views,
        originals=tuple(keep(original, "original", index, view) for index, view in enumerate(views)),
        reconstructions=tuple(
            Reconstruction(
                tokenizer=identity(name),
                settings=SETTINGS,
                values={"psnr": 30.25 + place, "ssim": 0.75},
                pictures=tuple(keep(pixels, str(place), index, view) for index, view in enumerate(views)),
                latent=write(latents[name], f"{place}-latent.png", {}) if latents and name in latents else None,
            )
            for place, (name, pixels) in enumerate(made.items())
        ),
        left_out=dict(left_out or {}),
        provenance=PROVENANCE,
    )
    path = folder / MANIFEST
    path.write_text(visual.model_dump_json(indent=1, exclude_none=True), encoding="utf-8")
    return path


def sha256_of(image: str) -> str:
    """The invented content of an image, as in invented records."""
    return hashlib.sha256(image.encode()).hexdigest()
