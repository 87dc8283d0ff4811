"""The one way to load any tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vitok_lib.errors import RequestError, unknown
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.registry import describe, find

if TYPE_CHECKING:
    from vitok_lib.tokenizers.vitok.checkpoint import Part

DTYPES = ("float32", "float64", "bfloat16", "float16")
POSTERIORS = ("mode", "sample")
CONVOLUTIONAL = ("kl", "dc-ae", "diffusers")


def load_tokenizer(
    name: str,
    *,
    weights: str | Path = "released",
    revision: str | None = None,
    part: Part = "both",
    device: str = "cpu",
    dtype: str = "float32",
    window: int | None = None,
    precision: str | None = None,
    compile: str | None = None,
    attention: str | None = None,
    folded: bool | None = None,
    chunk: int | None = None,
    graphs: bool = False,
    tiling: bool = False,
    slicing: bool = False,
    posterior: str = "mode",
    seed: int = 0,
) -> Tokenizer:
    """Load a tokenizer, ready to encode and decode.

    Args:
        name: whatever :mod:`vitok_lib.tokenizers.registry` understands.
        weights: ``"released"`` (those that ship with this library, or the hub's), ``"random"``, or the path of
            a weight file or of a folder with weight files.
        revision: the hub revision (a commit) to take; None: the registry's.
        part: of a ViTok, load only the ``"encoder"`` or only the ``"decoder"``.
        device: where parameters and activations live.
        dtype: of parameters and activations: float32, float64, bfloat16 or float16.
        window: of a ViTok, the sliding-window radius in tokens; None: full attention.
        precision: of a ViTok, ``"fp8"`` for matrix products in 8-bit floats; None: in ``dtype``.
        compile: of a ViTok, a mode of torch.compile for its blocks, such as ``"default"``; None: eager.
        attention: the kernel: of a ViTok one of :mod:`vitok_lib.tokenizers.vitok.attention`, of a convolutional
            auto-encoder one of torch's fused kernels (flash, efficient, math, cudnn); None: automatic.
        folded: of a ViTok, norms and layer scale within the matrices, the same to rounding in fewer passes; for
            inference alone. None: only where ``precision`` needs it.
        chunk: of a ViTok, tokens that go through a block's matrices at a time, exact at any; 0: all; None: automatic.
        graphs: of a ViTok on CUDA, record and replay CUDA graphs where launches take longer than kernels.
        tiling, slicing: of a convolutional auto-encoder, work in overlapping tiles, or image by image.
        posterior: of a KL auto-encoder, the latent's ``"mode"`` or a ``"sample"`` drawn with ``seed``.
        seed: of random weights and of a sampled posterior.

    Raises:
        RequestError: the request is wrong, or its weights cannot be read; the message says what to do.
    """
    entry, spec = find(name), describe(name)
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    if posterior not in POSTERIORS:
        raise unknown("posterior", posterior, POSTERIORS)
    given = {
        "window": window is not None,
        "part": part != "both",
        "precision": precision is not None,
        "compile": compile is not None,
        "folded": folded,
        "chunk": chunk is not None,
        "graphs": graphs,
    }
    if entry.family != "vitok" and any(given.values()):
        named = ", ".join(setting for setting, value in given.items() if value)
        raise RequestError(f"tokenizer '{name}' is no ViTok: the setting {named} does not apply to it")
    if attention is not None and entry.family not in ("vitok", *CONVOLUTIONAL):
        raise RequestError(f"tokenizer '{name}' has no attention: the setting attention does not apply to it")
    if entry.family not in CONVOLUTIONAL and (tiling or slicing or posterior != "mode"):
        raise RequestError(
            f"tokenizer '{name}' is no convolutional auto-encoder: tiling, slicing and posterior do not apply to it"
        )
    if revision is not None and (weights != "released" or entry.repository is None):
        raise RequestError(f"revision (={revision}) applies to weights from the hub; '{name}' is not loaded from there")
    _check_device(device)
    # Each family is imported where it is loaded: diffusers takes seconds, and a codec needs none of the others.
    if entry.family == "vitok":
        from vitok_lib.tokenizers.vitok.checkpoint import load_vitok
        from vitok_lib.tokenizers.vitok.running import Running

        running = Running(device, dtype, window, precision, compile, attention, folded, chunk, graphs)
        return load_vitok(entry, spec, weights, revision, part, running, seed)
    if entry.family == "pca":
        from vitok_lib.tokenizers.pca import load_pca

        return load_pca(entry, spec, weights, device, dtype)
    if entry.family == "codec":
        from vitok_lib.tokenizers.codecs import load_codec

        return load_codec(entry, spec, weights)
    if entry.family == "plugin":
        from vitok_lib.tokenizers.plugins import load_plugin

        return load_plugin(name, weights=weights, device=device, dtype=dtype, seed=seed)
    from vitok_lib.tokenizers.autoencoders import load_autoencoder

    return load_autoencoder(
        entry,
        spec,
        weights,
        revision=revision,
        device=device,
        dtype=dtype,
        tiling=tiling,
        slicing=slicing,
        posterior=posterior,
        attention=attention,
        seed=seed,
    )


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RequestError(f"device '{device}' cannot be used here ({reason}); try device 'cpu'") from error
