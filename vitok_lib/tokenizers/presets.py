"""Named ways to run a tokenizer, from the published maths to the fastest: what a speed is measured on.

A path spells itself out as arguments of :func:`vitok_lib.tokenizers.load.load_tokenizer`, so that every step of it
can be asked for apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitok_lib.errors import RequestError, UnsupportedError, unknown

REFERENCE = "reference"


@dataclass(frozen=True)
class Path:
    """One way to run a ViTok; any other tokenizer knows only the reference.

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
    graphs: bool = False

    def arguments(self, family: str, *, device: str, dtype: str, window: int | None, tokens: int) -> dict[str, Any]:
        """Arguments for ``load_tokenizer`` beside device, dtype and window, of a batch of ``tokens`` tokens.

        Raises:
            UnsupportedError: a tokenizer of ``family`` has no such path, or there is nothing to it without a window.
        """
        if family != "vitok":
            if self.name != REFERENCE:
                raise UnsupportedError(f"path '{self.name}' is made for ViTok; any other tokenizer knows 'reference'")
            return {}
        if self.attention == "mask" and window is None:
            raise UnsupportedError(f"path '{self.name}' masks what is outside of a window, and no window was asked for")
        from vitok_lib.tokenizers.vitok.graphs import LAUNCH_BOUND  # here, since both need torch
        from vitok_lib.tokenizers.vitok.kernel_choice import plain_kernel

        arguments: dict[str, Any] = {}
        if self.published:
            arguments = {"chunk": 0, "attention": self.attention or plain_kernel(device, dtype, window)}
        if self.folded:
            arguments["folded"] = True
        if self.compile is not None:
            arguments["compile"] = self.compile
        if self.precision is not None:
            arguments["precision"] = self.precision
        if self.graphs and device.startswith("cuda") and tokens <= LAUNCH_BOUND:
            arguments["graphs"] = True
        return arguments


PATHS: Mapping[str, Path] = {
    path.name: path
    for path in (
        Path(REFERENCE, "the published maths, eager, whole tensors", published=True),
        Path("dense", "as reference, the window as a mask of all pairs", published=True, attention="mask"),
        Path("compiled", "as reference, compiled", published=True, compile="default"),
        Path("folded", "norms and layer scale folded into the matrices, eager", folded=True),
        Path("fast", "folded, compiled, CUDA graphs where launches bound", folded=True, compile="default", graphs=True),
        Path("fp8", "as fast, 8-bit matrices", folded=True, compile="default", graphs=True, precision="fp8"),
    )
}


def find_path(name: str) -> Path:
    """The path called ``name``; RequestError with the nearest names if there is none."""
    if name not in PATHS:
        raise unknown("path", name, PATHS)
    return PATHS[name]


def on_path(path: str | None, tokenizer: str, device: str, dtype: str, window: int | None) -> dict[str, Any]:
    """What ``load_tokenizer`` takes for ``tokenizer`` on ``path``, for images of any size; nothing without a path.

    Raises:
        RequestError: there is no such path, or the tokenizer has none of this name.
    """
    if path is None:
        return {}
    from vitok_lib.tokenizers.registry import find

    try:
        return find_path(path).arguments(find(tokenizer).family, device=device, dtype=dtype, window=window, tokens=0)
    except UnsupportedError as error:
        raise RequestError(f"tokenizer '{tokenizer}': {error}") from error
