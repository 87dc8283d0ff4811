"""Diffusers' auto-encoders from their configurations alone: on the meta device, or with random weights."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.diffusers_classes.adapters import ADAPTERS, Model, diffusers_class, restore_constants
from vitok_lib.tokenizers.diffusers_classes.configurations import configuration_file, read_configuration
from vitok_lib.tokenizers.registry import Entry

_SOUND = "it is made for sound"
_VIDEO = "it is made for video, and this library has no adapter for one frame of it"
REFUSED = {
    "AsymmetricAutoencoderKL": "its decoder is made for inpainting and also reads the masked original",
    "AutoencoderKLAllegro": _VIDEO,
    "AutoencoderKLCogVideoX": _VIDEO,
    "AutoencoderKLHunyuanImageRefiner": _VIDEO,
    "AutoencoderKLHunyuanVideo": _VIDEO,
    "AutoencoderKLHunyuanVideo15": _VIDEO,
    "AutoencoderKLKVAEAudio": _SOUND,
    "AutoencoderKLKVAEVideo": _VIDEO,
    "AutoencoderKLLTX2Audio": _SOUND,
    "AutoencoderKLLTX2Video": _VIDEO,
    "AutoencoderKLMagvit": _VIDEO,
    "AutoencoderKLMiniMaxH3": _VIDEO,
    "AutoencoderKLMiniMaxH3Audio": _SOUND,
    "AutoencoderKLMochi": _VIDEO,
    "AutoencoderKLQwenImage21": "it encodes images of 4 channels, colours and transparency",
    "AutoencoderKLTemporalDecoder": "its decoder works across the frames of a video",
    "AutoencoderOobleck": _SOUND,
    "AutoencoderSAME": _SOUND,
    "AutoencoderVidTok": _VIDEO,
    "ConsistencyDecoderVAE": "it denoises as it decodes",
    "Cosmos3AVAEAudioTokenizer": _SOUND,
    "Kandinsky6SRVAE": _VIDEO,
    "LTX2VideoDiffusionDecoderModel": "it is a decoder alone, which denoises",
    "LongCatAudioDiTVae": _SOUND,
    "MMAudioVAE": _SOUND,
    "MMAudioVocoder": _SOUND,
    "MiniMaxMusic3Vocoder": _SOUND,
    "RFD4ProteinaAutoencoder": "it is made for molecules",
}
"""Why a class of diffusers' auto-encoders is no image tokenizer here."""


def build_on_meta(entry: Entry) -> nn.Module:
    """The auto-encoder of ``entry`` on the meta device: every shape, no memory, nothing fetched.

    :func:`vitok_lib.tokenizers.diffusers_classes.adapters.encode` and ``decode`` take it with meta tensors as they take
    a loaded one.

    Raises:
        RequestError: its configuration is neither in this library nor in the hub cache, or cannot be used.
    """
    model: nn.Module = empty_model(read_configuration(configuration_file(entry)), entry.name)
    return model


def has_tiles(entry: Entry) -> bool:
    """Whether diffusers works in tiles with the class of ``entry``; True where no configuration is on this machine."""
    try:
        config = read_configuration(configuration_file(entry))
    except RequestError:
        return True  # whoever builds the model says what is missing
    adapter = ADAPTERS.get(config.get("_class_name", ""))
    return adapter is None or adapter.tiling


def empty_model(config: dict[str, Any], name: str) -> Model:
    """The model of a configuration on the meta device, ready to take weights; ``name`` is for messages.

    Raises:
        RequestError: this library has no adapter for its class, a package is missing, diffusers cannot build it, or it
            takes no RGB.
    """
    class_name = config.get("_class_name")
    if class_name not in ADAPTERS:
        why = REFUSED.get(str(class_name), "this library has no adapter for it")
        raise RequestError(
            f"'{name}' is of the diffusers class '{class_name}', which is not supported: {why}; "
            f"supported are {', '.join(ADAPTERS)}"
        )
    adapter = ADAPTERS[class_name]
    try:
        model_class = diffusers_class(class_name)
    except AttributeError as error:
        raise RequestError(
            f"'{name}' is of the diffusers class '{class_name}', which the installed diffusers does not have; "
            "pip install --upgrade diffusers"
        ) from error
    if adapter.package is not None and find_spec(adapter.package) is None:
        raise RequestError(
            f"the encoder of '{name}' ({class_name}) is made by the package {adapter.package}, which is not installed; "
            "pip install 'vitok-lib[gpu]'",
            code="missing-package",
        )
    try:
        with torch.device("meta"):
            model: Model = model_class.from_config(config)
    except Exception as error:  # whatever a wrong value makes a constructor raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RequestError(f"diffusers cannot build '{name}' from its configuration ({reason[0]})") from error
    channels = adapter.image_channels(model)
    if channels != 3:
        raise RequestError(f"'{name}' takes images of {channels} channels; only those of 3 can be measured")
    if model.config.get("timestep_conditioning"):
        raise RequestError(f"'{name}' denoises as it decodes (timestep_conditioning), which is not supported")
    restore_constants(model, "meta")
    return model.eval().requires_grad_(False)


def randomise(model: Model, device: str, dtype: torch.dtype, seed: int) -> None:
    """Fill an empty model in place, drawn on ``device`` from ``seed``.

    Kernels and matrices get variance 1/fan-in, norms 1 and biases 0, batch statistics those of white noise, so that
    activations keep their size through any depth.
    """
    # Module's own methods, since diffusers' warn of a list of exceptions even when that list is empty.
    nn.Module.to(model, dtype)
    nn.Module.to_empty(model, device=device)
    generator = torch.Generator(device).manual_seed(seed)
    zeros = ("bias", "running_mean", "num_batches_tracked", "latents_mean", "_latents_mean", "encoder_mean")
    for module in model.modules():
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if name == "weight" and isinstance(module, (nn.Linear, _ConvNd, nn.Embedding)):
                tensor.normal_(0, tensor[0].numel() ** -0.5, generator=generator)
            else:
                tensor.fill_(0 if name in zeros else 1)
    restore_constants(model, device)
