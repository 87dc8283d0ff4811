"""Peak memory against tensors of known size, in this process and in one made for it, and caps that bind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from torch._subclasses.fake_tensor import FakeTensorMode

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.memory import probe as probe_module
from vitok_lib.measure.memory.peak import measure_memory
from vitok_lib.measure.memory.probe import GIVE_BACK, MemoryProbe
from vitok_lib.measure.memory.worker import ProbeResult, tensor_bytes
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import results_root

GIB, MIB = 2**30, 2**20
NOISE = 8 * MIB  # what a process takes beside its tensors, or gives back of what it had
TINY = "w32_d2_h2/8x6"
RANDOM = RunConfig(name=TINY, weights="random")
HOLDING = '''
"""A tokenizer of {weights} bytes that holds {encoding} more to encode large images and {decoding} to decode them."""
import torch
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

class Holding:
    spec = TokenizerSpec("holding", "test", 1, 3, "a test")
    weights = Weights(source="none")
    settings = Settings(device="cpu", dtype="float32")
    def __init__(self):
        self.kept = torch.ones({weights} // 4)
    def encode(self, images):
        torch.ones({encoding} // 4 if images.shape[2] >= 100 else 1)
        return Latent(images.movedim(1, -1).half(), *images.shape[2:])
    def decode(self, latent):
        torch.ones({decoding} // 4 if latent.height >= 100 else 1)
        return latent.values.movedim(-1, 1).float()
    def reconstruct(self, images):
        return self.decode(self.encode(images))
'''
A_PEAK_FORGOTTEN = """
import torch
from vitok_lib.measure.memory.worker import ProcessMeter, in_use

MIB = 2**20
meter = ProcessMeter()
torch.ones(200 * MIB // 4)
meter.start(held=7 * MIB)
before = meter.peak()
torch.ones(100 * MIB // 4)
print(before, meter.peak(), in_use("VmRSS"), in_use("VmHWM"))
"""
PEAKS_OF_ATTENTION = """
import sys
import torch
from vitok_lib.measure.memory.worker import ProcessMeter
from vitok_lib.tokenizers.load import load_tokenizer

images = torch.zeros(1, 3, 512, 512)
for kernel in ("flash", "math"):
    tokenizer = load_tokenizer("nano-kl-f8x16", weights=sys.argv[1], attention=kernel)
    tokenizer.encode(images[:, :, :64, :64])
    meter = ProcessMeter()
    meter.start(held=0)
    tokenizer.encode(images)
    print(meter.peak())
"""


@pytest.fixture
def holding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int, int], str]:
    """Writes a tokenizer that holds so many bytes for weights, to encode and to decode, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(weights: int, encoding: int, decoding: int) -> str:
        module = f"holding_{weights}_{encoding}_{decoding}"
        text = HOLDING.format(weights=weights, encoding=encoding, decoding=decoding)
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        return f"{module}:Holding"

    return write


def _gib(record: Record, quantity: str) -> float:
    value = record.value(quantity)
    assert value is not None
    assert value.unit == "GiB"
    return value.value


def test_a_fake_tensor_of_the_compiler_counts_nothing() -> None:
    before = tensor_bytes("cpu")
    with FakeTensorMode():
        fake = torch.empty(2**20)
    assert fake.device.type == "cpu"
    assert tensor_bytes("cpu") == before


def test_a_tensor_counts_once_with_all_of_its_storage() -> None:
    before = tensor_bytes("cpu")
    tensor = torch.empty(3, 1000)
    views = [tensor[0], tensor.T, tensor.view(-1)]
    assert tensor_bytes("cpu") - before == 12_000
    assert tensor_bytes("meta") == 0
    del tensor, views
    assert tensor_bytes("cpu") == before


def in_a_process(script: str, *words: str) -> list[int]:
    """The numbers that a script prints, in a process of its own: this one's heap grows and shrinks as it likes."""
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **GIVE_BACK})
    return [int(word) for word in done.stdout.split()]


def test_the_peak_of_a_process_is_that_since_the_start() -> None:
    before, after, resident, highest = in_a_process(A_PEAK_FORGOTTEN)
    assert before == pytest.approx(7 * MIB, abs=NOISE)  # the 200 MiB are forgotten
    assert after == pytest.approx(107 * MIB, abs=NOISE)
    assert resident < highest


@pytest.mark.parametrize(("encoding", "decoding"), [(200 * MIB, 40 * MIB), (40 * MIB, 200 * MIB)])
def test_the_model_holds_its_images_while_it_encodes_and_not_while_it_decodes(
    encoding: int, decoding: int, holding: Callable[[int, int, int], str]
) -> None:
    side, weights = 1024, 10 * MIB
    record = measure_memory(RunConfig(name=holding(weights, encoding, decoding)), resolution=side)
    assert record.outcome.status is OutcomeStatus.OK, record.outcome
    image = 3 * side**2 * 4
    latent = image // 2
    expected = weights + max(encoding + image, decoding + latent)
    assert _gib(record, "weights") == pytest.approx(weights / GIB)
    assert _gib(record, "model_peak") == pytest.approx(expected / GIB, abs=NOISE / GIB)
    # Beside: the 8-bit image and its batch, and while decoding nothing more.
    beside = 2 * 3 * side**2
    assert _gib(record, "evaluation_peak") == pytest.approx((expected + beside) / GIB, abs=NOISE / GIB)


