"""Which machine measured what, a row each, and what nobody has measured of the released models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitok_lib.records.schema import Kind
from vitok_lib.report.data import groups
from vitok_lib.report.data.groups import Machine
from vitok_lib.report.data.measuring_gpus import measuring_gpus
from vitok_lib.report.data.real_models import Answer, latency, peak, quality
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Head, Note, Sentence, Table
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.tables.coverage import in_words
from vitok_lib.tokenizers.registry import RELEASED

say = sentences("summary")


def measured_where(entries: Sequence[Entry]) -> Table:
    """A row a machine and study: its PyTorch, its records, the released models among them, and what was measured."""
    by_machine: dict[Machine, list[Entry]] = {}
    for entry in entries:
        if entry.measured:
            by_machine.setdefault(groups.machine_of(entry), []).append(entry)
    rows: list[list[Sentence]] = []
    for machine, held in by_machine.items():
        host = held[0].record.provenance
        assert host is not None  # it was measured
        device = machine.device if host.host.gpu else f"{machine.device}, {host.host.cores} cores, no GPU"
        models = {entry.record.tokenizer.name for entry in held} & set(RELEASED)
        rows.append(
            [
                (device,),
                (machine.study,),
                (", ".join(_torches(held)) or Note("–"),),
                (f"{len(held):,}",),
                (", ".join(name for name in RELEASED if name in models) or Note("none"),),
                (in_words({entry.record.benchmark for entry in held}),),
            ]
        )
    heads = ("Machine", "Study", "PyTorch", "Records", "Released models", "Measured")
    return Table([[Head(text) for text in heads]], rows, notes=[not_measured(entries)])


def _torches(held: Sequence[Entry]) -> list[str]:
    """The versions of PyTorch that took part, in the order of the records."""
    found = (entry.record.provenance.host.packages.get("torch") for entry in held if entry.record.provenance)
    return list(dict.fromkeys(filter(None, found)))


def not_measured(entries: Sequence[Entry]) -> Sentence:
    """Of how many released models nobody here has measured what the summary shows."""
    gpus = measuring_gpus(entries)
    asked: dict[str, Callable[[str], list[Answer | None]]] = {
        "PSNR at 1024 px": lambda name: [quality(entries, name, "psnr", 1024)],
        "latency at 1024 px": lambda name: [latency(entries, name, 1024, gpu.name) for gpu in gpus],
        "latency at 4096 px": lambda name: [latency(entries, name, 4096, gpu.name) for gpu in gpus],
        "peak memory at 4096 px": lambda name: [peak(entries, name, 4096, gpu.name) for gpu in gpus],
    }
    missing = []
    for what, answers in asked.items():
        count = sum(not any(map(_is_measured, answers(name))) for name in RELEASED)
        missing += [f"{what} for {count}"] if count else []
    return say("not_measured", missing=missing, models=len(RELEASED))


def _is_measured(answer: Answer | None) -> bool:
    return answer is not None and answer.value.kind == Kind.MEASURED
