"""The models that people choose between, and the best that is known of each: measured, else published or derived.

``real_models`` lists them. ``quality``, ``latency`` and ``peak`` answer with one value, which says where it comes from;
None where nothing is known. Nothing is ranked here: two answers may rest on two protocols.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitok_lib.cost.fits import FITS, GIB, SIZES_GB, configuration_text, predicted
from vitok_lib.cost.gpus import Gpu, find_gpu
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, OutcomeStatus, Value
from vitok_lib.report.data import groups
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.requested import IMPLIED, requested
from vitok_lib.report.page.content import Number
from vitok_lib.tokenizers.registry import RELEASED, describe, find

_OF_THE_RUN = ("weights", "revision", "seed")
"""Options that change neither time nor memory."""


@dataclass(frozen=True)
class RealModel:
    """``stride`` in pixels a side of a latent position; ``ratio``: pixel values in for each latent value out.

    ``parameters`` is None where no prediction is on record; ``gated``: the weights, at ``link``, need a token.
    """

    name: str
    stride: int
    channels: int
    ratio: float
    parameters: int | None
    gated: bool
    link: str


@dataclass(frozen=True)
class Answer:
    """A value, the record that it is in or follows from, and the configuration in words.

    ``value.kind`` is the evidence level. ``how`` says how a derived value comes about, and is empty otherwise.
    """

    value: Value
    entry: Entry
    configuration: str
    how: str = ""

    def number(self, *, unit: bool = False) -> Number:
        """The value in print, whose tip names the configuration."""
        shown = number(self.entry, self.value, unit=unit)
        return replace(shown, tip=" · ".join(filter(None, (shown.tip, self.how, self.configuration))))


def real_models(entries: Sequence[Entry]) -> list[RealModel]:
    """The released models: ViToks, then the auto-encoders, each in the order of the registry."""
    parameters = {
        entry.record.tokenizer.name: entry.record.tokenizer.parameters for entry in entries if _is_fits(entry)
    }
    found = []
    for name in RELEASED:
        spec, source = describe(name), find(name)
        assert spec.downsampling is not None
        assert spec.latent_channels is not None
        assert spec.compression_ratio is not None
        count = spec.parameters or parameters.get(name)
        link = f"https://huggingface.co/{source.repository}"
        sizes = (spec.downsampling, spec.latent_channels, spec.compression_ratio)
        found.append(RealModel(name, *sizes, count, source.gated, link))
    return found


def quality(
    entries: Sequence[Entry], name: str, quantity: str, resolution: int, benchmark: str = "div8k"
) -> Answer | None:
    """``quantity`` of the model on the image set ``benchmark``: measured with its own weights, else published.

    Of several measurements that with the fewest settings; of several sources the one that gives ``quantity`` of most
    released models, so that a column has one source where it can. Estimates never count.
    """
    held = [
        entry
        for entry in entries
        if (entry.record.benchmark, entry.record.resolution) == (benchmark, resolution)
        and entry.record.outcome.status == OutcomeStatus.OK
        and (value := entry.record.value(quantity)) is not None
        and value.kind != Kind.ESTIMATED
    ]
    of_it = [entry for entry in held if entry.record.tokenizer.name == name]
    measured = [
        entry for entry in of_it if entry.measured and not groups.random_weights(entry) and groups.is_whole(entry)
    ]
    if measured:
        found = min(measured, key=settings_asked)
        return Answer(found.value(quantity), found, _text(found))
    covered = Counter(entry.origin for entry in held if entry.published and entry.record.tokenizer.name in RELEASED)
    published = [entry for entry in of_it if entry.published]
    if not published:
        return None
    found = min(
        published, key=lambda entry: (entry.record.settings.window is not None, -covered[entry.origin], entry.origin)
    )
    return Answer(found.value(quantity), found, _text(found))


def settings_asked(entry: Entry) -> int:
    """How many settings were asked for that change what a model gives or takes; the fewest are the model as it is."""
    return len(_alone(entry))


def configurations(entries: Sequence[Entry], name: str, resolution: int) -> list[Entry]:
    """The records of the predictions of a model, a configuration each, the one to use first.

    A ViTok with the window that it was published with comes before full attention, untiled before in tiles.
    """
    held = [
        entry
        for entry in entries
        if _is_fits(entry)
        and (entry.record.tokenizer.name, entry.record.resolution) == (name, resolution)
        and set(requested(entry.record).options) <= {"device", "dtype", "window", "tiling"}
        and not isinstance(requested(entry.record).window, str)  # of rows and columns, which none was published with
    ]
    return sorted(held, key=lambda entry: (requested(entry.record).window is None, requested(entry.record).tiling))


def latency(
    entries: Sequence[Entry],
    name: str,
    resolution: int,
    gpu: str,
    *,
    configuration: Entry | None = None,
    precision: str | None = None,
) -> Answer | None:
    """Milliseconds to encode and decode one square image on ``gpu`` in bf16, or ``precision`` ``"fp8"``.

    Measured at batch 1, with the fastest preset; else the least time that the FLOPs and bytes of a prediction take at
    the peaks of the data sheet. The ``configuration`` is one of :func:`configurations`; None: measured any of them,
    derived the first that fits on the GPU.

    Raises:
        RequestError: the GPU is not known, or has no fp8 units.
    """
    where, known = find_gpu(gpu), configurations(entries, name, resolution)
    wanted = [_alone(entry) for entry in ([configuration] if configuration else known)]
    measured = [
        entry
        for entry in _on(entries, name, where)
        if groups.held(entry, "latency")
        and groups.size(entry) == (resolution, resolution)
        and entry.record.settings.precision == precision
        and _options(requested(entry.record), "preset", *IMPLIED) in wanted
    ]
    if measured:
        fastest = min(measured, key=lambda entry: entry.value("latency").value)
        return Answer(fastest.value("latency"), fastest, _text(fastest))
    used = configuration or _first_that_fits(entries, known, where)
    if used is None:
        return None
    milliseconds = predicted(used.record).least_seconds(where, precision) * 1e3
    how = f"least time at the peaks of the data sheet of {where.name}" + (f" in {precision}" if precision else "")
    return Answer(Value(quantity="latency", value=milliseconds, unit="ms", kind=Kind.DERIVED), used, _text(used), how)


def peak(
    entries: Sequence[Entry], name: str, resolution: int, gpu: str, *, configuration: Entry | None = None
) -> Answer | None:
    """GiB that encoding and decoding one square image takes in bf16: measured on ``gpu``, else predicted,
    with its margin.

    The ``configuration`` is one of :func:`configurations`; None: the first that fits on the GPU.

    Raises:
        RequestError: the GPU is not known.
    """
    where = find_gpu(gpu)
    used = configuration or _first_that_fits(entries, configurations(entries, name, resolution), where)
    return None if used is None else _peak(entries, used, where)


def smallest_fit(entries: Sequence[Entry], name: str, resolution: int, gpu: str) -> tuple[int, Entry] | None:
    """The smallest of common memory sizes in GB that holds the model, and the first configuration that it holds.

    A peak that was measured on ``gpu`` counts for every size. None where none is large enough, or nothing is known.
    """
    known, where = configurations(entries, name, resolution), find_gpu(gpu)
    fitting = ((size, held_in(entries, known, where, size)) for size in SIZES_GB)
    return next(((size, used) for size, used in fitting if used is not None), None)


def held_in(entries: Sequence[Entry], known: Sequence[Entry], gpu: Gpu, size: int) -> Entry | None:
    """The first of the configurations ``known`` whose peak is within ``size`` · 10⁹ bytes; None where none is.

    One that ran out of memory on ``gpu`` is held by larger memory alone, whatever was predicted.
    """

    def holds(used: Entry) -> bool:
        ran_out = any(entry.record.outcome.status == OutcomeStatus.OOM for entry in _same(entries, used, gpu))
        return not (ran_out and size <= gpu.memory_gb) and _peak(entries, used, gpu).value.value * GIB <= size * 10**9

    return next(filter(holds, known), None)


def _first_that_fits(entries: Sequence[Entry], known: Sequence[Entry], gpu: Gpu) -> Entry | None:
    """The first of ``known`` where none fits; None where there is none."""
    return held_in(entries, known, gpu, gpu.memory_gb) or (known[0] if known else None)


def _peak(entries: Sequence[Entry], used: Entry, gpu: Gpu) -> Answer:
    for entry in _same(entries, used, gpu):
        if groups.held(entry, "model_peak"):
            return Answer(entry.value("model_peak"), entry, _text(entry))
    return Answer(used.value("peak_with_margin"), used, _text(used), "predicted, with a margin")


def _same(entries: Sequence[Entry], used: Entry, gpu: Gpu) -> list[Entry]:
    """What ran on ``gpu`` at the size and in the very configuration of the prediction ``used``."""
    return [
        entry
        for entry in _on(entries, used.record.tokenizer.name, gpu)
        if entry.record.resolution == used.record.resolution and _alone(entry) == _alone(used)
    ]


def _on(entries: Sequence[Entry], name: str, gpu: Gpu) -> list[Entry]:
    """What ran on ``gpu`` in bf16 with one image at a time, and with all of its memory."""
    return [
        entry
        for entry in entries
        if entry.record.tokenizer.name == name
        and entry.measured
        and entry.record.settings.memory_limit_gib is None
        and entry.record.provenance is not None
        and gpu.is_called(entry.record.provenance.host.gpu or "")
        and (entry.record.settings.dtype, entry.record.settings.batch or 1) == ("bfloat16", 1)
    ]


def _is_fits(entry: Entry) -> bool:
    return entry.record.benchmark == FITS


def _alone(entry: Entry) -> dict[str, object]:
    return _options(requested(entry.record))


def _options(config: RunConfig, *left_out: str) -> dict[str, object]:
    return {name: value for name, value in config.options.items() if name not in (*_OF_THE_RUN, *left_out)}


def _text(entry: Entry) -> str:
    """The configuration of a record in words; a source may not state it."""
    record = entry.record
    if entry.published:
        window = record.settings.window
        return "configuration not stated" if window is None else f"window {window}"
    config = requested(record)
    config = config.replace(weights=RunConfig.model_fields["weights"].default, revision=None, seed=0)
    random = ", random weights" if groups.random_weights(entry) else ""
    return configuration_text(record.tokenizer.family, config) + random
