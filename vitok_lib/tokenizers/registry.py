"""Every tokenizer known by name, as plain data.

Listing and describing need no torch: a model of any size is described from its variant alone. Beside the names of
the registry these are understood, and ``find`` makes an entry of each:

=============================  ======================================================================
``Td4-T/1x16x64``              a ViTok variant
``diffusers:REPO[/SUBFOLDER]`` an auto-encoder on the hub, of a diffusers class with an adapter
``jpeg:q=75``, ``jxl:bpp=1``   a codec at a quality or at a target of bits per pixel
``folder:PATH``                reconstructions that were made elsewhere, one file an image
``module:factory``             a tokenizer that a Python function makes
a plug-in's name               an entry point of the group ``vitok_lib.tokenizers``
=============================  ======================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vitok_lib.errors import RequestError, unknown
from vitok_lib.tokenizers import plugins
from vitok_lib.tokenizers.codec_names import CODECS, is_codec, parse_codec
from vitok_lib.tokenizers.interface import TokenizerSpec
from vitok_lib.tokenizers.vitok.variant import looks_like_variant, parse_variant

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
DIFFUSERS = "diffusers:"
FOLDER = "folder:"
Family = Literal["vitok", "kl", "dc-ae", "diffusers", "pca", "codec", "folder", "plugin"]
CONVOLUTIONAL = ("kl", "dc-ae", "diffusers")
"""The families of convolutional auto-encoders, which take an image as a whole or in tiles."""


@dataclass(frozen=True)
class Entry:
    """One line of the registry.

    ``architecture`` is a ViTok variant, or ``f<stride>x<channels>``, or empty where only the weights or the plug-in
    tell it; ``repository``, ``subfolder`` and ``revision`` say where released weights are, ``gated`` that the hub
    asks for a token there; ``sha256`` holds the digest of each weight file that ships with this library.
    """

    name: str
    family: Family
    architecture: str
    source: str
    repository: str | None = None
    revision: str | None = None
    sha256: dict[str, str] | None = None
    subfolder: str | None = None
    gated: bool = False


def _released(size: str, sides: str, patch: int, channels: int) -> Entry:
    name = f"{size}-f{patch}x{channels}"
    repository = f"philippehansen/ViTok-v2-{name}"
    return Entry(name, "vitok", f"{sides}/1x{patch}x{channels}", "released ViTok-v2", repository, "main")


def _shipped(name: str, family: Family, architecture: str) -> Entry:
    source = "closed form, this project" if family == "pca" else "trained by this project"
    return Entry(name, family, architecture, source, sha256=_shipped_digests(name))


def _shipped_digests(name: str) -> dict[str, str]:
    """The sha256 of each weight file, as the training record beside the weights states it."""
    record = json.loads((SHIPPED / name / "training.json").read_text(encoding="utf-8"))
    digests: dict[str, str] = record["sha256"]
    return digests


PINNED = {
    "black-forest-labs/FLUX.1-dev": "3de623fc3c33e44ffbe2bad470d0f45bccf2eb21",
    "black-forest-labs/FLUX.2-dev": "26afe3a78bb242c0a8bb181dcc8937bb16e5c66c",
    "stabilityai/sd-vae-ft-mse": "31f26fdeee1355a5c34592e401dd41e45d25a493",
    "madebyollin/sdxl-vae-fp16-fix": "207b116dae70ace3637169f1ddd2434b91b3a8cd",
    "Qwen/Qwen-Image": "75e0b4be04f60ec59a75f475837eced720f823b6",
}
"""The commit of a repository on the hub, where it is known; of any other the branch ``main`` is taken."""


def _autoencoder(
    name: str,
    family: Family,
    architecture: str,
    source: str,
    repository: str,
    subfolder: str | None = None,
    gated: bool = False,
) -> Entry:
    revision = PINNED.get(repository, "main")
    return Entry(name, family, architecture, source, repository, revision, subfolder=subfolder, gated=gated)


REGISTRY = {
    entry.name: entry
    for entry in (
        *(_released("350M", "Ld4-Ld24", 16, channels) for channels in (16, 32, 64)),
        *(_released("5B", "Td4-T", 16, channels) for channels in (16, 32, 64)),
        *(_released("5B", "Td4-T", 32, channels) for channels in (64, 128, 256)),
        _autoencoder("flux", "kl", "f8x16", "FLUX.1", "black-forest-labs/FLUX.1-dev", "vae", gated=True),
        _autoencoder("flux2", "kl", "f8x32", "FLUX.2", "black-forest-labs/FLUX.2-dev", "vae", gated=True),
        _autoencoder("sd", "kl", "f8x4", "Stable Diffusion, ft-MSE", "stabilityai/sd-vae-ft-mse"),
        _autoencoder("sdxl", "kl", "f8x4", "SDXL, fp16 fix", "madebyollin/sdxl-vae-fp16-fix"),
        _autoencoder("qwen", "kl", "f8x16", "Qwen-Image", "Qwen/Qwen-Image", "vae"),
        _autoencoder("qwen-repa-e", "kl", "f8x16", "Qwen-Image, REPA-E fine-tune", "REPA-E/e2e-qwenimage-vae"),
        _autoencoder("dc-ae-f32", "dc-ae", "f32x32", "DC-AE", "mit-han-lab/dc-ae-f32c32-in-1.0-diffusers"),
        _autoencoder("dc-ae-f64", "dc-ae", "f64x128", "DC-AE", "mit-han-lab/dc-ae-f64c128-in-1.0-diffusers"),
        _autoencoder("sd3.5", "kl", "f8x16", "SD 3.5", "stabilityai/stable-diffusion-3.5-large", "vae", gated=True),
        _autoencoder("wan2.1", "kl", "f8x16", "Wan 2.1", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "vae"),
        _autoencoder("wan2.2", "kl", "f16x48", "Wan 2.2", "Wan-AI/Wan2.2-TI2V-5B-Diffusers", "vae"),
        _autoencoder(
            "hunyuan-image",
            "kl",
            "f32x64",
            "HunyuanImage 2.1",
            "hunyuanvideo-community/HunyuanImage-2.1-Diffusers",
            "vae",
        ),
        _autoencoder("cosmos", "kl", "f8x16", "Cosmos 1.0", "nvidia/Cosmos-1.0-Tokenizer-CV8x8x8", "vae", gated=True),
        _autoencoder("ltx-video", "kl", "f32x128", "LTX-Video 0.9", "Lightricks/LTX-Video", "vae"),
        _autoencoder("taesd", "diffusers", "f8x4", "TAESD, of SD's latent", "madebyollin/taesd"),
        _autoencoder("taesdxl", "diffusers", "f8x4", "TAESD, of SDXL's latent", "madebyollin/taesdxl"),
        _autoencoder("taef1", "diffusers", "f8x16", "TAESD, of FLUX.1's latent", "madebyollin/taef1"),
        _autoencoder(
            "kandinsky-movq",
            "diffusers",
            "f8x4",
            "Kandinsky 2.2, discrete",
            "kandinsky-community/kandinsky-2-2-decoder",
            "movq",
        ),
        _autoencoder(
            "rae-dinov2", "diffusers", "f16x768", "RAE of DINOv2", "nyu-visionx/RAE-dinov2-wReg-base-ViTXL-n08"
        ),
        _shipped("nano-f16x64", "vitok", "w192_d2_h3-w192_d4_h3/1x16x64"),
        _shipped("nano-f16x32", "vitok", "w192_d2_h3-w192_d4_h3/1x16x32"),
        _shipped("nano-f32x128", "vitok", "w128_d1_h2-w128_d4_h2/1x32x128"),
        _shipped("nano-f32x64", "vitok", "w128_d1_h2-w128_d4_h2/1x32x64"),
        _shipped("nano-kl-f8x16", "kl", "f8x16"),
        *(_shipped(f"pca-{architecture}", "pca", architecture) for architecture in ("f16x64", "f16x32", "f32x64")),
        *(Entry(name, "codec", "", codec.source) for name, codec in CODECS.items()),
    )
}

RELEASED = (
    *(name for name, entry in REGISTRY.items() if entry.source == "released ViTok-v2"),
    *("flux", "flux2", "sd", "sdxl", "qwen", "dc-ae-f32", "dc-ae-f64"),
)
"""The models that people choose between: neither codecs nor the small tokenizers that this project trained."""


def find(name: str) -> Entry:
    """The registry's entry of ``name``, or one made for what the module's docstring lists.

    Raises:
        RequestError: the name is none of these (the nearest known ones are named), or it cannot be read.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    if name.startswith(DIFFUSERS):
        return _hub_entry(name)
    if name.startswith(FOLDER):
        return Entry(name, "folder", "", "reconstructions made elsewhere")
    if is_codec(name):
        return Entry(name, "codec", "", parse_codec(name).codec.source)
    if looks_like_variant(name):
        parse_variant(name)
        return Entry(name, "vitok", name, "ViTok variant string")
    if plugins.is_plugin(name):
        return Entry(name, "plugin", "", "plug-in")
    if name.startswith((".", "/", "~")):
        raise RequestError(
            f"tokenizer '{name}' is a path; name code as module:factory with its folder on PYTHONPATH, "
            "reconstructions as folder:PATH, and weights of a diffusers class as diffusers:OWNER/NAME "
            "with --weights PATH",
            code="unknown-name",
        )
    raise unknown("tokenizer", name, [*REGISTRY, *plugins.names()])


