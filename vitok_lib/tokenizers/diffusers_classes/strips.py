"""An AutoencoderKL strip by strip of rows: what the whole image gives, to rounding, in less memory.

Only the input and the output of a layer are ever whole. What lies between them (the normalised input, its activation,
the input after upsampling, the workspaces of a convolution) is that of one strip with the rows around it that a kernel
reaches. A group norm takes its mean and variance from the whole image, in a pass of its own over the strips (merged as
Chan, Golub & LeVeque 1983 merge them). Attention works on the latent grid, and is left as it is. This is no tiling:
no pixel sees less than it did.

Shapes: B images, C channels, H × W of the layer's grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.vitok.chunks import evenly

Model = Any
"""An auto-encoder of diffusers, or a part of one, which come without types."""
Prepare = Callable[[Tensor], Tensor]

STRIP_VALUES = {"cpu": 2**21, "cuda": 2**25}
"""Of the widest tensor of a strip: what a cache of a CPU nearly holds, and what fills a GPU of any kind."""
_SIDES = "diffusers.models.autoencoders.vae"
_BLOCKS = {"DownEncoderBlock2D", "UpDecoderBlock2D", "UNetMidBlock2D"}


def check_strips(model: Model, name: str) -> None:
    """Raise a RequestError where the sides of ``model`` are not those that are known layer by layer here."""
    sides: list[Model] = [getattr(model, side, None) for side in ("encoder", "decoder")]
    if {type(side).__name__ for side in sides if type(side).__module__ == _SIDES} == {"Encoder", "Decoder"}:
        stages = [*model.encoder.down_blocks, *model.decoder.up_blocks, *(side.mid_block for side in sides)]
        if {type(stage).__name__ for stage in stages} <= _BLOCKS:
            resnets = [resnet for stage in stages for resnet in stage.resnets]
            if all(type(each).__name__ == "ResnetBlock2D" and not (each.up or each.down) for each in resnets):
                return
    raise RequestError(
        f"tokenizer '{name}' ({type(model).__name__}) does not work in strips, which are made for "
        "AutoencoderKL's layers; leave strips out"
    )


def work_in_strips(model: Model, device: str, values: int | None = None) -> None:
    """Have ``model``, which :func:`check_strips` accepts, encode and decode in strips.

    Args:
        device: where it would run, which need not be here.
        values: of the widest tensor of a strip, about; None: as suits the device.
    """
    if values is None:
        values = STRIP_VALUES["cpu" if torch.device(device).type == "cpu" else "cuda"]
    model.encoder, model.decoder = StripEncoder(model.encoder, values), StripDecoder(model.decoder, values)


class StripEncoder(nn.Module):
    """Images ``[B, 3, H, W]`` to moments ``[B, 2c, H/f, W/f]``, as diffusers' encoder that it is given."""

    def __init__(self, whole: Model, values: int) -> None:
        super().__init__()
        self.whole, self._values = whole, values

    def forward(self, images: Tensor) -> Tensor:
        x = _convolve(images, self.whole.conv_in, self._values)
        for block in self.whole.down_blocks:
            for resnet in block.resnets:
                x = _resnet(x, resnet, self._values)
            for down in block.downsamplers or ():
                below = (0, 1, 0, 1) if down.padding == 0 else None
                x = _convolve(x, down.conv, self._values, padding=below)
        x = _middle(x, self.whole.mid_block, self._values)
        return _head(x, self.whole, self._values)


class StripDecoder(nn.Module):
    """A latent ``[B, c, h, w]`` to images ``[B, 3, f·h, f·w]``, as diffusers' decoder that it is given."""

    def __init__(self, whole: Model, values: int) -> None:
        super().__init__()
        self.whole, self._values = whole, values

    def forward(self, latent: Tensor, latent_embeds: None = None) -> Tensor:
        x = _convolve(latent, self.whole.conv_in, self._values)
        x = _middle(x, self.whole.mid_block, self._values)
        for block in self.whole.up_blocks:
            for resnet in block.resnets:
                x = _resnet(x, resnet, self._values)
            for up in block.upsamplers or ():
                x = _convolve(x, up.conv, self._values, enlarged=2)
        return _head(x, self.whole, self._values)


def _middle(x: Tensor, block: Model, values: int) -> Tensor:
    first, *others = block.resnets
    x = _resnet(x, first, values)
    for attention, resnet in zip(block.attentions, others, strict=True):
        if attention is not None:
            x = attention(x)
        x = _resnet(x, resnet, values)
    return x


def _head(x: Tensor, whole: Model, values: int) -> Tensor:
    return _convolve(x, whole.conv_out, values, _normalised(x, whole.conv_norm_out, whole.conv_act, values))


