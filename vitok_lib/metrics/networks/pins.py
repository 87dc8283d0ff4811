"""The weight files of metric networks, each pinned by its sha256: with other weights it is another metric.

The first digits of AlexNet's and VGG-16's digests are in torchvision's file names; those of DINO are of the hub's files
at the pinned commits; the others are of the files in the wheels of torchmetrics and rapidocr.
"""

from __future__ import annotations

from pathlib import Path

from vitok_lib.digest import sha256_of
from vitok_lib.errors import RequestError

PINS = {
    "inception": {
        "weights-inception-2015-12-05-6726825d.pth": "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    },
    "dinov2": {
        "config.json": "12df51c069a2dc1305e34ba71ef58bc2407ea553b75f4722a1715c1bce3bbed0",
        "model.safetensors": "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
    },
    "dinov3": {
        "config.json": "3c9cc418f4622fd6d5587fd142b6f3cba0ba6a69f67ced907d8b7f26118451ec",
        "model.safetensors": "9a21ac3df0c63839d62612dda6f454d816c25611cc7a52966ed5a5a94921dc8b",
    },
    "lpips": {
        "alexnet-owt-7be5be79.pth": "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "lpips_models/alex.pth": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    },
    "dists": {
        "vgg16-397923af.pth": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "dists_models/weights.pt": "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    },
    "pp-ocrv6-rec-small": {
        "models/PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    },
}
"""By metric, feature extractor or recogniser."""
_DIGITS = 8


def tag(name: str) -> str:
    """The first digits of the digests of a network's weights, for signatures, such as ``7be5be79+df73285e``."""
    return "+".join(digest[:_DIGITS] for file, digest in PINS[name].items() if file != "config.json")


def check_pinned(name: str, file: Path, digest: str, way_out: str) -> None:
    """Raise a RequestError, which ends with ``way_out``, unless ``file`` is there and has the sha256 ``digest``."""
    if not file.is_file():
        raise RequestError(f"the weights of '{name}' are not at '{file}'; {way_out}")
    found = sha256_of(file)
    if found != digest:
        raise RequestError(
            f"'{file}' holds other weights than '{name}' is defined with "
            f"(sha256 {found[:_DIGITS]}…, not {digest[:_DIGITS]}…); {way_out}",
            code="other-weights",
        )
