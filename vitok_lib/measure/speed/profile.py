"""Where the time of a tokenizer goes, by type of operation, as torch's profiler sees it, next to the FLOPs counted.

On a CPU the time of an operator is what it takes itself, without the operators that it calls; on CUDA it is what its
kernels take, and the time that the GPU waits is nobody's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Unpack

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.common.reuse import answer
from vitok_lib.measure.speed.compile_stats import side_by_side
from vitok_lib.measure.speed.op_types import TYPES, OperationType, type_of_kernel, type_of_operator
from vitok_lib.measure.speed.state import BenchmarkState, size_of
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Record, Settings, Value
from vitok_lib.records.store import write_record
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded

BENCHMARK = "profile"
WARM_UPS, ITERATIONS = 2, 3
LONG = 2.0
"""Seconds of a call from which on it is profiled once: its kernels take so long that they repeat to a percent."""
LEAST_SHARE = 0.005
"""Of the time of all kernels: what takes less is no value of its own."""
COUNTED: tuple[OperationType, ...] = ("linear", "attention", "convolution")


def measure_profile(
    config: RunConfig,
    *,
    resolution: int,
    height: int | None = None,
    width: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Profile encoding and decoding of random images with ``config`` and keep the record, or answer from one.

    Times are of one image: ``time_linear`` and so on for each type, which together are all that the profiler saw, and
    on CUDA ``time:…`` for each kernel of some weight.
    ``work_…`` are a ViTok's FLOPs by formula, ``counted_…`` those that torch's counter finds in a real run of the same
    model; it follows only eager runs, and of a kernel with a window of its own it does not know the window, so that
    these have no count. Running out of memory or failing is an outcome, recorded and returned.

    Args:
        resolution: the longest side of the images in pixels.
        height, width: of the images; None: ``resolution``.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    own, started = Context(**context), datetime.now(UTC)
    state = BenchmarkState(config, *size_of(resolution, height, width), BENCHMARK, own.study)
    values: list[Value] = []
    with _compiled_alone(state.settings):
        state.load()
        recorded = answer(state.record_path, state.asked, own)
        if recorded is not None:
            state.drop()
            return recorded
        if state.running:
            with state.trying():
                values = _values(state)
        state.drop()
    request = {"resolution": resolution, "height": height, "width": width, "study": own.study}
    record = Record(
        benchmark=BENCHMARK,
        resolution=resolution,
        tokenizer=state.spec.identity(state.weights),
        images=state.images,
        requested=state.config,
        settings=state.settings,
        outcome=state.outcome,
        values=tuple(values),
        choices=state.choices,
        provenance=own.provenance(
            command(Measurement("measure_profile", (state.config,), request)), started, state.device
        ),
    )
    write_record(record, state.record_path)
    return record


def time_by_name(call: Callable[[], object], device: str, iterations: int = ITERATIONS) -> dict[str, float]:
    """Milliseconds of one ``call`` by operator, or by kernel on CUDA, the mean of ``iterations``."""
    on_gpu = torch.device(device).type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        for _ in range(iterations):
            call()
        if on_gpu:
            torch.cuda.synchronize(device)
    spent: Counter[str] = Counter()  # microseconds
    for event in profiler.key_averages():
        if not on_gpu:
            spent[event.key] += event.self_cpu_time_total
        elif event.device_type.name == "CUDA" and not event.is_user_annotation:
            spent[event.key] += event.self_device_time_total
    return {name: microseconds / 1e3 / iterations for name, microseconds in spent.items()}


def time_by_type(by_name: Mapping[str, float], device: str) -> dict[OperationType, float]:
    """Milliseconds by type of operation, whose sum is that of ``by_name``, of :func:`time_by_name`."""
    spent = dict.fromkeys(TYPES, 0.0)
    for name, milliseconds in by_name.items():
        on_gpu = torch.device(device).type == "cuda"
        spent[type_of_kernel(name) if on_gpu else type_of_operator(name)] += milliseconds
    return spent


def times(by_name: Mapping[str, float], device: str) -> dict[str, float]:
    """What a record keeps of :func:`time_by_name`: each type of operation, and on CUDA each kernel of some weight."""
    spent: dict[str, float] = {f"time_{kind}": taken for kind, taken in time_by_type(by_name, device).items()}
    if torch.device(device).type == "cuda":
        least = LEAST_SHARE * sum(by_name.values())
        spent |= {f"time:{name}": taken for name, taken in by_name.items() if taken >= least}
    return spent


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


def _values(state: BenchmarkState) -> list[Value]:
    tokenizer, batch = state.tokenizer, state.config.batch
    assert tokenizer is not None
    images = state.cast(next(noise(*state.batch, state.device)))

    def call() -> None:
        tokenizer.decode(tokenizer.encode(images))

    for _ in range(WARM_UPS):
        began = time.perf_counter()
        check_finite(decoded(tokenizer, encoded(tokenizer, images), images.shape))  # which waits for a GPU
    iterations = 1 if time.perf_counter() - began > LONG else ITERATIONS
    by_name = time_by_name(call, state.device, iterations)
    measured = f"profiler|self-time|{state.device.partition(':')[0]}|v1"
    values = [
        Value(
            quantity=quantity,
            value=milliseconds / batch,
            unit="ms",
            kind=Kind.MEASURED,
            n=iterations,
            signature=measured,
        )
        for quantity, milliseconds in times(by_name, state.device).items()
    ]
    if (work := state.work) is not None:
        for kind in ("linear", "attention"):
            operations = getattr(work.encoder, kind) + getattr(work.decoder, kind)
            values.append(Value(quantity=f"work_{kind}", value=operations / 1e12, unit="TFLOP", kind=Kind.DERIVED))
    if _is_countable(state.settings):
        counted = count_operations(call)
        values += [
            Value(
                quantity=f"counted_{kind}",
                value=counted[kind] / batch / 1e12,
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
    return not any(unseen) and not (settings.attention or "").startswith("flex")


@contextmanager
def _compiled_alone(settings: Settings) -> Iterator[None]:
    """Compiled as if in a process of its own, each loop on a CPU with a name: else their time is no operator's."""
    if settings.compile is None:
        yield
        return
    from torch._inductor import config

    with side_by_side(), config.patch({"cpp.enable_kernel_profile": True}):
        yield
