"""Which released models encode and decode a large image on a common GPU, whole or only in tiles."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.cost.gpus import Gpu
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.formatting import rounded
from vitok_lib.report.data.measuring_gpus import measuring_gpus
from vitok_lib.report.data.model_names import gpu_name, model_name
from vitok_lib.report.data.real_models import Answer, configurations, held_in, peak
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.requested import requested
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.templates import listed, sentences
from vitok_lib.tokenizers.registry import RELEASED, find

say = sentences("summary")

LARGE, MEMORY_GB = 4096, 24
"""The side of an image in pixels, and the memory of the GPU that it should fit on, in 10⁹ bytes."""


def what_fits(entries: Sequence[Entry]) -> list[Sentence]:
    """Which released models encode and decode :data:`LARGE` px within :data:`MEMORY_GB`, whole or only in tiles.

    Named are the one that needs most, and each that was measured. Peaks that nobody measured are predictions.
    """
    gpu = measuring_gpus(entries)[0]
    known = {name: held for name in RELEASED if (held := configurations(entries, name, LARGE))}
    about = {"size": LARGE, "memory": MEMORY_GB}
    if not known:
        return [say("no_prediction", **about)]
    whole = {name: _fitting(entries, held, gpu, tiled=False) for name, held in known.items()}
    tiled = [name for name, held in known.items() if _fitting(entries, held, gpu, tiled=True)]
    peaks = [_peak(entries, used, gpu) for used in whole.values() if used]
    most = max(peaks, key=lambda found: found.value.value, default=None)
    vitoks, others = ([name for name in known if (find(name).family == "vitok") is of_it] for of_it in (True, False))
    return [
        say(
            "what_fits",
            whole=[
                _of(sum(whole[name] is not None for name in names), len(names), noun)
                for noun, names in (("ViToks", vitoks), ("auto-encoders", others))
                if names
            ],
            tiled=_of(len(tiled), len(others), "auto-encoders") if others else None,
            most=most and _needed(most),
            level=most and ("measured" if most.value.kind == Kind.MEASURED else "predicted"),
            measured=_measured_peaks(entries, gpu),
            gpu=gpu_name(gpu.name),
            unknown=[name for name in RELEASED if name not in known],
            **about,
        )
    ]


def _fitting(entries: Sequence[Entry], known: Sequence[Entry], gpu: Gpu, *, tiled: bool) -> Entry | None:
    """The first of the configurations that fits, of those in tiles or of those that take the image as a whole."""
    return held_in(entries, [used for used in known if requested(used.record).tiling is tiled], gpu, MEMORY_GB)


def _of(count: int, every: int, noun: str) -> str:
    """A count in words: "all 9 ViToks", "none of the 7 auto-encoders", "3 of the 7 auto-encoders"."""
    return f"all {every} {noun}" if count == every else f"{count or 'none'} of the {every} {noun}"


def _peak(entries: Sequence[Entry], used: Entry, gpu: Gpu) -> Answer:
    found = peak(entries, used.record.tokenizer.name, LARGE, gpu.name, configuration=used)
    assert found is not None  # the configuration holds a prediction
    return found


def _needed(found: Answer) -> Sentence:
    return (model_name(found.entry.record.tokenizer.name), " needs ", _value(found))


def _value(found: Answer) -> Number:
    return rounded(found.number(), found.value, found.value.unit)


def _measured_peaks(entries: Sequence[Entry], gpu: Gpu) -> list[Sentence]:
    """Each model whose peak was measured: its name, and its peak as a whole and in tiles."""
    found: list[Sentence] = []
    for name in RELEASED:
        peaks = [_peak(entries, used, gpu) for used in configurations(entries, name, LARGE)]
        parts = [
            (_value(one), " in tiles" if requested(one.entry.record).tiling else " as a whole")
            for one in peaks
            if one.value.kind == Kind.MEASURED
        ]
        if parts:
            found.append((model_name(name), " needs ", *listed(parts)))
    return found
