"""Which kernel is taken: by device and dtype, by timing, and never one that gives something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok import kernel_choice as module
from vitok_lib.tokenizers.vitok.attention import FULL_KERNELS, WINDOW_KERNELS
from vitok_lib.tokenizers.vitok.flex import VARIANTS
from vitok_lib.tokenizers.vitok.kernel_choice import (
    TUNED_SIZES,
    FastestKernel,
    FixedKernel,
    choose_kernel,
    fastest_of,
)

TINY = "w32_d2_h2/8x6"


def _choose(device: str, dtype: str, window: int | None, fastest: bool = False) -> tuple[object, dict[str, str]]:
    choices: dict[str, str] = {}
    kernel = choose_kernel(None, device=device, dtype=dtype, window=window, fastest=fastest, choices=choices)
    return kernel, choices


@pytest.mark.parametrize(
    ("device", "dtype", "window", "name"),
    [
        ("cpu", "float32", None, "sdpa"),
        ("cpu", "float32", 64, "bands"),
        ("cpu", "bfloat16", 64, "bands"),
        ("cuda", "bfloat16", None, "flash"),
        ("cuda", "float32", None, "sdpa"),
        ("cuda", "bfloat16", 64, "varlen"),
        ("cuda", "float32", 64, "bands"),
    ],
)
def test_the_automatic_kernel_suits_device_and_dtype_and_says_why(
    device: str, dtype: str, window: int | None, name: str
) -> None:
    kernel, choices = _choose(device, dtype, window)
    assert isinstance(kernel, FixedKernel)
    assert kernel.name == name
    assert choices["attention"].startswith(f"{name}: ")


def test_kernels_are_timed_only_where_there_are_several() -> None:
    assert isinstance(_choose("cuda", "bfloat16", 64, fastest=True)[0], FastestKernel)
    assert isinstance(_choose("cpu", "float32", 64, fastest=True)[0], FixedKernel)
    assert isinstance(_choose("cuda", "float32", 64, fastest=True)[0], FixedKernel)


class _Course:
    """Kernels that take a given number of seconds on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def kernel(self, seconds: float, result: Tensor) -> Callable[[], Tensor]:
        def run() -> Tensor:
            self.now += seconds
            return result

        return run


def _output(seed: int = 0) -> Tensor:
    return torch.randn(1, 2, 128, 4, generator=torch.Generator().manual_seed(seed))


def test_the_fastest_kernel_wins() -> None:
    course = _Course()
    kernels = {"first": course.kernel(3, _output()), "second": course.kernel(2, _output() * 1.001)}
    winner, told = fastest_of(kernels, course.clock)
    assert winner == "second"
    assert told == "second: first 3e+03 ms, second 2e+03 ms; found in 20 s", "each once, and three times by the clock"


def test_a_kernel_that_is_wrong_in_the_last_tokens_alone_is_refused() -> None:
    course = _Course()
    wrong = _output()
    wrong[:, :, -2:] = 0
    assert (wrong - _output()).norm() / _output().norm() > 0.02
    slightly = _output().repeat(1, 1, 50, 1)
    damaged = slightly.clone()
    damaged[:, :, -1] *= 1.5  # far below the tolerance over all tokens
    assert (damaged - slightly).norm() / slightly.norm() < 0.02
    kernels = {"first": course.kernel(3, slightly), "second": course.kernel(1, damaged)}
    winner, told = fastest_of(kernels, course.clock)
    assert winner == "first"
    assert "second differs from first by" in told


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_kernel_that_gives_no_numbers_is_refused(value: float) -> None:
    course = _Course()
    kernels = {"first": course.kernel(3, _output()), "second": course.kernel(1, torch.full_like(_output(), value))}
    assert fastest_of(kernels, course.clock)[0] == "first"


def test_a_kernel_that_does_not_run_is_refused() -> None:
    def broken() -> Tensor:
        raise RuntimeError("no such kernel")

    course = _Course()
    winner, told = fastest_of({"first": course.kernel(3, _output()), "second": broken}, course.clock)
    assert winner == "first"
    assert "second does not run here (RuntimeError)" in told


def test_an_error_that_loses_the_gpu_ends_the_timing() -> None:
    course, lost = _Course(), []

    def illegal() -> Tensor:
        lost.append(True)
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def clock() -> float:
        if lost:  # whatever asks for the card's answer then gets this error
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        return course.clock()

    with pytest.raises(torch.AcceleratorError, match="illegal memory access"):
        fastest_of({"first": course.kernel(3, _output()), "second": illegal}, clock)


def test_a_window_that_leaves_nothing_out_keeps_to_flash_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FULL_KERNELS, "flash", lambda query, key, value: "flash")
    query = torch.randn(1, 2, 64, 8)
    assert FixedKernel("varlen")(query, query, query, 63) == "flash"
    assert isinstance(FixedKernel("bands")(query, query, query, 63), Tensor)


