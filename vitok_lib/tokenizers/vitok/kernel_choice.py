"""Which attention kernel a model runs with, and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.config import attention_choice, square_radius
from vitok_lib.tokenizers.vitok.attention import (
    FULL_KERNELS,
    SQUARE_KERNELS,
    WINDOW_KERNELS,
    Masked,
    Window,
    attention,
    sees_all,
)
from vitok_lib.tokenizers.vitok.flex import VARIANTS
from vitok_lib.tokenizers.vitok.model import Attend

SIXTEEN_BITS = ("bfloat16", "float16")
AGREEMENT = 0.02
"""Root mean square of the difference between two kernels over that of the output: several roundings to bfloat16."""
TUNED_FROM = 16_384
"""Tokens of an image, 2048 px of patch 16, from which on every variant of ``flex`` is compiled and timed.

Compiling should take 2 to 5 s a variant; a record says how long the search took. Below, attention takes too little of
an evaluation for any variant to win that back.
"""
TUNED_SIZES = 4
"""Sizes of a model that are tuned so; with images of many sizes further ones take ``varlen`` or plain ``flex``."""
_REPETITIONS = 3  # timed calls of each kernel
_REASONS = {
    "flash": "FlashAttention-2 takes full attention in {dtype} on {device}",
    "sdpa": "full attention, torch chooses among its fused kernels",
    "varlen": "FlashAttention-2 has a window for {dtype} on {device}",
    "bands": "no kernel has a window for {dtype} on {device}",
    "square": "no kernel has a window of rows and columns",
}


class FixedKernel:
    """One kernel for every size; where its window leaves nothing out, full attention of the same family."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._full = FULL_KERNELS[name if name in FULL_KERNELS else "flash" if name == "varlen" else "sdpa"]
        self._windowed: Callable[..., Tensor] | None = Masked() if name == "mask" else WINDOW_KERNELS.get(name)

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: Window | None) -> Tensor:
        if self._windowed is None or sees_all(query.shape[2], window):
            return self._full(query, key, value)
        return self._windowed(query, key, value, window)


class FastestKernel:
    """Of several kernels the fastest that agrees with the first; found when a size is met for the first time.

    Agreement is asked over all tokens and over the last ones apart, where a count that overflows 32 bits shows.
    ``choices`` says what won and by how much. Of large images with a window the variants of ``flex`` are among them,
    whose blocks suit some radii better than others.
    """

    def __init__(self, choices: dict[str, str]) -> None:
        self._choices = choices
        self._won: dict[tuple[torch.Size, Window | None], str] = {}
        self._tuned = 0

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: Window | None) -> Tensor:
        tokens = query.shape[2]
        whole = sees_all(tokens, window)
        size = (query.shape, None if whole else window)
        if size not in self._won:
            kernels = FULL_KERNELS if whole else WINDOW_KERNELS
            names = ("flash", "cudnn") if whole else ("varlen", *self._of_flex(tokens))
            arguments = (query, key, value) if whole else (query, key, value, window)
            self._won[size], timings = fastest_of({name: _bound(kernels[name], arguments) for name in names})
            self._choices[attention_choice(tokens, size[1])] = timings
        return attention(query, key, value, window, **{"full" if whole else "windowed": self._won[size]})

    def _of_flex(self, tokens: int) -> tuple[str, ...]:
        if tokens < TUNED_FROM or self._tuned >= TUNED_SIZES:
            return ("flex",)
        self._tuned += 1
        return tuple(VARIANTS)


def _bound(kernel: Callable[..., Tensor], arguments: Sequence[Tensor | Window | None]) -> Callable[[], Tensor]:
    return lambda: kernel(*arguments)


