"""How a ViTok runs: kernel, chunks, folding, 8-bit floats and compilation, put onto modules that hold their weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.config import check_window
from vitok_lib.tokenizers.vitok.attention import Window
from vitok_lib.tokenizers.vitok.folded import FoldedBlock, Region, regions
from vitok_lib.tokenizers.vitok.fused.blocks import FusedBlocks, check_fused
from vitok_lib.tokenizers.vitok.graphs import LAUNCH_BOUND
from vitok_lib.tokenizers.vitok.kernel_choice import choose_kernel
from vitok_lib.tokenizers.vitok.model import Attend, Block, Decoder, Encoder
from vitok_lib.tokenizers.vitok.precision import check_float8
from vitok_lib.tokenizers.vitok.variant import DEFAULT_CHUNK

PRECISIONS = ("fp8",)
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
CAPTURING_MODES = ("reduce-overhead", "max-autotune")
"""Of torch.compile, which replay CUDA graphs."""


@dataclass(frozen=True)
class Running:
    """The settings of a run; see :func:`vitok_lib.tokenizers.load.load_tokenizer`. ``folded`` None: automatic."""

    device: str
    dtype: str
    window: int | str | None = None
    blocks: str | None = None
    precision: str | None = None
    compile: str | None = None
    attention: str | None = None
    folded: bool | None = None
    chunk: int | None = None
    fused: bool = False
    graphs: bool = False

    def check(self) -> None:
        """Raise a RequestError where a setting is none, or does not go with another."""
        check_window(self.window)
        if self.precision is not None and self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.compile is not None and self.compile not in COMPILE_MODES:
            raise unknown("compile mode", self.compile, COMPILE_MODES)
        if self.chunk is not None and self.chunk < 0:
            raise RequestError(f"chunk (={self.chunk}) must be 1 or more tokens, 0 for all, or None for automatic")
        if self.precision is not None:
            if self.folded is False:
                raise RequestError(f"precision '{self.precision}' works on folded matrices; leave folded out")
            check_float8(self.device, self.dtype)
        if self.fused:
            if self.folded is False or self.compile is not None:
                raise RequestError(
                    "fused blocks work on folded matrices and are not compiled; leave folded and compile out"
                )
            check_fused(self.device, self.dtype)


class Copied(nn.Module):
    """A block compiled in a capturing mode; what it gives is copied.

    Else the next block would refuse it: torch gives up the memory of one call's result as the next call begins, even
    where that takes it as input (pytorch #152887).
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, rope: Tensor, window: Window | None) -> Tensor:
        seen: Tensor = self.block(x, rope, window)
        return seen.clone()


def set_up(modules: Iterable[nn.Module], running: Running) -> dict[str, str]:
    """Make ``modules``, an encoder, a decoder or both, run so; what was chosen automatically, with reasons."""
    choices: dict[str, str] = {}
    folded = _is_folded(running, choices)
    attend = choose_kernel(
        running.attention,
        device=running.device,
        dtype=running.dtype,
        window=running.window,
        fastest=folded,
        choices=choices,
    )
    if running.compile is not None and getattr(attend, "name", None) in ("bands", "mask"):
        attend = torch.compiler.disable(attend)  # a compiler would unroll its loop, of any length
    chunk = _chunk(running, folded, choices)
    if running.graphs:
        cuda = torch.device(running.device).type == "cuda"
        bound = f"replayed up to {LAUNCH_BOUND:,} tokens a batch, where launches can take longer than kernels"
        choices["graphs"] = bound if cuda else f"none: {running.device} launches no kernels"
    shared = regions(running.compile) if folded else None
    for module in modules:
        assert isinstance(module, Encoder | Decoder)
        blocks = module.encoder_blocks if isinstance(module, Encoder) else module.decoder_blocks
        if running.fused:
            if len(blocks):
                blocks.append(FusedBlocks(blocks, chunk=chunk, precision=running.precision, attend=attend))
            continue
        for index, block in enumerate(blocks):
            assert isinstance(block, Block)
            if shared is not None:
                blocks[index] = _folded(block, running, chunk, shared, attend)
                continue
            block.attn.attend, block.attn.chunk = attend, chunk
            if running.compile is not None:
                block.compile(mode=running.compile, dynamic=False)
            if running.compile in CAPTURING_MODES:
                blocks[index] = Copied(block)
    return choices


def _is_folded(running: Running, choices: dict[str, str]) -> bool:
    needing = "fused blocks work" if running.fused else f"precision {running.precision} works"
    if running.folded is None and (running.fused or running.precision is not None):
        choices["folded"] = f"yes: {needing} on folded matrices"
        return True
    return bool(running.folded)


def _chunk(running: Running, folded: bool, choices: dict[str, str]) -> int | None:
    """Tokens at a time; None leaves it to the model's own default."""
    if running.chunk is not None:
        return running.chunk
    if running.compile is not None and not folded:
        choices["chunk"] = "0: a compiled block would unroll its chunks"
        return 0
    if torch.device(running.device).type == "cuda":
        choices["chunk"] = f"{DEFAULT_CHUNK['cuda']}: enough to fill a GPU, few enough for 32-bit counts"
        return DEFAULT_CHUNK["cuda"]
    return None


def _folded(
    block: Block, running: Running, chunk: int | None, shared: tuple[Region, Region], attend: Attend
) -> FoldedBlock:
    return FoldedBlock(block, chunk=chunk, shared=shared, precision=running.precision, attend=attend)