def test_plain_attention_holds_the_scores_of_all_pairs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
    )
    model.save_pretrained(tmp_path)
    flash, math = in_a_process(PEAKS_OF_ATTENTION, str(tmp_path))
    scores = (512 // 8) ** 4 * 4
    # The convolutions' peak, at full resolution, is another moment than that of the scores and their softmax.
    assert scores <= math <= 3 * scores + NOISE
    assert flash < scores


def test_a_record_tells_model_and_evaluation_apart_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # An evaluation holds 6 MiB of pixels beside: more than the memory of a process varies by here.
    config = RANDOM.replace(name="w32_d2_h2/16x6", chunk=0)
    record = measure_memory(config, resolution=1024)
    assert record.outcome.status is OutcomeStatus.OK, record.outcome
    parameters = record.tokenizer.parameters
    assert parameters is not None
    assert _gib(record, "weights") == pytest.approx(parameters * 4 / GIB, rel=0.01)
    plan = plan_of(RunConfig(name=config.name, chunk=0), 1024)
    assert plan.total_bytes is not None
    assert _gib(record, "predicted_peak") == pytest.approx(plan.total_bytes / GIB)
    assert _gib(record, "weights") < _gib(record, "model_peak") < _gib(record, "evaluation_peak")
    assert (record.images.name, record.images.rule) == ("noise", "1024x1024 px as drawn")
    assert (record.settings.chunk, record.settings.batch) == (0, 1)
    path = results_root() / "local" / "memory-1024" / "w32_d2_h2_16x6@chunk=0,weights=random0.json"
    assert path.exists()

    def refuse(*words: object, **named: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(MemoryProbe, "attempt", refuse)
    assert measure_memory(config, resolution=1024) == record
    with pytest.raises(AssertionError, match="measured again"):
        measure_memory(config, resolution=1024, again=True)


def test_the_command_asks_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ProbeResult(weights=1, model_peak=2, evaluation_peak=3)
    monkeypatch.setattr(MemoryProbe, "attempt", lambda *_, **__: found)
    config = RANDOM.replace(chunk=0, batch=2, folded=True)
    record = measure_memory(config, resolution=32, limit_gib=1.5, study="mine")
    assert record.provenance is not None
    repeated = parse(record.provenance.command)
    assert (repeated.configs, record.requested) == ((config,), config)
    assert repeated.request == {"resolution": 32, "limit_gib": 1.5, "study": "mine"}
    assert measure_memory(*repeated.configs, **repeated.request) == record


def test_a_cap_fails_the_allocation_that_goes_beyond_it(holding: Callable[[int, int, int], str]) -> None:
    name = holding(0, 256 * MIB, 0)
    capped, free = (measure_memory(RunConfig(name=name), resolution=100, limit_gib=gib) for gib in (0.125, 0.5))
    assert capped.outcome.status is OutcomeStatus.OOM
    memory = capped.outcome.memory
    assert memory is not None
    assert memory.requested_bytes == 256 * MIB
    assert (memory.height, memory.width, memory.batch, memory.fit_height) == (100, 100, 1, None)
    assert str(capped.outcome.detail).startswith("out of memory within 0.125 GiB on 100 × 100 pixels at batch 1: ")
    assert capped.value("model_peak") is None
    assert capped.settings.memory_limit_gib == 0.125
    assert free.outcome.status is OutcomeStatus.OK, free.outcome
    assert _gib(free, "model_peak") == pytest.approx(0.25, abs=NOISE / GIB)


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "outcome", "detail"),
    [
        (-9, "", "", OutcomeStatus.OOM, "the system killed the process"),
        (-11, "", "a\nSegmentation fault\n", OutcomeStatus.ERROR, "the process ended with status -11: Segmentation"),
        (1, "", "", OutcomeStatus.ERROR, "status 1: it said nothing"),
        (0, 'chatter\n{"failure": {"status": "unsupported", "detail": "no"}}\n', "", OutcomeStatus.UNSUPPORTED, "no"),
    ],
)
def test_the_end_of_a_process_is_an_outcome(
    status: int, stdout: str, stderr: str, outcome: OutcomeStatus, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda command, **named: subprocess.CompletedProcess(command, status, stdout, stderr)
    )
    record = measure_memory(RANDOM, resolution=64)
    assert record.outcome.status is outcome
    assert detail in str(record.outcome.detail)


def test_a_process_that_takes_too_long_is_ended() -> None:
    record = measure_memory(RANDOM, resolution=64, time_limit=0.2)
    assert record.outcome.status is OutcomeStatus.TIMEOUT
    assert "longer than 0.2 s" in str(record.outcome.detail)


def test_weights_that_do_not_fit_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitok_lib.measure.predict.plan.available_bytes", lambda device: 1000)
    monkeypatch.setattr(probe_module, "load", lambda config: pytest.fail("loaded"))
    record = measure_memory(RANDOM.replace(window=5), resolution=64)
    assert record.outcome.status is OutcomeStatus.OOM
    assert "the weights alone take" in str(record.outcome.detail)
    assert record.tokenizer.weights.source == "random:0"
    assert record.settings.window == 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"resolution": 0}, "resolution must be between 1 and 16384"),
        ({"limit_gib": 0.0}, "memory limit (=0) must be above 0"),
        ({"time_limit": -1.0}, "time limit (=-1) must be above 0"),
        ({"dtype": "float31"}, "unknown dtype 'float31'"),
        ({"tiling": True}, "no convolutional auto-encoder"),
    ],
)
def test_a_wrong_request_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    given = {key: value for key, value in options.items() if key in RunConfig.model_fields}
    bounds = {key: value for key, value in options.items() if key not in given}
    with pytest.raises(RequestError) as refused:
        measure_memory(RANDOM.replace(**given), **{"resolution": 64, **bounds})
    assert sentence in str(refused.value)
    assert not results_root().exists()
