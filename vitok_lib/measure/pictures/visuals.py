"""Making pictures for the report's viewer: what tokenizers make of some images, kept without loss."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

from PIL import Image

from vitok_lib.errors import RequestError, error_text
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.images.sets import ImageError, ImageSet, load_image, opened
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.outcomes import is_out_of_memory
from vitok_lib.measure.common.reproduce import RUN, Measurement, command
from vitok_lib.measure.pictures.crops import choose_views, seen
from vitok_lib.measure.pictures.latents import latent_pictures
from vitok_lib.measure.quality.evaluate import reconstruct_pixels
from vitok_lib.measure.quality.metric_suite import Pixels, as_tensor
from vitok_lib.metrics.pixel import image_metrics
from vitok_lib.records.schema import Settings, TokenizerIdentity
from vitok_lib.records.store import atomic, slug
from vitok_lib.records.visuals import MANIFEST, Picture, Reconstruction, View, Visual, visual_folder
from vitok_lib.tokenizers.folder import Paired, Reconstructions
from vitok_lib.tokenizers.interface import Tokenizer

METRICS = ("psnr", "ssim")
_LATENT = "latent"
_ENCODING: dict[str, Any] = {"format": "WEBP", "lossless": True, "method": 2, "quality": 50}  # quality: of the search


@dataclass
class _Seen:
    """One image on its way, and what each tokenizer has made of it so far."""

    entry: ManifestEntry
    original: Pixels
    made: dict[str, tuple[TokenizerIdentity, Settings, Pixels]] = field(default_factory=dict)
    latents: dict[str, Pixels] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def make_visuals(
    tokenizers: Iterable[Tokenizer],
    *,
    images: str | Path | ImageSet,
    resolution: int,
    count: int,
    **context: Unpack[ContextOptions],
) -> list[Visual]:
    """Keep the first ``count`` images and what every tokenizer makes of them; earlier pictures of them are replaced.

    An image that cannot be read is passed over, and a tokenizer that fails on one is left out there with its reason,
    as in an evaluation.

    Args:
        tokenizers: taken one after the other, so that a generator holds one in memory at a time; one of a folder
            shows its files.
        images: an image set, or whatever :func:`vitok_lib.images.sets.open_image_set` opens.
        resolution: cap of the longest side in pixels, or the size that a drawn set is drawn at.
        count: so many images, from the first.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`; the notebook, by default ``viewer``,
            with its parameters is what makes the same again.

    Raises:
        RequestError: the request is wrong, nothing could be made, or the results folder cannot be written.
    """
    context.setdefault("notebook", "viewer")
    asked = Context(**context)
    started = datetime.now(UTC)
    image_set = opened(images)
    held = _read(image_set, resolution, count)
    device = "cpu"
    names: list[str] = []
    for tokenizer in tokenizers:
        name = tokenizer.spec.name
        if name in names:
            raise RequestError(f"tokenizer '{name}' is named twice; pictures of one image hold each tokenizer once")
        names.append(name)
        device = tokenizer.settings.device or device
        files = None
        if isinstance(tokenizer, Reconstructions):
            files = tokenizer.paired([image.entry for image in held], image_set.names())
        for image in held:
            _reconstruct(tokenizer, files, image)
        made = [image for image in held if name in image.made]
        for image, picture in zip(made, latent_pictures(tokenizer, [image.original for image in made]), strict=False):
            image.latents[name] = picture
        del tokenizer  # or else it would still be there while the next one is loaded
    whole = [image for image in held if image.made]
    if not whole:
        reasons = sorted({reason for image in held for reason in image.left_out.values()})
        raise RequestError(f"no pictures of '{image_set.name}': {'; '.join(reasons) or 'no tokenizer is at hand'}")
    repeated = command(Measurement(RUN, (), {"notebook": asked.notebook, **asked.parameters}))
    visuals = []
    for image in whole:
        folder = visual_folder(asked.study, image_set.name, resolution, image.entry.name, image.entry.sha256)
        views = choose_views(image.original, [pixels for _, _, pixels in image.made.values()])
        visual = Visual(
            benchmark=image_set.name,
            resolution=resolution,
            image=image.entry.name,
            sha256=image.entry.sha256,
            width=image.original.shape[1],
            height=image.original.shape[0],
            views=views,
            originals=tuple(_save(seen(image.original, view), folder, "original", view.rule) for view in views),
            reconstructions=tuple(_kept(image, name, views, folder) for name in image.made),
            left_out=image.left_out,
            provenance=asked.provenance(repeated, started, device),
        )
        _write(visual, folder)
        visuals.append(visual)
    return visuals


def _read(image_set: ImageSet, resolution: int, count: int) -> list[_Seen]:
    held = []
    for entry in image_set.manifest(resolution, count).entries:
        try:
            held.append(_Seen(entry, load_image(image_set, entry.name, resolution)))
        except ImageError:
            continue
    if not held:
        raise RequestError(f"none of the first {count} images of '{image_set.name}' can be read")
    return held


def _reconstruct(tokenizer: Tokenizer, files: Paired | None, image: _Seen) -> None:
    """``files`` has what was reconstructed elsewhere, where there is nothing to run."""
    name = tokenizer.spec.name
    try:
        if files is None:
            pixels = reconstruct_pixels(tokenizer, image.original)
        else:
            pixels = files.pixels(image.entry.name, *image.original.shape[:2])
    except RequestError:
        raise
    except Exception as error:
        image.left_out[name] = "out of memory" if is_out_of_memory(error) else error_text(error)
        return
    image.made[name] = tokenizer.spec.identity(tokenizer.weights), tokenizer.settings, pixels


def _kept(image: _Seen, name: str, views: Sequence[View], folder: Path) -> Reconstruction:
    identity, settings, pixels = image.made[name]
    pictures = []
    for view in views:
        cut, original = seen(pixels, view), seen(image.original, view)
        is_crop = view.native and len(views) > 1
        pictures.append(_save(cut, folder, name, view.rule, _values(original, cut) if is_crop else {}))
    latent = image.latents.get(name)
    return Reconstruction(
        tokenizer=identity,
        settings=settings,
        values=_values(image.original, pixels),
        pictures=tuple(pictures),
        latent=None if latent is None else _save(latent, folder, name, _LATENT),
    )


def _values(original: Pixels, reconstruction: Pixels) -> dict[str, float]:
    """The metrics of two images; those that images as small as these do not have are left out."""
    pair = [as_tensor([pixels])[0] for pixels in (original, reconstruction)]
    values = image_metrics(METRICS, "cpu")(*pair)
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _save(pixels: Pixels, folder: Path, name: str, shows: str, values: dict[str, float] | None = None) -> Picture:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, **_ENCODING)
    digest = hashlib.sha256(encoded.getvalue()).hexdigest()
    # The digest in the name: a manifest that a killed process did not get to replace still finds its own pictures.
    file = f"{slug(name)}-{slug(shows)}-{digest[:8]}.webp"
    with atomic(folder / file) as temporary:
        temporary.write_bytes(encoded.getvalue())
    return Picture(file=file, sha256=digest, values=values or {})


def _write(visual: Visual, folder: Path) -> None:
    """The manifest, once its pictures are there; then pictures of earlier ones go."""
    with atomic(folder / MANIFEST) as temporary:
        temporary.write_text(visual.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
    shown = (*visual.originals, *(picture for made in visual.reconstructions for picture in made.pictures))
    latents = (made.latent for made in visual.reconstructions if made.latent is not None)
    kept = {picture.file for picture in (*shown, *latents)}
    for path in folder.glob("*.webp"):
        if path.name not in kept:
            path.unlink()
