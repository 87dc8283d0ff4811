"""How fast tokenizers are, side by side: one run times all of them in turn, round by round, on one machine.

Two speeds compare where they come from one run. What a contender ends in, an error or no memory, is its own record.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import check_resolution
from vitok_lib.images.sets import ImageSet, open_image_set
from vitok_lib.measure.speed.compile_stats import side_by_side
from vitok_lib.measure.speed.interleaved import Effort, Told, race
from vitok_lib.measure.speed.peak_rates import measure_peak_rates
from vitok_lib.measure.speed.pipeline import chain_signature
from vitok_lib.measure.speed.results import precision_of, ratio_to, speed_values
from vitok_lib.measure.speed.state import Conditions, Contender, Entrant, drop
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.provenance import describe_host, provenance
from vitok_lib.records.schema import Host, Outcome, OutcomeStatus, Provenance, Record
from vitok_lib.records.store import LOCAL, atomic, check_writable, read_record, write_record

__all__ = ["Contender", "measure_speed"]

BENCHMARK, SECONDS, ITERATIONS = "speed", 2.0, 10
UNCOMPARED = "timed whole; the run ended before what was to follow, so that errors are missing"
"""Of a record that is written when the rounds are done, and written again when the rest is."""


def measure_speed(
    contenders: Sequence[Contender],
    *,
    resolution: int,
    height: int | None = None,
    width: int | None = None,
    batch: int = 1,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str = "released",
    seconds: float = SECONDS,
    iterations: int = ITERATIONS,
    benchmark: str = BENCHMARK,
    study: str = LOCAL,
    end_to_end: bool = False,
    image_set: str | Path | ImageSet | None = None,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    again: bool = False,
    progress: Told | None = None,
) -> list[Record]:
    """Time ``contenders`` against each other on random images and keep a record of each; the first is the reference.

    Weights and images are on the device. Each is compiled and warmed up until it is steady, then all encode and decode
    in turn, round by round, the same fresh images in a round. What the machine reaches, how far each path is from the
    exact one, and what the way from a file to a metric takes, is measured in the same run. What does not fit beside
    the others is tried once more alone. Records are written when the rounds are done, and again when all is, so that
    a run that is stopped keeps its timings. A run whose records are all there, from this machine and this torch, is
    not done again.

    Args:
        resolution: the longest side of the images in pixels.
        height, width: of the images; None: ``resolution``. A contender with a size of its own has images of that size
            and a record among those of that resolution.
        batch: images that go through together; latencies are those of one image.
        dtype, weights: of every contender that has none of its own in its options.
        seconds, iterations: each contender is timed for at least so long and so many rounds.
        benchmark: the name that the records go by.
        study: the folder of ``results`` that they go to.
        end_to_end: take images of ``image_set`` from the file to the metric too.
        notebook, parameters: the notebook that asks, for the provenance.
        again: measure even though the records are there.
        progress: called with a few words about what is done now.

    Returns:
        The records in the order of the contenders.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    sizes = (resolution if height is None else height, resolution if width is None else width)
    _check(contenders, resolution, sizes, batch, seconds, iterations)
    if end_to_end and image_set is None:
        raise RequestError("end to end starts from the files of an image set; name one")
    images = None
    if end_to_end and image_set is not None:
        images = open_image_set(image_set) if isinstance(image_set, str | Path) else image_set
    conditions = Conditions(benchmark, study, resolution, *sizes, batch, device, dtype, weights)
    entrants = [Entrant(contender, conditions) for contender in contenders]
    started = datetime.now(UTC)
    for entrant in entrants:
        entrant.load()
    _check_places(entrants)
    recorded = None if again else _recorded(entrants, images)
    if recorded is not None:
        drop(entrants)
        return recorded

    check_writable(entrants[0].record_path)  # a run may take long, and ends with nothing where it cannot be kept
    told = progress or (lambda words: None)
    effort = Effort(seconds, iterations)
    told("measuring the machine's peak rates")
    taken = {(precision_of(entrant.settings), entrant.settings.dtype) for entrant in entrants}
    precisions = {precision for both in taken if both[0] for precision in both} - {None}
    rates = measure_peak_rates(sorted(name for name in precisions if name), Clock(device), seconds / 2, iterations)
    command = _command(contenders, conditions, effort, images)

    def keep(entrant: Entrant) -> Record:
        origin = provenance(command, notebook, parameters or {}, started, device)
        return _write(entrant, rates, origin)

    with side_by_side():
        return _measure(entrants, effort, images, told, keep)