def test_named_kernels_for_full_attention_are_timed_and_the_choice_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[list[str]] = []
    timed_on_cpu = fastest_of

    def on_cpu(kernels: dict[str, Callable[[], Tensor]]) -> tuple[str, str]:
        timed.append(list(kernels))
        return timed_on_cpu({"flash": kernels["flash"]}, _Course().clock)

    monkeypatch.setattr(module, "fastest_of", on_cpu)
    choices: dict[str, str] = {}
    query = torch.randn(1, 2, 64, 8)
    FastestKernel(choices)(query, query, query, None)
    assert timed == [["flash", "cudnn"]]
    assert choices["attention of 64 tokens, full attention"].startswith("flash: ")


def test_a_kernel_that_is_asked_for_is_compiled_without_a_break() -> None:
    torch._dynamo.reset()
    query = torch.randn(1, 2, 64, 8)
    kernel = FixedKernel("flash")
    compiled = torch.compile(lambda x: kernel(x, x, x, None), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(query), kernel(query, query, query, None))


def test_kernels_are_timed_once_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Iterator[int] = count()
    monkeypatch.setattr(
        module, "fastest_of", lambda kernels: (("sdpa", "mask")["flex" in kernels], f"run {next(runs)}")
    )
    choices: dict[str, str] = {}
    kernel = FastestKernel(choices)
    for tokens in (64, 96, 64):
        query = torch.randn(1, 2, tokens, 8)
        for window in (None, 5, 5, 200):
            kernel(query, query, query, window)
    assert next(runs) == 4, "two sizes, with a window and without; a window beyond the image is none"
    assert set(choices) == {
        f"attention of {tokens} tokens, {radius}" for tokens in (64, 96) for radius in ("full attention", "window 5")
    }


def test_variants_of_flex_are_timed_for_the_first_large_sizes_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[list[str]] = []

    def none_runs(kernels: dict[str, Callable[[], Tensor]]) -> tuple[str, str]:
        timed.append(list(kernels))
        return "bands", ""

    monkeypatch.setattr(module, "fastest_of", none_runs)
    monkeypatch.setattr(module, "TUNED_FROM", 64)
    kernel = FastestKernel({})
    for tokens in (63, *range(64, 64 + TUNED_SIZES + 1)):
        query = torch.randn(1, 1, tokens, 1)
        kernel(query, query, query, 1)
    plain, every = ["varlen", "flex"], ["varlen", *VARIANTS]
    assert timed == [plain, *[every] * TUNED_SIZES, plain]


def test_of_variants_the_fastest_wins_and_each_that_is_refused_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course, output, timed_on_cpu = _Course(), _output(), fastest_of

    def fails(*arguments: object) -> Tensor:
        raise torch.OutOfMemoryError("of shared memory")

    agreeing = {"varlen": 5.0, "flex": 4.0, "flex-128x64": 2.0}
    for name in agreeing:
        run = course.kernel(agreeing[name], output)
        monkeypatch.setitem(WINDOW_KERNELS, name, lambda *arguments, run=run: run())
    monkeypatch.setitem(WINDOW_KERNELS, "flex-128x64-tma", fails)
    monkeypatch.setitem(WINDOW_KERNELS, "flex-64x64", lambda *arguments: course.kernel(1, output.flip(2))())
    monkeypatch.setattr(module, "TUNED_FROM", 64)
    monkeypatch.setattr(module, "fastest_of", lambda kernels: timed_on_cpu(kernels, course.clock))
    choices: dict[str, str] = {}
    assert FastestKernel(choices)(output, output, output, 5) is output
    told = choices["attention of 128 tokens, window 5"]
    assert told.startswith("flex-128x64: varlen 5e+03 ms, flex 4e+03 ms, flex-128x64 2e+03 ms, ")
    assert "flex-128x64-tma does not run here (OutOfMemoryError)" in told
    assert "flex-64x64 differs from varlen by 1." in told


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_flex_can_be_asked_for(name: str) -> None:
    assert load_tokenizer(TINY, weights="random", attention=name, window=4).settings.attention == name


@pytest.mark.parametrize(
    ("attention", "window", "sentence"),
    [
        ("flex-64", 4, "unknown attention 'flex-64'; did you mean flex-64x64"),
        ("flex-128x64-tma", None, "attention 'flex-128x64-tma' is not for full attention; take one of sdpa"),
        ("flexx", 4, "unknown attention 'flexx'; did you mean flex"),
        ("sdpa", 4, r"attention 'sdpa' is not for a window \(=4\); take one of bands"),
        ("bands", None, "attention 'bands' is not for full attention; take one of sdpa"),
        ("varlen", 4, "attention 'varlen' runs on CUDA in bfloat16 or float16, not on cpu in float32"),
    ],
)
def test_a_kernel_that_cannot_be_is_one_sentence(attention: str, window: int | None, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        load_tokenizer(TINY, weights="random", attention=attention, window=window)
