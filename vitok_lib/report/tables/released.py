"""The table of released models: what each is, how well it reconstructs, what it costs on a GPU, and its licence.

A column of quality holds values of several protocols. Those of the protocol that most models share sort as numbers;
every other value is marked and stays apart, so that no order of the rows ranks across protocols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vitok_lib.cost.gpus import Gpu
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.formatting import number, rounded
from vitok_lib.report.data.measuring_gpus import measuring_gpus
from vitok_lib.report.data.model_names import gpu_name
from vitok_lib.report.data.protocol import Protocol, protocol
from vitok_lib.report.data.real_models import Answer, RealModel, latency, peak, real_models
from vitok_lib.report.data.real_models import quality as best_known
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.data.requested import requested
from vitok_lib.report.page.content import NOT_MEASURED, Head, Note, Number, Sentence, Table, WebLink
from vitok_lib.report.page.labels import digits, label, three_digits
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.licences import LICENCES
from vitok_lib.tokenizers.registry import RELEASED, find

say = sentences("summary")

QUALITIES = {"psnr": "dB", "fid": ""}
YARDSTICKS = ("jpeg:q=75", "avif:q=60")
YARDSTICK_SET = "wallpapers"
"""Photographs of sizes like DIV8K's that anybody has, on which a codec gives a scale."""
OTHER_PROTOCOL = "‡"
BITS = 24
"""Of a pixel before compression."""
SIZES = (1024, 4096)
FACTS = ("Model", "Stride", "Channels", "In : out", "Parameters")
COSTS = (*(f"ms at {size} px" for size in SIZES), f"GiB at {SIZES[-1]} px")


def released_table(entries: Sequence[Entry]) -> Table:
    """A row a released model, by compression and then by name, and then the codecs."""
    columns = {quantity: _column(entries, quantity) for quantity in QUALITIES}
    models = sorted(real_models(entries), key=lambda model: (model.ratio, natural(model.name)))
    gpus = measuring_gpus(entries)
    rows = [_model(model, entries, columns, gpus) for model in models]
    rows += [_codec(name, entries, len(gpus)) for name in YARDSTICKS]
    quality = Head(f"DIV8K, {SIZES[0]} px", len(QUALITIES))
    costs = [Head(gpu_name(gpu.name), len(COSTS)) for gpu in gpus]
    names = [*FACTS, *(label(*named) for named in QUALITIES.items()), *COSTS * len(gpus), "Licence"]
    heads = [[Head("", len(FACTS)), quality, *costs, Head("")], [Head(name) for name in names]]
    return Table(heads, rows, notes=[say("released_order"), say("released_marks", codecs=YARDSTICK_SET)])


@dataclass(frozen=True)
class Column:
    """What is known of one quantity by model; ``comparable`` are the models whose values share one protocol."""

    answers: Mapping[str, Answer]
    comparable: frozenset[str]


def _column(entries: Sequence[Entry], quantity: str) -> Column:
    answers = {name: answer for name in RELEASED if (answer := best_known(entries, name, quantity, SIZES[0]))}
    by_protocol: dict[Protocol, set[str]] = {}
    for name, answer in answers.items():
        by_protocol.setdefault(protocol(answer.entry, answer.value), set()).add(name)
    most = max(by_protocol.values(), key=lambda names: len(names), default=set())
    return Column(answers, frozenset(most))


def _model(
    model: RealModel, entries: Sequence[Entry], columns: Mapping[str, Column], gpus: Sequence[Gpu]
) -> list[Sentence]:
    entry = find(model.name)
    source = (Note(f" {entry.source.partition(',')[0]}"),) if entry.family == "kl" else ()
    # Facts of the architecture have no mark: a reader takes no size for a measurement.
    return [
        (WebLink(model.name, model.link), *source),
        (str(model.stride),),
        (str(model.channels),),
        (f"{digits('ratio', model.ratio)} : 1",),
        (_millions(model.parameters) if model.parameters else Note("–"),),
        *(_quality(model.name, column) for column in columns.values()),
        *(cell for gpu in gpus for cell in _costs(entries, model.name, gpu)),
        licence(entry.repository or "", model.gated),
    ]


def _millions(count: int) -> str:
    """Always in millions, so that a column sorts."""
    return f"{_three_digits(count / 1e6)} M"


def _three_digits(value: float) -> str:
    """A number to three significant digits, without a comma, so that a column sorts."""
    return three_digits(value).replace(",", "")


def _costs(entries: Sequence[Entry], name: str, gpu: Gpu) -> list[Sentence]:
    """The latency at each of :data:`SIZES` and the peak at the largest."""
    found = [*(latency(entries, name, size, gpu.name) for size in SIZES), peak(entries, name, SIZES[-1], gpu.name)]
    return [_cost(answer) if answer else (Note(NOT_MEASURED),) for answer in found]


def _cost(answer: Answer) -> Sentence:
    """A derived time is a lower bound, shown as one and not sorted among measured times."""
    shown = rounded(answer.number(), answer.value)
    if answer.value.kind == Kind.DERIVED:
        value = _three_digits(answer.value.value)
        shown = replace(shown, text=f"≥ {value}" if answer.value.quantity == "latency" else value)
    return (shown, *((Note(" tiled"),) if requested(answer.entry.record).tiling else ()))


def _quality(name: str, column: Column) -> Sentence:
    if name not in column.answers:
        return (Note(NOT_MEASURED),)
    shown = column.answers[name].number().without_interval
    return (shown if name in column.comparable else _apart(shown),)


def _apart(shown: Number) -> Number:
    """A value of another protocol, marked in front: it is no number to sort by."""
    return replace(shown, text=f"{OTHER_PROTOCOL} {shown.text}")


def licence(repository: str, gated: bool) -> Sentence:
    """The licence of a repository on the hub where it was read, and whether its weights need a token."""
    held = LICENCES.get(repository)
    gate = (Note(", gated"),) if gated else ()
    if held is None:
        return (Note("not checked"), *gate)
    return (WebLink(held.name, held.address), *gate)


def _codec(name: str, entries: Sequence[Entry], gpus: int) -> list[Sentence]:
    """A codec as it was measured on :data:`YARDSTICK_SET`; its compression is one of bits."""
    case = f"{YARDSTICK_SET}-{SIZES[0]}"
    held = (entry for entry in entries if (entry.case, entry.record.tokenizer.name) == (case, name) and entry.measured)
    entry = next(held, None)
    none: Sentence = (Note("–"),)
    psnr = entry.record.value("psnr") if entry else None
    rate = entry.record.value("bpp") if entry else None
    quality: Sentence = (Note(NOT_MEASURED),)
    ratio = none
    if entry and psnr and rate:
        quality = (_apart(number(entry, psnr).without_interval),)
        text = f"bits {digits('ratio', round(BITS / rate.value, 1))} : 1"
        tip = "derived: 24 bits a pixel over the mean rate of its streams"
        ratio = (Number(text, Kind.DERIVED, tip, entry.anchor),)
    return [(name,), none, none, ratio, none, quality, *[none] * (1 + gpus * len(COSTS)), none]