def _measure(
    entrants: list[Entrant],
    effort: Effort,
    images: ImageSet | None,
    told: Told,
    keep: Callable[[Entrant], Record],
) -> list[Record]:
    """All together, and then alone whichever did not fit beside the others; a record of each."""
    for entrant in entrants:
        entrant.opponent = _opponent(entrant, entrants)
    race(entrants, effort, images, told, keep)
    records: list[Record | None] = []
    for entrant in entrants:
        crowded = len(entrants) > 1 and entrant.outcome.status is OutcomeStatus.OOM
        records.append(None if crowded else keep(entrant))

    def again(entrant: Entrant) -> Record:
        alone = Entrant(entrant.contender, entrant.conditions)
        alone.load()
        race([alone], effort, images, told, keep)
        return keep(alone)

    return [record or again(entrant) for entrant, record in zip(entrants, records, strict=True)]


def _check(
    contenders: Sequence[Contender],
    resolution: int,
    sizes: tuple[int, int],
    batch: int,
    seconds: float,
    iterations: int,
) -> None:
    check_resolution(resolution)
    if not contenders:
        raise RequestError("nothing to measure: name at least one contender")
    if min(sizes) < 1 or max(sizes) != resolution:
        raise RequestError(f"resolution (={resolution}) must be the longer side of {sizes[0]} × {sizes[1]} pixels")
    if batch < 1:
        raise RequestError(f"batch (={batch}) must be at least 1 image")
    if iterations < 1:
        raise RequestError(f"iterations (={iterations}) must be at least 1 round")
    if not 0 <= seconds < math.inf:
        raise RequestError(f"seconds (={seconds}) must be 0 or more, and finite")


def _check_places(entrants: Sequence[Entrant]) -> None:
    places = [entrant.record_path for entrant in entrants]
    for entrant, place in zip(entrants, places, strict=True):
        if places.count(place) > 1:
            raise RequestError(f"two contenders have one record, '{place.name}'; tell {entrant} apart by an option")


def _opponent(entrant: Entrant, entrants: Sequence[Entrant]) -> Entrant:
    """Of one with a size of its own that which differs in the size alone, where there is one; else the first."""
    if entrant.contender.size is not None:
        at_the_size_of_all = replace(entrant.contender, size=None, label=None)
        for other in entrants:
            if replace(other.contender, label=None) == at_the_size_of_all:
                return other
    return entrants[0]


def _recorded(entrants: Sequence[Entrant], images: ImageSet | None) -> list[Record] | None:
    """The records of the whole run, if all are there and whole, of this tokenizer, these settings and this machine."""
    host = describe_host(entrants[0].conditions.device)
    records = []
    for entrant in entrants:
        if not entrant.record_path.exists():
            return None
        record = read_record(entrant.record_path)
        asked = (entrant.spec.identity(entrant.weights), entrant.settings, entrant.conditions.images)
        if (record.tokenizer, record.settings, record.images) != asked or record.provenance is None:
            return None
        if not _same_machine(record.provenance.host, host):
            return None
        quantity, signature = ratio_to(_opponent(entrant, entrants), entrant)
        ratio, chain = record.value(quantity), record.value("end_to_end_latency")
        if record.outcome.detail == UNCOMPARED or (ratio is not None and ratio.signature != signature):
            return None
        chained = chain.signature if chain is not None else None
        wanted = chain_signature(images, entrant.conditions.batch) if images is not None else chained
        if chained != wanted and record.outcome.status is OutcomeStatus.OK:
            return None
        records.append(record)
    return records


