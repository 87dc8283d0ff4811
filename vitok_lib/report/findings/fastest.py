"""Which released model is fastest on one GPU, one image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from vitok_lib.records.schema import Kind
from vitok_lib.report.data import groups, protocol
from vitok_lib.report.data.formatting import number, rounded
from vitok_lib.report.data.groups import SPEED
from vitok_lib.report.data.model_names import gpu_name, model_name
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.requested import requested
from vitok_lib.report.page.content import Part, Sentence
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.registry import RELEASED

say = sentences("summary")

SIZE = 1024
DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_SHOWN = 4
"""So many models of a ranking are named."""


def fastest(entries: Sequence[Entry]) -> list[Sentence]:
    """Which released model is fastest at :data:`SIZE` on the GPU that measured the most of them, one image at once.

    Each counts whole, with full attention, in its fastest preset: at this size none was published with a window. Where
    these presets are several, the first is also given in the one that was measured of all. Weights do not change a
    latency, so that random ones count.
    """
    by_gpu: dict[str, list[Ranked]] = {}
    for machine, found in groups.by_machine(entries, [SPEED]).items():
        by_gpu.setdefault(machine.device, []).extend(filter(None, map(_timed, found)))
    every = max(by_gpu.values(), key=lambda found: len(_names(found)), default=[])
    if not every:
        return [say("no_latency", size=SIZE)]
    ranking = _fastest_of_each(every)
    first = list(takewhile(lambda candidate: _overlap(ranking[0], candidate), ranking))
    return [
        say(
            "fastest",
            gpu=gpu_name(groups.machine_of(ranking[0].entry).device),
            size=SIZE,
            first=[_in_both_precisions(candidate, every) for candidate in first],
            rest=[_named(candidate) for candidate in ranking[len(first) : _SHOWN]],
            alike=_alike(ranking, every),
            several=len({_preset(candidate) for candidate in ranking}) > 1,
            random=all(groups.random_weights(candidate.entry) for candidate in ranking),
            measured=len(ranking),
            models=len(RELEASED),
        )
    ]


def _timed(entry: Entry) -> Ranked | None:
    """The latency of one image of a released model on a GPU."""
    record, value = entry.record, groups.held(entry, "latency")
    on_gpu = record.provenance is not None and record.provenance.host.gpu is not None
    alone = groups.size(entry) == (SIZE, SIZE) and record.settings.batch in (None, 1)
    asked = alone and groups.is_whole(entry) and record.settings.window is None
    if not (on_gpu and asked and record.tokenizer.name in RELEASED and value and value.kind == Kind.MEASURED):
        return None
    return Ranked(entry, value)


def _names(found: Sequence[Ranked]) -> list[str]:
    return list(dict.fromkeys(candidate.entry.record.tokenizer.name for candidate in found))


def _fastest_of_each(found: Sequence[Ranked]) -> list[Ranked]:
    ordered = protocol.ranked(found, "latency")
    first: dict[str, Ranked] = {}
    for candidate in ordered:
        first.setdefault(candidate.entry.record.tokenizer.name, candidate)
    return list(first.values())


def _overlap(first: Ranked, other: Ranked) -> bool:
    """Whether the intervals of two latencies overlap; without intervals, whether the latencies are equal."""
    if first.value.interval is None or other.value.interval is None:
        return first.value.value == other.value.value
    return other.value.interval.low <= first.value.interval.high


def _named(candidate: Ranked) -> tuple[Part | Sentence, ...]:
    """A model with its latency, and the precision where it is not bf16."""
    precision = _precision(candidate)
    shown = "" if precision == DTYPES["bfloat16"] else f" in {precision}"
    return (_name(candidate), " takes ", _value(candidate), shown)


def _in_both_precisions(candidate: Ranked, every: Sequence[Ranked]) -> tuple[Part | Sentence, ...]:
    """A model with its latency; next to one in fp8, that in bf16 where it was measured."""
    shown: tuple[Part | Sentence, ...] = (
        _name(candidate),
        " takes ",
        _value(candidate),
        f" in {_precision(candidate)}",
    )
    name = candidate.entry.record.tokenizer.name
    own = [other for other in every if other.entry.record.tokenizer.name == name]
    plain = [other for other in own if _precision(other) != _precision(candidate)]
    if not plain:
        return shown
    other = protocol.ranked(plain, "latency")[0]
    return (*shown, " and ", _value(other), f" in {_precision(other)}")


def _alike(ranking: Sequence[Ranked], every: Sequence[Ranked]) -> Sentence | None:
    """The preset that was measured of every model of the ranking, and what the first takes with it; None without one.

    Where several were, the one with which the first is fastest.
    """
    own = {(candidate.entry.record.tokenizer.name, _preset(candidate)): candidate for candidate in reversed(every)}
    first = ranking[0].entry.record.tokenizer.name
    shared = [
        candidate
        for (name, preset), candidate in own.items()
        if name == first and all((other, preset) in own for other in _names(ranking))
    ]
    if not shared:
        return None
    found = protocol.ranked(shared, "latency")[0]
    return (_preset(found), "; with it ", _name(found), " takes ", _value(found))


def _preset(candidate: Ranked) -> str:
    return requested(candidate.entry.record).preset or "reference"


def _precision(candidate: Ranked) -> str:
    settings = candidate.entry.record.settings
    return settings.precision or DTYPES.get(settings.dtype or "", settings.dtype or "an unknown dtype")


def _value(candidate: Ranked) -> Part:
    return rounded(number(candidate.entry, candidate.value), candidate.value, candidate.value.unit)


def _name(candidate: Ranked) -> str:
    return model_name(candidate.entry.record.tokenizer.name)
