"""A tokenizer of the right shapes on the meta device, and what encoding and decoding with it would take.

Nothing is allocated, fetched or loaded, so that a tokenizer of any size can be asked.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from vitok_lib.errors import RequestError, unknown
from vitok_lib.measure.predict.meta_memory import PLAIN, Kernels, MemoryTrace, trace_memory
from vitok_lib.records.config import RunConfig, square_radius
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Tokenizer, TokenizerSpec
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, Entry, describe, find
from vitok_lib.tokenizers.tiles import cut
from vitok_lib.tokenizers.vitok.chunks import TOKENS
from vitok_lib.tokenizers.vitok.kernel_choice import SIXTEEN_BITS, choose_kernel
from vitok_lib.tokenizers.vitok.running import Running, set_up
from vitok_lib.tokenizers.vitok.variant import DEFAULT_CHUNK, Side, parse_variant

_UNKNOWN_WEIGHTS = Weights(source="none")
_TRACED_TOKENS_A_SIDE = 896
"""Of one image of a ViTok, 49 chunks of ``chunks.TOKENS``; beyond, memory grows by the same bytes with every token."""
_STRIPS_TRACED = 2048
"""Pixels a side from which on there are many strips."""
_SIDES_TRACED = (6, 7)  # in sevenths of that side, both where the line is straight
_WINDOWS_TRACED = 8  # tokens of an image over the radius of its window, from which on the window is small in it


@dataclass(frozen=True)
class Footprint:
    """What encoding and decoding take; the images that go in are not counted, those that come out are."""

    encode: MemoryTrace
    decode: MemoryTrace


@dataclass
class MetaModel:
    """``parameters`` counts the real model's, which take ``weight_bytes``; of these ``encoder_bytes`` are read at least
    once to encode, and ``decoder_bytes`` to decode. Beyond ``straight_from`` pixels a side of one image, or as many
    pixels in a batch, memory is a straight line, on which each image has at least ``straight_tokens`` tokens; where
    attention holds its scores, it is a power of the side.
    ``only_side`` is that of the images in pixels where the model takes no others. With a ``tile`` one is predicted, and
    what is held beside it, in values of ``value_bytes``.
    """

    tokenizer: Tokenizer
    parameters: int
    weight_bytes: int
    encoder_bytes: int
    decoder_bytes: int
    repeated: tuple[nn.Module, ...] = ()
    straight_from: int | None = None
    straight_tokens: int = 0
    kernels: Kernels = PLAIN
    only_side: int | None = None
    tile: str | None = None
    value_bytes: int = 4
    _known: dict[tuple[int, int], Footprint] = field(default_factory=dict)

    def footprint(self, resolution: int, batch: int) -> Footprint:
        """Of ``batch`` square images of ``resolution`` pixels a side."""
        key = (resolution, batch)
        if key not in self._known:
            tiles, side, _ = cut(resolution, resolution, self.tile, self.tokenizer.spec.downsampling or 1)
            sides = self._traced_sides(batch)
            if tiles > 1:
                self._known[key] = self._in_tiles(resolution, batch, tiles, side)
            elif sides is not None and resolution > sides[1]:
                self._known[key] = self._extrapolated(*key)
            else:
                self._known[key] = self._traced(*key)
        return self._known[key]

    def _in_tiles(self, resolution: int, batch: int, tiles: int, side: int) -> Footprint:
        """As of one tile; encoding holds the whole latent as well, decoding the image and a strip of tiles."""
        alone, spec = self.footprint(side, batch), self.tokenizer.spec
        assert spec.downsampling is not None
        assert spec.latent_channels is not None
        latent = spec.latent_channels * math.ceil(resolution / spec.downsampling) ** 2
        pixels = 3 * (resolution + side) * resolution

        def repeated(trace: MemoryTrace, held: int) -> MemoryTrace:
            flops = Counter({kind: tiles * count for kind, count in trace.flops_by_type.items()})
            return MemoryTrace(trace.peak_bytes + batch * held * self.value_bytes, flops)

        return Footprint(repeated(alone.encode, latent), repeated(alone.decode, pixels))

    def _traced_sides(self, batch: int) -> tuple[int, int] | None:
        """Two sides in pixels at which a batch is large enough for the straight line, and no larger than it takes."""
        if self.straight_from is None:
            return None
        patch = self.tokenizer.spec.downsampling or 1
        tokens = max(self.straight_from / patch / math.sqrt(batch), math.sqrt(self.straight_tokens))
        unit = max(2, math.ceil(tokens / _SIDES_TRACED[1])) * patch
        return _SIDES_TRACED[0] * unit, _SIDES_TRACED[1] * unit

    def _traced(self, resolution: int, batch: int) -> Footprint:
        images = torch.empty(batch, 3, resolution, resolution, device="meta")
        latent, encode = trace_memory(lambda: self.tokenizer.encode(images), self.repeated, self.kernels)
        _, decode = trace_memory(lambda: self.tokenizer.decode(latent), self.repeated, self.kernels)
        return Footprint(encode, decode)

    def _extrapolated(self, resolution: int, batch: int) -> Footprint:
        sides = self._traced_sides(batch)
        assert sides is not None
        low, high = (self.footprint(side, batch) for side in sides)
        steps = (resolution**2 - sides[0] ** 2) / (sides[1] ** 2 - sides[0] ** 2)

        def along(first: int, second: int) -> int:
            return round(first + (second - first) * steps)

        def by_power(first: int, second: int) -> int:
            """Of attention: grows with the pixels where there is a window, else with their square."""
            power: float = math.log(second / first) / math.log(sides[1] / sides[0])
            grown: float = second * (resolution / sides[1]) ** power
            return round(grown)

        def line(first: MemoryTrace, second: MemoryTrace) -> MemoryTrace:
            flops = {kind: along(first.flops_by_type[kind], count) for kind, count in second.flops_by_type.items()}
            one, two = first.flops_by_type["attention"], second.flops_by_type["attention"]
            if one:
                flops["attention"] = by_power(one, two)
            peak_of = along if self.kernels.fused_attention else by_power  # the scores are the peak, of so many tokens
            return MemoryTrace(peak_of(first.peak_bytes, second.peak_bytes), Counter(flops))

        return Footprint(line(low.encode, high.encode), line(low.decode, high.decode))


def build_meta_model(config: RunConfig) -> MetaModel | None:
    """The meta-device model of ``config``, whose preset is resolved, and whose device need not be here.

    Returns:
        None where only loading it tells its shapes (a plug-in, a codec), or its configuration is not on this machine.

    Raises:
        RequestError: the tokenizer is not known, or a kernel, tiles or strips do not suit it.
    """
    entry, dtype = find(config.name), getattr(torch, config.dtype)
    model = None
    if entry.family == "vitok":
        model = _vitok(entry, config)
    elif entry.family == "pca":
        model = _pca(describe(entry.name), dtype)
    elif entry.family in CONVOLUTIONAL:
        model = _autoencoder(entry, config)
    return model if model is None else replace(model, tile=config.tile, value_bytes=dtype.itemsize)


def _kernel(running: Running) -> str:
    """The attention kernel that stands for the one which would run: of all that hold no N × N scores the simplest.

    Raises:
        RequestError: the kernel that is asked for does not suit the window, the device or the dtype.
    """
    choose_kernel(
        running.attention,
        device=running.device,
        dtype=running.dtype,
        window=running.window,
        fastest=False,
        choices={},
    )
    if running.window is None:
        return "sdpa"
    if running.attention in ("mask", "bands"):
        return running.attention
    on_gpu = torch.device(running.device).type == "cuda" and square_radius(running.window) is None
    return "varlen" if on_gpu and running.dtype in SIXTEEN_BITS else "bands"


def _vitok(entry: Entry, config: RunConfig) -> MetaModel:
    """One block a side: a block gives back all that it takes, so that more of them hold no more.

    What goes through chunk by chunk is traced for one of them.
    """
    from vitok_lib.tokenizers.vitok.checkpoint import ViTok, empty_modules
    from vitok_lib.tokenizers.vitok.model import Decoder, Encoder, RMSNorm, SwiGLU

    running = Running(
        config.device,
        config.dtype,
        config.window,
        config.blocks,
        config.precision,
        attention=config.attention,
        folded=config.folded,
        chunk=config.chunk,
        fused=bool(config.fused),
    )
    running = replace(running, attention=_kernel(running))
    variant = parse_variant(entry.architecture).truncated(running.blocks)

    def shallow(side: Side) -> Side:
        return replace(side, depth=min(1, side.depth))

    modules = empty_modules(replace(variant, encoder=shallow(variant.encoder), decoder=shallow(variant.decoder)))
    encoder, decoder = (module.to(getattr(torch, running.dtype)) for module in modules.values())
    assert isinstance(encoder, Encoder)
    assert isinstance(decoder, Decoder)
    set_up(modules.values(), running)
    tokenizer = ViTok(describe(entry.name), _UNKNOWN_WEIGHTS, Settings(window=running.window), encoder, decoder)
    encoder_bytes = _bytes(encoder) + max(0, variant.encoder.depth - 1) * _bytes(encoder.encoder_blocks)
    decoder_bytes = _bytes(decoder) + max(0, variant.decoder.depth - 1) * _bytes(decoder.decoder_blocks)
    return MetaModel(
        tokenizer,
        variant.parameters,
        encoder_bytes + decoder_bytes,
        encoder_bytes,
        decoder_bytes,
        tuple(
            module for side in (encoder, decoder) for module in side.modules() if isinstance(module, SwiGLU | RMSNorm)
        ),
        straight_from=None if running.attention == "mask" else variant.patch * _tokens_a_side(running),
        straight_tokens=_WINDOWS_TRACED * _reach(running.window),
        kernels=Kernels(compiled=config.compile is not None),
    )


def _reach(window: int | str | None) -> int:
    """The radius of a window in tokens; of one of rows and columns so many that the grid is as wide beside it."""
    radius = square_radius(window)
    if radius is not None:
        return _WINDOWS_TRACED * radius**2
    return window if isinstance(window, int) else 0


def _tokens_a_side(running: Running) -> int:
    """From how many tokens a side on an image is cut into so many chunks that one more makes no difference."""
    automatic = DEFAULT_CHUNK["cuda" if torch.device(running.device).type == "cuda" else "cpu"]
    chunk = automatic if running.chunk is None else running.chunk
    return math.ceil(_TRACED_TOKENS_A_SIDE * math.sqrt(max(1.0, chunk / TOKENS)))


def _pca(spec: TokenizerSpec, dtype: torch.dtype) -> MetaModel:
    from vitok_lib.tokenizers.pca import PCA

    assert spec.downsampling is not None
    assert spec.latent_channels is not None
    values = 3 * spec.downsampling**2
    mean = torch.empty(values, dtype=dtype, device="meta")
    components = torch.empty(spec.latent_channels, values, dtype=dtype, device="meta")
    tokenizer = PCA(spec, _UNKNOWN_WEIGHTS, Settings(), mean, components)
    size = mean.nbytes + components.nbytes  # read whole in either direction
    return MetaModel(tokenizer, mean.numel() + components.numel(), size, size, size)


def _autoencoder(entry: Entry, config: RunConfig) -> MetaModel | None:
    """None where the configuration is not on this machine."""
    from vitok_lib.tokenizers.diffusers_classes.adapters import adapter_of
    from vitok_lib.tokenizers.diffusers_classes.architectures import build_on_meta
    from vitok_lib.tokenizers.diffusers_classes.autoencoders import KERNELS, Autoencoder, check_tiling
    from vitok_lib.tokenizers.diffusers_classes.strips import check_strips, work_in_strips

    spec, device, attention = describe(entry.name), config.device, config.attention
    if attention is not None and attention not in KERNELS:
        raise unknown("attention kernel", attention, KERNELS)
    try:
        model: Any = build_on_meta(entry)
    except RequestError:
        return None
    nn.Module.to(model, getattr(torch, config.dtype))
    repeated: tuple[nn.Module, ...] = ()
    if config.tiling:
        check_tiling(model, entry.name)
        model.enable_tiling()
        # Blending writes into tiles that are there already, line by line: no memory, and most of the operations.
        model.blend_v = model.blend_h = lambda before, after, extent: after
        repeated = (model.encoder, model.decoder)
    if config.strips:
        check_strips(model, entry.name)
        work_in_strips(model, device)
    parameters = list(model.parameters())
    return MetaModel(
        Autoencoder(spec, _UNKNOWN_WEIGHTS, Settings(), model),
        sum(parameter.numel() for parameter in parameters),
        sum(parameter.nbytes for parameter in parameters),
        _bytes(model.encoder),
        _bytes(model.decoder),
        repeated,
        straight_from=_STRIPS_TRACED if config.strips else None,
        straight_tokens=0 if attention != "math" else (_STRIPS_TRACED // (spec.downsampling or 1)) ** 2,
        kernels=Kernels(attention != "math", cudnn=torch.device(device).type == "cuda"),
        only_side=adapter_of(model).only_side(model),
    )


def _bytes(module: nn.Module) -> int:
    """Of all weights, 8-bit ones with their scales among them."""
    return sum(tensor.nbytes for tensor in module.state_dict().values())