def _same_machine(one: Host, other: Host) -> bool:
    return (one.cpu, one.gpu, one.packages.get("torch")) == (other.cpu, other.gpu, other.packages.get("torch"))


def _write(entrant: Entrant, rates: Mapping[str, float], origin: Provenance) -> Record:
    conditions, path, outcome = entrant.conditions, entrant.record_path, entrant.outcome
    if entrant.running and outcome.status is OutcomeStatus.OK:
        outcome = Outcome(detail=UNCOMPARED)
    samples = path.with_suffix(".parquet") if entrant.samples else None
    record = Record(
        benchmark=conditions.benchmark,
        resolution=conditions.resolution,
        tokenizer=entrant.spec.identity(entrant.weights),
        images=conditions.images,
        settings=entrant.settings,
        outcome=outcome,
        values=(*speed_values(entrant, rates), *entrant.values),
        choices=entrant.choices,
        samples=samples.name if samples else None,
        provenance=origin,
    )
    if samples is not None:
        columns = ["round", "stage", "milliseconds", "clock_mhz"]
        rows = [(sample.number, sample.stage, sample.milliseconds, sample.clock_mhz) for sample in entrant.samples]
        table = pd.DataFrame(rows, columns=columns).astype({"clock_mhz": "float64"})
        with atomic(samples) as temporary:
            table.to_parquet(temporary, index=False)
    write_record(record, path)
    return record


def _command(contenders: Sequence[Contender], conditions: Conditions, effort: Effort, images: ImageSet | None) -> str:
    """The command that measures the same again: one of the command line, or of Python where that cannot say it."""
    tokenizers = list(dict.fromkeys(contender.tokenizer for contender in contenders))
    paths = list(dict.fromkeys(contender.path for contender in contenders))
    shared = dict(contenders[0].options)
    as_product = [Contender(name, path, shared) for name in tokenizers for path in paths]
    source = None if images is None else getattr(images, "opened_as", None) or images.name
    size = {"height": conditions.height, "width": conditions.width}
    asked = {
        "resolution": conditions.resolution,
        "batch": conditions.batch if conditions.batch != 1 else None,
        "dtype": conditions.dtype if conditions.dtype != "float32" else None,
        "device": conditions.device if conditions.device != "cpu" else None,
        "weights": conditions.weights if conditions.weights != "released" else None,
        "seconds": effort.seconds if effort.seconds != SECONDS else None,
        "iterations": effort.iterations if effort.iterations != ITERATIONS else None,
        "study": conditions.study if conditions.study != LOCAL else None,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    square = conditions.height == conditions.width
    unlabelled = [replace(contender, label=None) for contender in contenders]
    if conditions.benchmark == BENCHMARK and set(shared) <= {"window"} and unlabelled == as_product:
        given |= {"path": ",".join(paths), **shared}
        given |= {} if square else {"size": f"{conditions.height}x{conditions.width}"}
        given |= {} if source is None else {"images": source}
        options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        return shlex.join(["vitok", "speed", *tokenizers, *options])
    given |= {} if square else size
    given |= {} if source is None else {"end_to_end": True, "image_set": source}
    given |= {} if conditions.benchmark == BENCHMARK else {"benchmark": conditions.benchmark}
    listed = ", ".join(_in_python(contender) for contender in contenders)
    named = ", ".join(f"{name}={value!r}" for name, value in given.items())
    call = f"measure_speed([{listed}], {named})"
    return shlex.join(["python", "-c", f"from vitok_lib.measure.speed.benchmark import *; {call}"])


def _in_python(contender: Contender) -> str:
    size = "" if contender.size is None else f", size={contender.size!r}"
    return f"Contender({contender.tokenizer!r}, {contender.path!r}, {dict(contender.options)!r}{size})"
