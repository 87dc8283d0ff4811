"""Fused blocks: their kernels interpreted and compiled, the meta device, and what is said where they cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.presets import PRESETS
from vitok_lib.tokenizers.vitok.fused import blocks, launch
from vitok_lib.tokenizers.vitok.fused.blocks import FusedBlocks
from vitok_lib.tokenizers.vitok.model import Decoder
from vitok_lib.tokenizers.vitok.precision import FLOAT8
from vitok_lib.tokenizers.vitok.running import Running, set_up
from vitok_lib.tokenizers.vitok.variant import parse_variant

TRITON = pytest.mark.skipif(find_spec("triton") is None, reason="Triton has no wheel for this system")
HOPPER = ("cuda", 90, 32)


@TRITON
def test_the_kernels_agree_with_float64_in_the_interpreter() -> None:
    interpreted = Path(__file__).with_name("interpreted.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(interpreted)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@TRITON
@pytest.mark.parametrize(("width", "heads", "inner"), [(3072, 24, 8208)], ids=["5B"])
def test_the_kernels_compile_for_hopper(
    width: int, heads: int, inner: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter takes what the compiler refuses. Memory is read by 16 bytes."""
    from vitok_lib.tokenizers.vitok.fused import kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    machine_code: dict[str, str] = {}
    for kernel in (kernels.residual_norm, kernels.position, kernels.gate):
        monkeypatch.setattr(kernels, kernel.__name__, _Compiling(kernel, machine_code))
    x, bits, scales = torch.zeros(2, width, dtype=torch.bfloat16), torch.zeros(2, width, dtype=FLOAT8), torch.ones(2, 1)
    launch.residual_norm(x, x, bits, scales)
    rope = torch.zeros(2, 4, width // heads // 2)
    packed, positioned = x.new_zeros(2, 2 * width), x.new_zeros(2, 4, width)
    launch.position(packed, x.new_zeros(2, width // heads), rope, positioned, 2, heads)
    launch.gate(x, x.new_zeros(2, 2 * inner), torch.zeros(2, width + inner, dtype=FLOAT8), scales)
    assert set(machine_code) == {"residual_norm", "position", "gate"}
    for name, code in machine_code.items():
        assert "ld.global.v4.b32" in code, name


class _Compiling:
    """A kernel to its caller, which is compiled in place of a launch."""

    def __init__(self, kernel: Any, machine_code: dict[str, str]) -> None:
        self._kernel, self._machine_code = kernel, machine_code

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        return self._launch

    def _launch(self, *arguments: Any, **options: Any) -> None:
        self._machine_code[self._kernel.__name__] = _compiled(self._kernel, arguments, options)


def _compiled(kernel: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> str:
    """The PTX of a launch with these arguments, as Triton specialises for what 16 divides."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = dict(zip(kernel.arg_names, arguments, strict=False))
    given = names | {name: value for name, value in options.items() if name in kernel.arg_names}
    pointers = {torch.bfloat16: "*bf16", torch.float32: "*fp32", FLOAT8: "*fp8e4nv"}
    signature, constants, attributes = {}, {}, {}
    for place, (name, value) in enumerate(given.items()):
        if name in options:
            signature[name], constants[(place,)] = "constexpr", value
        elif isinstance(value, Tensor):
            signature[name] = pointers[value.dtype]
        else:
            signature[name] = "fp32" if isinstance(value, float) else "i32"
        if isinstance(value, Tensor) or (signature[name] == "i32" and value % 16 == 0):
            attributes[(place,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, attributes)
    warps = {"num_warps": options["num_warps"]}
    return str(triton.compile(source, target=GPUTarget(*HOPPER), options=warps).asm["ptx"])


@pytest.mark.parametrize("precision", [None, "fp8"])
def test_fused_blocks_run_on_the_meta_device(precision: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitok_lib.tokenizers.vitok.running.check_fused", lambda device, dtype: None)
    with torch.device("meta"):
        decoder = Decoder(parse_variant("w64_d3_h2/8x16")).to(torch.bfloat16)
    choices = set_up([decoder], Running("cpu", "bfloat16", precision=precision, fused=True))
    assert [type(block) for block in decoder.decoder_blocks] == [FusedBlocks]
    assert choices["folded"] == "yes: fused blocks work on folded matrices"
    with torch.no_grad():
        images = decoder(torch.empty(2, 3, 5, 16, device="meta", dtype=torch.bfloat16))
    assert images.shape == (2, 3, 24, 40)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "fused blocks run on CUDA, not on cpu; leave fused out, or set TRITON_INTERPRET=1"),
        ({"dtype": "float64"}, "fused blocks take dtype bfloat16, float16, float32, not 'float64'; leave fused out"),
        ({"compile": "default"}, "fused blocks work on folded matrices and are not compiled"),
        ({"folded": False}, "fused blocks work on folded matrices and are not compiled"),
    ],
    ids=str,
)
def test_a_run_that_cannot_be_fused_is_refused(
    settings: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = SimpleNamespace(runtime=SimpleNamespace(interpret=False))
    monkeypatch.setitem(sys.modules, "triton", SimpleNamespace(knobs=knobs, __spec__=SimpleNamespace()))
    with pytest.raises(RequestError, match=sentence):
        load_tokenizer("nano-f16x64", weights="random", fused=True, **settings)


def test_without_triton_fused_blocks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match="need Triton, which is not installed") as raised:
        load_tokenizer("nano-f16x64", weights="random", preset="fused")
    assert raised.value.code == "fused-unsupported"


def test_presets_name_fused_blocks_and_no_other_preset_takes_them() -> None:
    where = {"device": "cuda", "dtype": "bfloat16", "window": 64}
    assert PRESETS["fused-fp8"].arguments("vitok", **where) == {"fused": True, "graphs": True, "precision": "fp8"}
    assert {name for name, preset in PRESETS.items() if preset.fused} == {"fused", "fused-fp8"}
