"""Every tokenizer known by name, as plain data.

Listing and describing need no torch: a model of any size is described from its variant alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vitok_lib.errors import unknown
from vitok_lib.tokenizers.interface import TokenizerSpec
from vitok_lib.tokenizers.vitok.variant import looks_like_variant, parse_variant

SHIPPED = Path(__file__).resolve().parents[1] / "weights"


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
