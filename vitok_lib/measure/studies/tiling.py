"""What working in parts does to an image: tiles of any tokenizer, and the chunks of a ViTok.

Tiles change the model: norms and attention see a tile and not the image. Chunks do not: a token goes through a block's
matrices by itself, so that all they may change is rounding.
"""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from vitok_lib.measure.studies.image_study import (
    ImageStudy,
    Quantity,
    Result,
    StudyOptions,
    measure_images,
    reconstructed,
)
from vitok_lib.measure.studies.seams import BAND
from vitok_lib.measure.studies.tiling_pairs import Pair, in_parts, load_pair
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.load import checked

_PSNR = "psnr|rgb|u8|per-image-mean|v1"


def measure_tiling(config: RunConfig, **asked: Unpack[StudyOptions]) -> Record:
    """Compare ``config`` in tiles, or in chunks, with the same tokenizer on whole images, and keep the record.

    Of tiles: PSNR of either against the original, their difference, and PSNR of one against the other, the error at
    seams and the step of colour between tiles (:mod:`vitok_lib.measure.studies.seams`), and the largest difference in
    8-bit levels. Of a ViTok's chunks: the largest difference, as a share of the images' range. Images of one part alone
    say nothing and are left out.

    Args:
        config: with a ``tile``, of any tokenizer with a latent grid; without, an auto-encoder in diffusers' tiles, or a
            ViTok, whose ``chunk`` is the tokens of a chunk, by default 256.
        asked: as in :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    return measure_images(_STUDY, in_parts(checked(config)), **asked)


def _measured(pair: Pair, original: Tensor, name: str) -> Result | None:
    if not pair.cuts(*original.shape[2:]):
        return None
    whole, parts = (reconstructed(tokenizer, original) for tokenizer in (pair.whole, pair.parts))
    return pair.compare(original[0], whole[0], parts[0])


_STUDY = ImageStudy(
    function="measure_tiling",
    benchmark="tiling",
    quantities={
        "untiled_psnr": Quantity("dB", _PSNR),
        "tiled_psnr": Quantity("dB", _PSNR),
        "tiling_change": Quantity("dB", "psnr|rgb|u8|tiled-less-untiled|per-image-mean|v1"),
        "tiled_agreement": Quantity("dB", "psnr|rgb|u8|tiled-to-untiled|per-image-mean|v1"),
        "seam_error": Quantity("×", f"seam-error|rgb|u8|steps|band:{BAND}|tiled-to-untiled|per-image-mean|v1"),
        "tiled_step": Quantity("levels", f"colour-step|rgb|u8|band:{BAND}|to-original|per-image-mean|v1"),
        "untiled_step": Quantity("levels", f"colour-step|rgb|u8|band:{BAND}|to-original|per-image-mean|v1"),
        "max_difference": Quantity("", "max-difference|rgb|u8|tiled-to-untiled|v1", over="maximum"),
        "chunked_difference": Quantity("", "max-difference|rgb|chunked-to-whole|of-range|v1", over="maximum"),
    },
    load=load_pair,
    tokenizer=lambda pair: pair.parts,
    measure=_measured,
    left_out="are one part and were left out",
    nothing="no image has more than one part",
    of_machine=True,
)
