"""The one way to load any tokenizer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vitok_lib.errors import RequestError, unknown
from vitok_lib.project import expanded
from vitok_lib.records.config import RANDOM, RELEASED, RunConfig
from vitok_lib.tokenizers.files import no_weights
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, Entry, describe, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

if TYPE_CHECKING:
    from vitok_lib.tokenizers.vitok.checkpoint import Part

DTYPES = ("float32", "float64", "bfloat16", "float16")
POSTERIORS = ("mode", "sample")


def load_tokenizer(
    name: str,
    *,
    weights: str | Path = "released",
    revision: str | None = None,
    preset: str | None = None,
    part: Part = "both",
    device: str = "cpu",
    dtype: str = "float32",
    window: int | str | None = None,
    blocks: str | None = None,
    precision: str | None = None,
    compile: str | None = None,
    attention: str | None = None,
    folded: bool | None = None,
    chunk: int | None = None,
    fused: bool | None = None,
    graphs: bool | None = None,
    tiling: bool = False,
    tile: str | None = None,
    strips: bool = False,
    slicing: bool = False,
    posterior: str = "mode",
    seed: int = 0,
    bytes: str | Path | None = None,
) -> Tokenizer:
    """Load a tokenizer, ready to encode and decode.

    Args:
        name: whatever :mod:`vitok_lib.tokenizers.registry` understands.
        weights: ``"released"`` (those that ship with this library, or the hub's), ``"random"``, or the path of
            a weight file or of a folder with weight files.
        revision: the hub revision (a commit) to take; None: the registry's.
        preset: of a ViTok, a named configuration (:mod:`vitok_lib.tokenizers.presets`), which sets what of the settings
            below is left at None.
        part: of a ViTok, load only the ``"encoder"`` or only the ``"decoder"``.
        device: where parameters and activations live, and metrics are computed; a codec itself runs on the CPU.
        dtype: of parameters and activations: float32, float64, bfloat16 or float16.
        window: of a ViTok, the sliding-window radius in tokens of raster order, or in rows and columns of tokens as in
            ``"2d:8"``; None: full attention.
        blocks: of a ViTok, how many of the encoder's and of the decoder's blocks to keep, the first ones, such as
            ``"2/3"``; None: all.
        precision: of a ViTok, ``"fp8"`` for matrix products in 8-bit floats; None: in ``dtype``.
        compile: of a ViTok, a mode of torch.compile for its blocks, such as ``"default"``; None: eager.
        attention: the kernel: of a ViTok one of :mod:`vitok_lib.tokenizers.vitok.attention`, of a convolutional
            auto-encoder one of torch's fused kernels (flash, efficient, math, cudnn); None: automatic.
        folded: of a ViTok, norms and layer scale within the matrices, the same to rounding in fewer passes; for
            inference alone. None: only where ``precision`` needs it.
        chunk: of a ViTok, tokens that go through a block's matrices at a time, exact at any; 0: all; None: automatic.
        fused: of a ViTok on CUDA, Triton kernels of this project between the matrices, which are folded; for inference
            alone (:mod:`vitok_lib.tokenizers.vitok.fused`).
        graphs: of a ViTok on CUDA, record and replay CUDA graphs where launches take longer than kernels.
        tiling, slicing: of a convolutional auto-encoder, diffusers' own work in overlapping tiles, or image by image.
        tile: of any tokenizer with a latent grid, size and overlap of tiles in pixels, such as ``"512/64"``
            (:mod:`vitok_lib.tokenizers.tiles`).
        strips: of an AutoencoderKL, each layer strip by strip of rows, the same to rounding in less memory
            (:mod:`vitok_lib.tokenizers.diffusers_classes.strips`).
        posterior: of a KL auto-encoder, the latent's ``"mode"`` or a ``"sample"`` drawn with ``seed``.
        seed: of random weights and of a sampled posterior.
        bytes: of a folder of reconstructions, the folder with the streams that they were decoded from.

    Raises:
        RequestError: the request is wrong, or its weights cannot be read; the message says what to do.
        UnsupportedError: the tokenizer has no preset of this name.
    """
    config = RunConfig(
        name=name,
        weights=str(weights),
        revision=revision,
        preset=preset,
        device=device,
        dtype=dtype,
        window=window,
        blocks=blocks,
        precision=precision,
        compile=compile,
        attention=attention,
        folded=folded,
        chunk=chunk,
        fused=fused,
        graphs=graphs,
        tiling=tiling,
        tile=tile,
        strips=strips,
        slicing=slicing,
        posterior=posterior,
        seed=seed,
        bytes=None if bytes is None else str(bytes),
    )
    return load(config, part)


def load(config: RunConfig, part: Part = "both") -> Tokenizer:
    """Load a tokenizer as :func:`load_tokenizer` does, whose attribute ``requested`` is then the configuration.

    Its attribute ``asked_device`` is the device that was asked for, which of a codec ``requested`` does not say.

    Raises:
        RequestError: the request is wrong, or its weights cannot be read; the message says what to do.
        UnsupportedError: the tokenizer has no preset of this name.
    """
    requested = checked(config)
    tokenizer = _load(resolve(requested), part)
    if requested.tile is not None:
        from vitok_lib.tokenizers.tiles import Tiled

        tokenizer = Tiled(tokenizer, requested.tile)
    try:
        tokenizer.requested, tokenizer.asked_device = requested, config.device  # type: ignore[attr-defined]
        if requested.preset is not None:
            tokenizer.settings = tokenizer.settings.model_copy(update={"preset": requested.preset})
    except (AttributeError, TypeError) as error:
        raise RequestError(
            f"tokenizer '{config.name}' gave a {type(tokenizer).__name__} that takes no attribute ({error}); "
            "make it a plain class"
        ) from error
    return tokenizer


def requested_of(tokenizer: Tokenizer) -> RunConfig:
    """The configuration that ``tokenizer`` was loaded with; of an object made otherwise what its settings say."""
    requested: RunConfig | None = getattr(tokenizer, "requested", None)
    if requested is not None:
        return requested
    settings = tokenizer.settings.model_dump(exclude_none=True, exclude={"memory_limit_gib"})
    source, _, seed = tokenizer.weights.source.partition(":")
    if source == RANDOM:
        settings |= {"weights": RANDOM, "seed": int(seed or 0)}
    elif source == "file":
        settings["weights"] = source  # where it lies only its maker knows
    return RunConfig(name=tokenizer.spec.name, **settings)


def device_for_metrics(given: Tokenizer | RunConfig) -> str:
    """Where metrics of what ``given`` makes are computed: on the device that was asked for, also of a codec."""
    if isinstance(given, RunConfig):
        return given.device
    asked: str | None = getattr(given, "asked_device", None)
    return asked or given.settings.device or "cpu"


def checked(config: RunConfig) -> RunConfig:
    """``config`` as the record keeps it: weights by their absolute path, and nothing that this tokenizer has not.

    Raises:
        RequestError: the tokenizer is not known, a setting is none or does not apply to it, or no weights are there.
    """
    entry = find(config.name)
    if config.dtype not in DTYPES:
        raise unknown("dtype", config.dtype, DTYPES)
    if config.posterior not in POSTERIORS:
        raise unknown("posterior", config.posterior, POSTERIORS)
    _check_applies(entry, config)
    if entry.family == "folder":
        from vitok_lib.tokenizers.folder import located

        return located(config)
    if entry.family == "codec":  # it runs in Pillow, whatever device its metrics and other tokenizers run on
        config = config.replace(device="cpu", dtype="float32", seed=0)
    if config.weights in (RELEASED, RANDOM):
        return config
    path = expanded(config.weights, "weights")
    if path.exists():
        return config.replace(weights=str(path.absolute()))
    if entry.family != "plugin":  # which may take a word of its own
        raise no_weights(config.name, config.weights)
    return config


def _check_applies(entry: Entry, config: RunConfig) -> None:
    if entry.family == "codec" and config.weights != RELEASED:
        raise RequestError(f"codec '{entry.name}' has no weights (={config.weights!r}); leave them at 'released'")
    of_a_vitok = ("window", "blocks", "precision", "compile", "folded", "chunk", "fused", "graphs")
    given = [setting for setting in of_a_vitok if getattr(config, setting) not in (None, False)]
    if entry.family != "vitok" and given:
        raise RequestError(f"tokenizer '{entry.name}' is no ViTok: the setting {', '.join(given)} does not apply to it")
    if entry.family == "vitok":
        parse_variant(entry.architecture).truncated(config.blocks)
    if config.attention is not None and entry.family not in ("vitok", *CONVOLUTIONAL):
        raise RequestError(f"tokenizer '{entry.name}' has no attention: the setting attention does not apply to it")
    of_an_autoencoder = config.tiling or config.strips or config.slicing or config.posterior != "mode"
    if entry.family not in CONVOLUTIONAL and of_an_autoencoder:
        raise RequestError(
            f"tokenizer '{entry.name}' is no convolutional auto-encoder: tiling, strips, slicing and posterior do not "
            "apply to it"
        )
    if config.tiling and config.strips:
        raise RequestError("strips take the image as a whole, and tiling cuts it up; leave one out")
    if config.tile is not None:
        _check_tile_applies(entry, config, config.tile)
    if entry.family != "folder" and config.bytes is not None:
        raise RequestError(f"bytes (={config.bytes!r}) are those of a folder:PATH; '{entry.name}' counts its own")
    if config.revision is not None and (config.weights != RELEASED or entry.repository is None):
        raise RequestError(
            f"revision (={config.revision}) applies to weights from the hub; '{entry.name}' is not loaded from there"
        )


def _check_tile_applies(entry: Entry, config: RunConfig, tile: str) -> None:
    from vitok_lib.tokenizers.tiles import check_tile

    if entry.family in ("codec", "folder"):
        kind = "codec" if entry.family == "codec" else "folder"
        raise RequestError(f"{kind} '{entry.name}' has no latent grid: tile (={tile!r}) does not apply to it")
    if config.tiling:
        raise RequestError(f"tile (={tile!r}) and diffusers' own tiling exclude each other; leave one out")
    if config.posterior != "mode":
        raise RequestError(f"tile (={tile!r}) takes the posterior's mode; each tile would get the same noise")
    stride = describe(entry.name).downsampling
    if stride is not None:
        check_tile(tile, stride, entry.name)


def _load(config: RunConfig, part: Part) -> Tokenizer:
    """Each family is imported where it is loaded: diffusers takes seconds, and a codec needs none of the others."""
    entry, spec = find(config.name), describe(config.name, config.blocks)
    if entry.family != "vitok" and part != "both":
        raise RequestError(f"tokenizer '{config.name}' is no ViTok: the setting part does not apply to it")
    check_device(config.device)
    if entry.family == "vitok":
        from vitok_lib.tokenizers.vitok.checkpoint import load_vitok
        from vitok_lib.tokenizers.vitok.running import Running

        fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(Running)}
        running = Running(**{**fields, "fused": bool(config.fused), "graphs": bool(config.graphs)})
        return load_vitok(entry, spec, config.weights, config.revision, part, running, config.seed)
    if entry.family == "pca":
        from vitok_lib.tokenizers.pca import load_pca

        return load_pca(entry, spec, config.weights, config.device, config.dtype)
    if entry.family == "codec":
        from vitok_lib.tokenizers.codecs import load_codec

        return load_codec(entry, spec)
    if entry.family == "folder":
        from vitok_lib.tokenizers.folder import Reconstructions

        return Reconstructions(spec, config)
    if entry.family == "plugin":
        from vitok_lib.tokenizers.plugins import load_plugin

        return load_plugin(
            config.name, weights=config.weights, device=config.device, dtype=config.dtype, seed=config.seed
        )
    from vitok_lib.tokenizers.diffusers_classes.autoencoders import load_autoencoder

    return load_autoencoder(
        entry,
        spec,
        config.weights,
        revision=config.revision,
        device=config.device,
        dtype=config.dtype,
        tiling=config.tiling,
        strips=config.strips,
        slicing=config.slicing,
        posterior=config.posterior,
        attention=config.attention,
        seed=config.seed,
    )


def check_device(device: str) -> None:
    """Raise RequestError where torch has no ``device``."""
    try:
        torch.device(device)
    except RuntimeError as error:
        raise RequestError(
            f"device '{device}' is none that torch knows; try device 'cpu' or 'cuda'", code="device-unavailable"
        ) from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RequestError(
            f"device '{device}' cannot be used here ({reason}); try device 'cpu'", code="device-unavailable"
        ) from error