def check_runs(name: str) -> None:
    """Raise a RequestError where the tokenizer called ``name`` has nothing to run."""
    if name.startswith(FOLDER):
        raise nothing_to_run(name)


def check_has_latent(name: str) -> None:
    """Raise a RequestError where the latent of the tokenizer called ``name`` cannot be numbers."""
    why = {"folder": "a folder holds reconstructions alone", "codec": "a codec writes a stream of bytes"}
    family = find(name).family
    if family in why:
        raise RequestError(f"'{name}' has no latent of numbers: {why[family]}; take a ViTok, a PCA or an auto-encoder")


def nothing_to_run(name: str) -> RequestError:
    """The error for encoding, decoding or timing what was reconstructed elsewhere."""
    return RequestError(
        f"'{name}' holds reconstructions that were made elsewhere: there is nothing to encode, time or plan; "
        "'vitok eval' scores them"
    )


def _hub_entry(name: str) -> Entry:
    owner, _, rest = name.removeprefix(DIFFUSERS).partition("/")
    repository, _, subfolder = rest.partition("/")
    if owner in ("", ".", "..", "~") or not repository:
        raise RequestError(
            f"tokenizer '{name}' must read diffusers:OWNER/REPOSITORY or diffusers:OWNER/REPOSITORY/SUB; for a folder "
            "on disk give any such name, and --weights PATH"
        )
    return Entry(
        name, "diffusers", "", "diffusers, from the hub", f"{owner}/{repository}", "main", subfolder=subfolder or None
    )


def describe(name: str, blocks: str | None = None) -> TokenizerSpec:
    """What is known of a tokenizer without loading it: sizes, channels, parameters, compression ratio.

    Of a ViTok cut to its first ``blocks`` only the parameters that are left count.
    """
    entry = find(name)
    spec = TokenizerSpec(entry.name, entry.family, None, None, entry.source, repository=entry.repository)
    if entry.family == "vitok":
        variant = parse_variant(entry.architecture)
        return replace(
            spec,
            downsampling=variant.patch,
            latent_channels=variant.channels,
            parameters=variant.truncated(blocks).parameters,
            variant=variant.text,
        )
    if not entry.architecture:
        return spec
    stride, channels = (int(number) for number in entry.architecture.removeprefix("f").split("x"))
    return replace(spec, downsampling=stride, latent_channels=channels)
