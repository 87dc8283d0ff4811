"""Every tokenizer known by name, as plain data, and the one way to load any of them.

Listing and describing need no torch: a model of any size is described from its variant alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vitok_lib.errors import RequestError, unknown
from vitok_lib.tokenizers.interface import Tokenizer, TokenizerSpec
from vitok_lib.tokenizers.vitok.variant import looks_like_variant, parse_variant

if TYPE_CHECKING:
    from vitok_lib.tokenizers.vitok.checkpoint import Part

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
DTYPES = ("float32", "float64", "bfloat16", "float16")


@dataclass(frozen=True)
class Entry:
    """One line of the registry.

    ``architecture`` is a ViTok variant, or ``f<stride>x<channels>``; ``repository`` and ``revision`` say where
    released weights are; ``sha256`` holds the digest of each weight file that ships with this library.
    """

    name: str
    family: Literal["vitok", "kl", "pca"]
    architecture: str
    source: str
    repository: str | None = None
    revision: str | None = None
    sha256: dict[str, str] | None = None


def _released(size: str, sides: str, patch: int, channels: int) -> Entry:
    name = f"{size}-f{patch}x{channels}"
    repository = f"philippehansen/ViTok-v2-{name}"
    return Entry(name, "vitok", f"{sides}/1x{patch}x{channels}", "released ViTok-v2", repository, "main")


def _shipped(name: str, family: Literal["vitok", "kl", "pca"], architecture: str) -> Entry:
    source = "closed form, this project" if family == "pca" else "trained by this project"
    return Entry(name, family, architecture, source, sha256=_shipped_digests(name))


def _shipped_digests(name: str) -> dict[str, str]:
    """The sha256 of each weight file, as the training record beside the weights states it."""
    record = json.loads((SHIPPED / name / "training.json").read_text(encoding="utf-8"))
    digests: dict[str, str] = record["sha256"]
    return digests


REGISTRY = {
    entry.name: entry
    for entry in (
        *(_released("350M", "Ld4-Ld24", 16, channels) for channels in (16, 32, 64)),
        *(_released("5B", "Td4-T", 16, channels) for channels in (16, 32, 64)),
        *(_released("5B", "Td4-T", 32, channels) for channels in (64, 128, 256)),
        _shipped("nano-f16x64", "vitok", "w192_d2_h3-w192_d4_h3/1x16x64"),
        _shipped("nano-f16x32", "vitok", "w192_d2_h3-w192_d4_h3/1x16x32"),
        _shipped("nano-f32x128", "vitok", "w192_d1_h3-w192_d4_h3/1x32x128"),
        _shipped("nano-f32x64", "vitok", "w192_d1_h3-w192_d4_h3/1x32x64"),
        _shipped("nano-kl-f8x16", "kl", "f8x16"),
        _shipped("nano-kl-f8x4", "kl", "f8x4"),
        _shipped("pca-f16x64", "pca", "f16x64"),
    )
}


def find(name: str) -> Entry:
    """The registry's entry of ``name``; a ViTok variant string makes an entry of its own.

    Raises:
        RequestError: the name is in no registry (the nearest known ones are named) or the variant is wrong.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    if looks_like_variant(name):
        parse_variant(name)
        return Entry(name, "vitok", name, "ViTok variant string")
    raise unknown("tokenizer", name, REGISTRY)


def describe(name: str) -> TokenizerSpec:
    """What is known of a tokenizer without loading it: sizes, channels, parameters, compression ratio."""
    entry = find(name)
    spec = TokenizerSpec(entry.name, entry.family, 0, 0, entry.source, repository=entry.repository)
    if entry.family == "vitok":
        variant = parse_variant(entry.architecture)
        return replace(
            spec,
            downsampling=variant.patch,
            latent_channels=variant.channels,
            parameters=variant.parameters,
            variant=variant.text,
        )
    stride, channels = (int(number) for number in entry.architecture.removeprefix("f").split("x"))
    return replace(spec, downsampling=stride, latent_channels=channels)


def load_tokenizer(
    name: str,
    *,
    weights: str | Path = "released",
    revision: str | None = None,
    part: Part = "both",
    device: str = "cpu",
    dtype: str = "float32",
    window: int | None = None,
    seed: int = 0,
) -> Tokenizer:
    """Load a tokenizer, ready to encode and decode.

    Args:
        name: a registry name, or a ViTok variant string such as ``"Td4-T/1x16x64"``.
        weights: ``"released"`` (those that ship with this library, or the hub's), ``"random"``, or the path of
            a weight file or of a folder with weight files.
        revision: the hub revision (a commit) to take; None: the registry's.
        part: of a ViTok, load only the ``"encoder"`` or only the ``"decoder"``.
        device: where parameters and activations live.
        dtype: of parameters and activations: float32, float64, bfloat16 or float16.
        window: of a ViTok, the sliding-window radius in tokens; None: full attention.
        seed: of random weights.

    Raises:
        RequestError: the request is wrong, or its weights cannot be read; the message says what to do.
    """
    entry, spec = find(name), describe(name)
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    if window is not None and window < 0:
        raise RequestError(f"window (={window}) must be 0 or more tokens, or None for full attention")
    if entry.family != "vitok" and (window is not None or part != "both"):
        raise RequestError(f"tokenizer '{name}' is no ViTok: window and part do not apply to it")
    _check_device(device)
    if entry.family == "vitok":
        from vitok_lib.tokenizers.vitok.checkpoint import load_vitok

        return load_vitok(entry, spec, weights, revision, part, device, dtype, window, seed)
    if entry.family == "kl":
        from vitok_lib.tokenizers.autoencoders import load_autoencoder

        return load_autoencoder(entry, spec, weights, device, dtype, seed)
    from vitok_lib.tokenizers.pca import load_pca

    return load_pca(entry, spec, weights, device, dtype)


def _check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RequestError(f"device '{device}' cannot be used here ({reason}); try device 'cpu'") from error
