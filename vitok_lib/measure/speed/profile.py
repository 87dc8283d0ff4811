"""Where the time of a tokenizer goes, by type of operation, as torch's profiler sees it, beside the operations counted.

On a CPU the time of an operator is what it takes itself, without the operators that it calls; on CUDA it is what its
kernels take, and the time that the GPU waits is nobody's.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from vitok_lib.cost.flops import vitok_work
from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.speed.compile_stats import side_by_side
from vitok_lib.measure.speed.op_types import TYPES, OperationType, type_of_kernel, type_of_operator
from vitok_lib.measure.speed.state import Conditions, Contender, Entrant
from vitok_lib.records.provenance import describe_host, provenance
from vitok_lib.records.schema import Kind, Record, Settings, Value
from vitok_lib.records.store import LOCAL, read_record, write_record
from vitok_lib.tokenizers.presets import REFERENCE

BENCHMARK = "profile"
WARM_UPS, ITERATIONS = 2, 3
COUNTED: tuple[OperationType, ...] = ("linear", "attention", "convolution")


def measure_profile(
    name: str,
    *,
    path: str = REFERENCE,
    resolution: int,
    height: int | None = None,
    width: int | None = None,
    batch: int = 1,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str = "released",
    options: Mapping[str, Any] | None = None,
    study: str = LOCAL,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    again: bool = False,
) -> Record:
    """Profile encoding and decoding of ``batch`` random images and keep the record; one from here is not redone.

    Times are of one image: ``time_linear`` and so on for each type, which together are all that the profiler saw.
    ``work_…`` are a ViTok's operations by formula, ``counted_…`` those that torch's counter finds in a real run of the
    same model; it follows only eager runs, and of a kernel with a window of its own it does not know the window, so
    that these have no count. Running out of memory or failing is an outcome, recorded and returned.

    Args:
        resolution: the longest side of the images in pixels.
        height, width: of the images; None: ``resolution``.
        path: a name of :data:`vitok_lib.tokenizers.presets.PRESETS`.
        options: arguments of ``load_tokenizer`` beside those of the path, such as ``window``.
        notebook, parameters: the notebook that asks, for the provenance.
        again: measure even though the record is there.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    sizes = (resolution if height is None else height, resolution if width is None else width)
    _check(resolution, sizes, batch)
    conditions = Conditions(BENCHMARK, study, resolution, *sizes, batch, device, dtype, weights)
    entrant = Entrant(Contender(name, path, dict(options or {})), conditions)
    recorded = None if again else _recorded(entrant)
    if recorded is not None:
        return recorded
    started = datetime.now(UTC)
    values: list[Value] = []
    with _compiled_alone(entrant.settings):
        entrant.load()
        if entrant.running:
            with entrant.trying():
                values = _values(entrant)
        entrant.drop()
    record = Record(
        benchmark=BENCHMARK,
        resolution=resolution,
        tokenizer=entrant.spec.identity(entrant.weights),
        images=conditions.images,
        settings=entrant.settings,
        outcome=entrant.outcome,
        values=tuple(values),
        choices=entrant.choices,
        provenance=provenance(_command(entrant), notebook, parameters or {}, started, device),
    )
    write_record(record, entrant.record_path)
    return record


def time_by_type(call: Callable[[], object], device: str, iterations: int = ITERATIONS) -> dict[OperationType, float]:
    """Milliseconds of one ``call`` by type of operation, the mean of ``iterations``; their sum is the profiler's."""
    on_gpu = torch.device(device).type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        for _ in range(iterations):
            call()
        if on_gpu:
            torch.cuda.synchronize(device)
    spent = dict.fromkeys(TYPES, 0.0)  # microseconds
    for event in profiler.key_averages():
        if not on_gpu:
            spent[type_of_operator(event.key)] += event.self_cpu_time_total
        elif event.device_type.name == "CUDA" and not event.is_user_annotation:
            spent[type_of_kernel(event.key)] += event.self_device_time_total
    return {kind: microseconds / 1e3 / iterations for kind, microseconds in spent.items()}


def count_operations(call: Callable[[], object]) -> Counter[OperationType]:
    """Operations of one eager ``call`` by type, as torch's counter counts them: a multiply-add as 2."""
    on_a_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # which torch has no formula for
    with FlopCounterMode(display=False, custom_mapping={on_a_cpu: _attention_operations}) as counter:
        call()
    counted: Counter[OperationType] = Counter()
    for operator, operations in counter.get_flop_counts().get("Global", {}).items():
        namespace, _, operator_name = str(operator).rpartition(".")
        if namespace == "aten":  # an operator from elsewhere has a window, and is counted as if it had none
            counted[type_of_operator(operator_name)] += operations
    return counted


