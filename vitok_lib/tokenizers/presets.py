"""Presets: named configurations of a ViTok, from the published maths to the fastest.

A preset spells itself out as arguments of :func:`vitok_lib.tokenizers.load.load_tokenizer`, so that every step of it
can be asked for apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitok_lib.errors import UnsupportedError, unknown
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.registry import find

REFERENCE = "reference"


@dataclass(frozen=True)
class Preset:
    """One configuration of a ViTok; any other tokenizer knows only the reference.

    ``published``: tensors whole, and the library kernel that the published model's attention is written for.
    ``graphs``: CUDA graphs where launches bound. The other fields are those of ``load_tokenizer``.
    """

    name: str
    summary: str
    published: bool = False
    attention: str | None = None
    folded: bool = False
    compile: str | None = None
    precision: str | None = None
    fused: bool = False
    graphs: bool = False

    def arguments(self, family: str, *, device: str, dtype: str, window: int | str | None) -> dict[str, Any]:
        """Arguments for ``load_tokenizer`` next to device, dtype and window.

        Raises:
            UnsupportedError: a tokenizer of ``family`` has no such preset, or there is nothing to it without a window.
        """
        if family != "vitok":
            if self.name != REFERENCE:
                raise UnsupportedError(f"preset '{self.name}' is made for ViTok; any other tokenizer knows 'reference'")
            return {}
        if self.attention == "mask" and window is None:
            raise UnsupportedError(f"preset '{self.name}' masks what is outside a window, and no window was asked for")
        from vitok_lib.tokenizers.vitok.kernel_choice import plain_kernel  # here, since it needs torch

        arguments: dict[str, Any] = {}
        if self.published:
            arguments = {"chunk": 0, "attention": self.attention or plain_kernel(device, dtype, window)}
        if self.folded:
            arguments["folded"] = True
        if self.compile is not None:
            arguments["compile"] = self.compile
        if self.precision is not None:
            arguments["precision"] = self.precision
        if self.fused:
            arguments["fused"] = True
        if self.graphs and device.startswith("cuda"):
            arguments["graphs"] = True
        return arguments


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(REFERENCE, "the published maths, eager, whole tensors", published=True),
        Preset("dense", "as reference, the window as a mask of all pairs", published=True, attention="mask"),
        Preset("compiled", "as reference, compiled", published=True, compile="default"),
        Preset("folded", "norms and layer scale folded into the matrices, eager", folded=True),
        Preset("fast", "folded, compiled, CUDA graphs if launches bound", folded=True, compile="default", graphs=True),
        Preset("fp8", "as fast, 8-bit matrices", folded=True, compile="default", graphs=True, precision="fp8"),
        Preset("fused", "as fast, Triton kernels of this project in place of the compiler's", fused=True, graphs=True),
        Preset("fused-fp8", "as fused, 8-bit matrices", fused=True, graphs=True, precision="fp8"),
    )
}


def find_preset(name: str) -> Preset:
    """The preset called ``name``; RequestError with the nearest names if there is none."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def resolve(config: RunConfig) -> RunConfig:
    """``config`` with what its preset sets in place of each setting that was not asked for itself.

    Raises:
        RequestError: there is no such preset.
        UnsupportedError: the tokenizer has no preset of this name.
    """
    if config.preset is None:
        return config
    chosen = find_preset(config.preset).arguments(
        find(config.name).family, device=config.device, dtype=config.dtype, window=config.window
    )
    return config.replace(**{field: value for field, value in chosen.items() if getattr(config, field) is None})