def _resnet(x: Tensor, block: Model, values: int) -> Tensor:
    hidden = _convolve(x, block.conv1, values, _normalised(x, block.norm1, block.nonlinearity, values))
    prepare = _normalised(hidden, block.norm2, block.nonlinearity, values)

    def finish(piece: Tensor, rows: slice) -> Tensor:
        beside = x[:, :, rows]
        if block.conv_shortcut is not None:
            beside = block.conv_shortcut(beside)
        summed: Tensor = (beside + piece) / block.output_scale_factor
        return summed

    return _convolve(hidden, block.conv2, values, prepare, finish=finish)


def _convolve(
    x: Tensor,
    layer: nn.Conv2d,
    values: int,
    prepare: Prepare | None = None,
    *,
    padding: tuple[int, int, int, int] | None = None,
    enlarged: int = 1,
    finish: Callable[[Tensor, slice], Tensor] | None = None,
) -> Tensor:
    """``layer(prepare(x))`` of ``x`` ``[B, C, H, W]``, strip by strip of the output's rows.

    Args:
        prepare: maps each value by itself, so that the rows of two strips that overlap are prepared twice.
        padding: zeros to the left, right, above and below; None: the layer's own.
        enlarged: how often each row and column of ``x`` is repeated before the layer.
        finish: of a strip of the output and its rows, what is put there.
    """
    (kernel, across), (step, _) = layer.kernel_size, layer.stride
    if padding is None:
        vertical, horizontal = (int(size) for size in layer.padding)
        padding = (horizontal, horizontal, vertical, vertical)
    left, right, above, below = padding
    height, width = enlarged * x.shape[2], enlarged * x.shape[3]
    rows, columns = ((height + above + below - kernel) // step + 1, (width + left + right - across) // step + 1)
    out = torch.empty(
        (len(x), layer.out_channels, rows, columns), dtype=x.dtype, device=x.device, memory_format=_layout(x)
    )
    for strip in evenly(rows, len(x) * max(x.shape[1] * width * step, layer.out_channels * columns), values):
        first, last = strip.start * step - above, (strip.stop - 1) * step + kernel - above  # rows the kernel reaches
        top, bottom = max(0, first), min(height, last)
        part = x[:, :, top // enlarged : -(-bottom // enlarged)]
        if prepare is not None:
            part = prepare(part)
        if enlarged > 1:
            part = F.interpolate(part, scale_factor=float(enlarged), mode="nearest")
            begin = top - top // enlarged * enlarged
            part = part[:, :, begin : begin + bottom - top]
        part = F.pad(part, (left, right, top - first, last - bottom))
        piece = F.conv2d(part, layer.weight, layer.bias, layer.stride)
        del part
        out[:, :, strip] = piece if finish is None else finish(piece, strip)
        del piece
    return out


def _layout(x: Tensor) -> torch.memory_format:
    """Channels last on a CPU where ``x`` is, so that the next convolution gets what it is fastest with."""
    last = x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _normalised(x: Tensor, norm: nn.GroupNorm, activation: nn.Module, values: int) -> Prepare:
    """What normalises rows of ``x`` ``[B, C, H, W]`` as ``norm`` does with all of it, and activates them.

    In at least float32; each channel is multiplied by one number and shifted by another.
    """
    mean, variance = _statistics(x, norm.num_groups, values)  # [B, groups]
    dtype = torch.promote_types(x.dtype, torch.float32)
    deviation = (variance + norm.eps).rsqrt()
    by_channel = x.shape[1] // norm.num_groups
    scale = deviation.repeat_interleave(by_channel, 1) * norm.weight.to(deviation.dtype)
    shift = norm.bias.to(deviation.dtype) - mean.repeat_interleave(by_channel, 1) * scale
    scale, shift = (part.to(dtype)[:, :, None, None] for part in (scale, shift))

    def prepare(rows: Tensor) -> Tensor:
        normalised = torch.addcmul(shift, rows.to(dtype), scale).to(rows.dtype)
        activated: Tensor = activation(normalised)
        return activated

    return prepare


def _statistics(x: Tensor, groups: int, values: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each group of channels, both float64 ``[B, groups]``."""
    batch, channels, height, width = x.shape
    dtype = torch.promote_types(x.dtype, torch.float32)
    count = 0
    mean = torch.zeros(batch, groups, dtype=torch.float64, device=x.device)
    squares = torch.zeros_like(mean)  # the sum of squared differences from the mean
    for strip in evenly(height, batch * channels * width, values):
        part = x[:, :, strip].reshape(batch, groups, -1).to(dtype)
        of_part = part.shape[-1]
        variance, middle = (found.double() for found in torch.var_mean(part, -1, correction=0))
        difference, total = middle - mean, count + of_part
        mean = mean + difference * (of_part / total)
        squares = squares + variance * of_part + difference.square() * (count * of_part / total)
        count = total
    return mean, squares / count