def fastest_of(kernels: dict[str, Callable[[], Tensor]], clock: Callable[[], float] | None = None) -> tuple[str, str]:
    """The fastest of ``kernels`` that agrees with the first of them, and a sentence about all and how long it took.

    ``kernels`` give ``[B, heads, N, head_dim]``; ``clock`` gives seconds once all that was begun is done, and raises
    where the GPU answers with nothing but errors any more, as after an illegal access: that is no kernel's affair.
    """
    clock = clock or _synchronised
    first, *others = kernels
    began = clock()
    expected = kernels[first]()
    seconds = {first: _fastest(kernels[first], clock)}
    refused = {}
    for name in others:
        try:
            difference = _difference(kernels[name](), expected)
            if not difference <= AGREEMENT:  # also where it is no number
                refused[name] = f"differs from {first} by {difference:.2g}"
                continue
            seconds[name] = _fastest(kernels[name], clock)
        except Exception as error:  # whatever keeps a kernel from running here
            clock()
            refused[name] = f"does not run here ({type(error).__name__})"
    winner = min(seconds, key=lambda name: seconds[name])
    timings = [f"{name} {1000 * taken:.3g} ms" for name, taken in seconds.items()]
    told = ", ".join(timings + [f"{name} {reason}" for name, reason in refused.items()])
    return winner, f"{winner}: {told}; found in {clock() - began:.3g} s"


def _difference(found: Tensor, expected: Tensor) -> float:
    """The larger of the relative differences over all tokens and over the last sixty-fourth of them."""
    last = max(1, expected.shape[2] // 64)
    pairs = ((found, expected), (found[:, :, -last:], expected[:, :, -last:]))
    return max(float((a - b).float().norm() / b.float().norm()) for a, b in pairs)


def _fastest(kernel: Callable[[], Tensor], clock: Callable[[], float]) -> float:
    taken = []
    for _ in range(_REPETITIONS):
        began = clock()
        kernel()
        taken.append(clock() - began)
    return min(taken)


def _synchronised() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def plain_kernel(device: str, dtype: str, window: int | str | None) -> str:
    """The stock kernel by device, dtype and window: FlashAttention-2 where it runs.

    Not what torch would choose there, which changes with the version of cuDNN and is in no record.
    """
    if square_radius(window) is not None:
        return "bands"
    if _is_cuda(device) and dtype in SIXTEEN_BITS:
        return "flash" if window is None else "varlen"
    return "sdpa" if window is None else "bands"


def _is_cuda(device: str) -> bool:
    return torch.device(device).type == "cuda"


def choose_kernel(
    asked: str | None, *, device: str, dtype: str, window: int | str | None, fastest: bool, choices: dict[str, str]
) -> Attend:
    """The kernel for a model on ``device``; what was chosen automatically is in ``choices``.

    Args:
        asked: a kernel's name; None: automatic.
        window: the radius in tokens, or in rows and columns; None: full attention.
        fastest: where several kernels run, time them at each new size instead of taking the first.

    Raises:
        RequestError: the kernel is not known, does not suit the window, or does not run on this device.
    """
    if asked is not None:
        _check(asked, device, dtype, window)
        return FixedKernel(asked)
    if fastest and _is_cuda(device) and dtype in SIXTEEN_BITS and square_radius(window) is None:
        choices["attention"] = "the fastest kernel that agrees, found for each size"
        return FastestKernel(choices)
    name = plain_kernel(device, dtype, window)
    reason = _REASONS["square" if square_radius(window) is not None else name]
    choices["attention"] = f"{name}: {reason.format(dtype=dtype, device=device)}"
    return FixedKernel(name)


def _check(asked: str, device: str, dtype: str, window: int | str | None) -> None:
    square = square_radius(window) is not None
    suitable = FULL_KERNELS if window is None else SQUARE_KERNELS if square else WINDOW_KERNELS
    if asked not in suitable:
        if asked in FULL_KERNELS or asked in WINDOW_KERNELS:
            which = "full attention" if window is None else f"a window (={window})"
            raise RequestError(f"attention '{asked}' is not for {which}; take one of {', '.join(suitable)}")
        raise unknown("attention", asked, suitable)
    if asked in ("flash", "cudnn", "varlen") and not (_is_cuda(device) and dtype in SIXTEEN_BITS):
        raise RequestError(
            f"attention '{asked}' runs on CUDA in {' or '.join(SIXTEEN_BITS)}, not on {device} in {dtype}; "
            "leave attention out to have one chosen",
            code="attention-unsupported",
        )
