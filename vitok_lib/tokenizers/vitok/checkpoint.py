"""Loading a ViTok: released, shipped or a user's checkpoint, or random weights, straight into place."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.config import block_counts
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.files import locate, read_tensors, with_digests
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import Entry
from vitok_lib.tokenizers.shapes import check_images
from vitok_lib.tokenizers.vitok.graphs import LAUNCH_BOUND, GraphReplay
from vitok_lib.tokenizers.vitok.model import Decoder, Encoder
from vitok_lib.tokenizers.vitok.running import Running, set_up
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

Part = Literal["both", "encoder", "decoder"]
PARTS: dict[str, tuple[str, ...]] = {
    "both": ("encoder", "decoder"),
    "encoder": ("encoder",),
    "decoder": ("decoder",),
}
RANDOM_LAYER_SCALE = 0.1
"""Layer scale of random weights: the initial 1e-4 would hide every block behind rounding."""
RANDOM_OUTLIERS, RANDOM_OUTLIER_GAIN = 64, 8.0
"""Of random weights every so many-th channel is so many times as large after a block's norm as the others, as trained
models have some: without outliers every rounding looks alike."""


class ViTok:
    """A ViTok tokenizer; ``encoder`` or ``decoder`` is None where only the other was loaded.

    ``choices`` says of each setting that was chosen automatically what was chosen and why.
    """

    def __init__(
        self,
        spec: TokenizerSpec,
        weights: Weights,
        settings: Settings,
        encoder: Encoder | None,
        decoder: Decoder | None,
        choices: dict[str, str] | None = None,
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.settings = settings
        self.encoder = encoder
        self.decoder = decoder
        self.choices = {} if choices is None else choices
        self._graphs = {
            module: GraphReplay(partial(module, window=settings.window))
            for module in (encoder, decoder)
            if module is not None and settings.graphs and torch.device(settings.device or "cpu").type == "cuda"
        }

    def within(self, window: int | str | None) -> ViTok:
        """The same weights with another window, which their attention kernel has to know."""
        settings = self.settings.model_copy(update={"window": window})
        return ViTok(self.spec, self.weights, settings, self.encoder, self.decoder, self.choices)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Latent:
        if self.encoder is None:
            raise RequestError(f"tokenizer '{self.spec.name}' was loaded without its encoder")
        check_images(images)
        weight = self.encoder.to_code.weight
        tokens = len(images) * self.encoder.variant.tokens(*images.shape[2:])
        values = self._run(self.encoder, images.to(weight.device, weight.dtype), tokens)
        return Latent(values, images.shape[2], images.shape[3])

    @torch.no_grad()
    def decode(self, latent: Latent) -> Tensor:
        if self.decoder is None:
            raise RequestError(f"tokenizer '{self.spec.name}' was loaded without its decoder")
        weight = self.decoder.to_pixels.weight
        tokens = latent.values.shape[:3].numel()
        images = self._run(self.decoder, latent.values.to(weight.device, weight.dtype), tokens)
        return images[:, :, : latent.height, : latent.width]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def _run(self, module: Encoder | Decoder, x: Tensor, tokens: int) -> Tensor:
        graph = self._graphs.get(module) if tokens <= LAUNCH_BOUND else None
        result: Tensor = module(x, self.settings.window) if graph is None else graph(x)
        return result


def load_vitok(
    entry: Entry,
    spec: TokenizerSpec,
    weights: str | Path,
    revision: str | None,
    part: Part,
    running: Running,
    seed: int,
) -> ViTok:
    """Build the parts on the meta device, then give each parameter its tensor: no second copy in memory."""
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    running.check()
    modules = empty_modules(parse_variant(entry.architecture), part)
    device, target = running.device, getattr(torch, running.dtype)
    if weights == "random":
        identity = Weights(source=f"random:{seed}")
        for side, module in modules.items():  # a part alone has the weights that it has beside the other
            _randomise(module, device, target, seed + PARTS["both"].index(side))
            _keep_first(module, running.blocks)  # now, so that those kept are those of the whole
    else:
        path, identity = locate(entry, weights, revision, [f"{side}.safetensors" for side in PARTS[part]])
        files = _load(modules, path, device, target, running.blocks)
        identity = with_digests(identity, files, entry.sha256)
    choices = set_up(modules.values(), running)
    settings = Settings(**asdict(running) | {"fused": running.fused or None, "graphs": running.graphs or None})
    encoder, decoder = modules.get("encoder"), modules.get("decoder")
    assert encoder is None or isinstance(encoder, Encoder)
    assert decoder is None or isinstance(decoder, Decoder)
    return ViTok(spec, identity, settings, encoder, decoder, choices)


def empty_modules(variant: Variant, part: Part = "both") -> dict[str, nn.Module]:
    """The parts of a ViTok on the meta device: every shape, no memory."""
    classes = {"encoder": Encoder, "decoder": Decoder}
    with torch.device("meta"):
        return {side: classes[side](variant).eval().requires_grad_(False) for side in PARTS[part]}


def _keep_first(module: nn.Module, blocks: str | None) -> None:
    """Leave ``module`` the first of its blocks alone, as many as ``blocks`` keeps of its side; None: all."""
    if blocks is None:
        return
    of_encoder, of_decoder = block_counts(blocks)
    if isinstance(module, Encoder):
        module.encoder_blocks = module.encoder_blocks[:of_encoder]
    elif isinstance(module, Decoder):
        module.decoder_blocks = module.decoder_blocks[:of_decoder]


def _load(modules: dict[str, nn.Module], path: Path, device: str, dtype: torch.dtype, blocks: str | None) -> list[Path]:
    """Fill ``modules``, which lose the ``blocks`` that are not kept: the files hold those too."""
    whole = [key for module in modules.values() for key in module.state_dict()]
    for module in modules.values():
        _keep_first(module, blocks)
    shapes = {
        side: {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
        for side, module in modules.items()
    }
    cut = set(whole).difference(*shapes.values())
    if path.is_file():
        wanted = {key: shape for of_side in shapes.values() for key, shape in of_side.items()}
        tensors = read_tensors(path, wanted, device, dtype, ignored=cut)
        for module in modules.values():
            _assign(module, {key: tensors[key] for key in module.state_dict()})
        return [path]
    files = []
    for side, module in modules.items():
        file = path / f"{side}.safetensors"
        if not file.is_file():
            other = "decoder" if side == "encoder" else "encoder"
            raise RequestError(f"'{path}' has no {file.name}; add it, or load part '{other}' alone")
        _assign(module, read_tensors(file, shapes[side], device, dtype, ignored=cut))
        files.append(file)
    return files


def _assign(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Make ``tensors`` the module's parameters, without a copy."""
    module.load_state_dict(tensors, strict=True, assign=True)
    module.requires_grad_(False)


def _randomise(module: nn.Module, device: str, dtype: torch.dtype, seed: int) -> None:
    """Weights drawn on the device: matrices of variance 1/fan-in, norms 1 but for outliers, layer scale 0.1."""
    module.to(dtype).to_empty(device=device)
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in module.named_parameters():
        if parameter.ndim == 2:
            # Drawn in one dtype, so that a model in another has the same weights rounded.
            drawn = torch.empty(parameter.shape, device=device).normal_(generator=generator)
            parameter.copy_(drawn.mul_(parameter.shape[1] ** -0.5))
        elif name.endswith("gamma"):
            parameter.fill_(RANDOM_LAYER_SCALE)
        elif name.endswith("norm1.weight"):
            parameter.fill_(1.0)[::RANDOM_OUTLIERS] = RANDOM_OUTLIER_GAIN
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