def _attention_operations(query: torch.Size, key: torch.Size, value: torch.Size, *rest: Any, **named: Any) -> int:
    """What torch's own formula gives for shapes ``[B, heads, N, head_dim]`` and attention kernels on other devices."""
    return int(sdpa_flop_count(query, key, value))


def _values(entrant: Entrant) -> list[Value]:
    conditions, tokenizer = entrant.conditions, entrant.tokenizer
    assert tokenizer is not None
    size = (conditions.height, conditions.width)
    images = entrant.cast(next(noise(conditions.batch, *size, conditions.device)))

    def call() -> None:
        tokenizer.decode(tokenizer.encode(images))

    for _ in range(WARM_UPS):
        call()
    measured = f"profiler|self-time|{conditions.device.partition(':')[0]}|v1"
    values = [
        Value(
            quantity=f"time_{kind}",
            value=milliseconds / conditions.batch,
            unit="ms",
            kind=Kind.MEASURED,
            n=ITERATIONS,
            signature=measured,
        )
        for kind, milliseconds in time_by_type(call, conditions.device).items()
    ]
    if entrant.variant is not None:
        work = vitok_work(entrant.variant, *size, entrant.settings.window)
        for kind in ("linear", "attention"):
            operations = getattr(work.encoder, kind) + getattr(work.decoder, kind)
            values.append(Value(quantity=f"work_{kind}", value=operations / 1e12, unit="TFLOP", kind=Kind.DERIVED))
    if _is_countable(entrant.settings):
        counted = count_operations(call)
        values += [
            Value(
                quantity=f"counted_{kind}",
                value=counted[kind] / conditions.batch / 1e12,
                unit="TFLOP",
                kind=Kind.MEASURED,
                signature="flop-counter|torch|v1",
            )
            for kind in COUNTED
            if counted[kind]
        ]
    return values


def _is_countable(settings: Settings) -> bool:
    """Whether torch's counter sees every operation; where folded, the kernel may turn out to be a compiled one."""
    unseen = (settings.compile, settings.graphs, settings.folded, settings.precision)
    return not any(unseen) and settings.attention != "flex"


@contextmanager
def _compiled_alone(settings: Settings) -> Iterator[None]:
    """Compiled as if in a process of its own, each loop on a CPU with a name: else their time is no operator's."""
    if settings.compile is None:
        yield
        return
    from torch._inductor import config

    with side_by_side(), config.patch({"cpp.enable_kernel_profile": True}):
        yield


def _recorded(entrant: Entrant) -> Record | None:
    """The record that is there, if it is of this machine and this torch."""
    if not entrant.record_path.exists():
        return None
    record = read_record(entrant.record_path)
    assert record.provenance is not None, "a profile is measured"
    there, here = record.provenance.host, describe_host(entrant.conditions.device)
    same = (there.cpu, there.gpu, there.packages.get("torch")) == (here.cpu, here.gpu, here.packages.get("torch"))
    return record if same else None


def _check(resolution: int, sizes: tuple[int, int], batch: int) -> None:
    check_resolution(resolution)
    if min(sizes) < 1 or max(sizes) != resolution:
        raise RequestError(f"resolution (={resolution}) must be the longer side of {sizes[0]} × {sizes[1]} pixels")
    if batch < 1:
        raise RequestError(f"batch (={batch}) must be at least 1 image")


def _command(entrant: Entrant) -> str:
    """A command that measures the same again."""
    contender, conditions = entrant.contender, entrant.conditions
    asked: dict[str, Any] = {"path": contender.path}
    asked |= {name: getattr(conditions, name) for name in ("resolution", "height", "width", "batch")}
    asked |= {name: getattr(conditions, name) for name in ("device", "dtype", "weights", "study")}
    arguments = ", ".join(f"{name}={value!r}" for name, value in {**asked, "options": contender.options}.items())
    call = f"measure_profile({contender.tokenizer!r}, {arguments}, again=True)".replace("'", '"')
    return shlex.join(["python", "-c", f"from vitok_lib.measure.speed.profile import measure_profile; {call}"])
