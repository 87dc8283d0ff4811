"""Measurements of speed and memory as the report reads them: by machine, by run, with the settings that differ.

A latency or a peak says nothing without its machine, so nothing here ever puts two machines into one group.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vitok_lib.cost.flops import raster_radius
from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.schema import OutcomeStatus, Value
from vitok_lib.records.store import slug
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.data.requested import IMPLIED, requested
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

SPEED, WINDOWS, COMPILE, PRECISION, ROOFLINE = "speed", "sliding-window", "compile-modes", "precision", "roofline"
MEMORY, CAPACITY, PROFILE, TILING = "memory", "capacity", "profile", "tiling"
BENCHMARKS = (SPEED, WINDOWS, COMPILE, PRECISION, ROOFLINE, MEMORY, CAPACITY, PROFILE, TILING)
"""What measures speed or memory instead of the quality of images."""

SETTINGS = {
    "preset": "Preset",
    "window": "Radius",
    "blocks": "Blocks",
    "dtype": "Dtype",
    "precision": "Precision",
    "batch": "Batch",
    "compile": "Compile mode",
    "attention": "Attention",
    "chunk": "Tokens at once",
    "tiling": "Tiled",
    "tile": "Tile/overlap, px",
    "strips": "In strips",
    "memory_limit_gib": "Limit, GiB",
}
"""The settings that a table names in columns of their own, where they differ within it."""

PHRASES = {
    "window": "radius {}",
    "blocks": "blocks {}",
    "dtype": "{}",
    "precision": "{}",
    "preset": "preset {}",
    "batch": "batch {}",
    "attention": "attention {}",
    "chunk": "{} tokens at once",
    "tile": "tiles {} px",
    "strips": "in strips",
    "memory_limit_gib": "within {} GiB",
}
"""The settings that a sentence has to name."""
OF_A_FAMILY = ("window", "attention", "chunk", "tiling", "tile", "strips")
"""Settings that not every family has; a ranking takes the best of them for each tokenizer."""
LEAST_PEAK_GIB = 64 / 1024
"""Below 64 MiB what the allocator and the libraries hold decides a peak of memory, and not the tokenizer."""
SPACE = "\N{NO-BREAK SPACE}"
_SIZE = re.compile(r"(\d+)\s*[x×]\s*(\d+)")


@dataclass(frozen=True, order=True)
class Machine:
    """Where a measurement was made: its study and the GPU, or the processor where no GPU took part."""

    study: str
    device: str

    def __str__(self) -> str:
        return f"study {self.study}, {self.device}"

    @property
    def slug(self) -> str:
        return slug(f"{self.study}-{self.device}")


def machine_of(entry: Entry) -> Machine:
    provenance = entry.record.provenance
    assert provenance is not None  # a published record measures no machine
    return Machine(entry.study, provenance.host.gpu or provenance.host.cpu)


def by_machine(
    entries: Iterable[Entry],
    benchmarks: Sequence[str],
    where: Mapping[str, str] | None = None,
    *,
    with_noise: bool = False,
) -> dict[Machine, list[Entry]]:
    """The measured records of ``benchmarks`` that ``where`` lets through, sorted, a list a machine.

    ``where`` maps a setting, or ``tokenizer``, ``family`` or ``resolution``, to its value as text, or to several with
    ``|`` between them; ``*`` is any value that is set and ``-`` none. Records whose peaks of memory are noise are left
    out unless ``with_noise``.

    Raises:
        RequestError: a benchmark or a name in ``where`` is not known.
    """
    for benchmark in benchmarks:
        if benchmark not in BENCHMARKS:
            raise unknown("benchmark of machines", benchmark, BENCHMARKS)
    groups: dict[Machine, list[Entry]] = {}
    for entry in entries:
        asked = entry.measured and entry.record.benchmark in benchmarks and _passes(entry, where or {})
        if asked and (with_noise or not is_noise(entry)):
            groups.setdefault(machine_of(entry), []).append(entry)
    return {machine: sorted(held, key=_order) for machine, held in groups.items()}


def is_noise(entry: Entry) -> bool:
    """Whether a record of memory has a peak below 64 MiB, or one of an evaluation below that of the model within it."""
    if entry.record.benchmark != MEMORY:
        return False
    model, evaluation = (entry.record.value(name) for name in ("model_peak", "evaluation_peak"))
    peaks = [peak for peak in (model, evaluation) if peak is not None]
    return any(map(below_noise, peaks)) or (len(peaks) == 2 and peaks[1].value < peaks[0].value)


def below_noise(peak: Value) -> bool:
    """Whether a peak of memory, in GiB, is one that the allocator and the libraries decide."""
    return peak.value < LEAST_PEAK_GIB


def _passes(entry: Entry, where: Mapping[str, str]) -> bool:
    facts = {
        **entry.record.settings.model_dump(),
        "tokenizer": entry.record.tokenizer.name,
        "family": entry.record.tokenizer.family,
        "resolution": entry.record.resolution,
    }
    for name, wanted in where.items():
        if name not in facts:
            raise unknown("setting", name, facts)
        held = facts[name]
        if wanted in ("*", "-"):
            if (held is None) == (wanted == "*"):
                return False
        elif str(held) not in wanted.split("|"):
            return False
    return True


def _order(entry: Entry) -> tuple[object, ...]:
    settings = entry.record.settings
    window = settings.window
    return (
        natural(entry.record.tokenizer.name),
        entry.record.resolution,
        settings.dtype or "",
        settings.batch or 0,
        settings.memory_limit_gib or 0,
        window is not None,  # full attention first, then from the widest window down
        -(0 if window is None else raster_radius(window)),
        natural(entry.stem),
    )


def setting(entry: Entry, name: str) -> str:
    """A setting that was requested, as a table shows it; an empty text where it was not.

    What a preset or an automatic choice set was not requested.
    """
    held = getattr(entry.record.settings, name)
    if held is None or (name in IMPLIED and getattr(requested(entry.record), name) is None):
        return ""
    if name == "chunk":
        return f"{held:,}" if held else "all"
    if isinstance(held, bool):
        return "yes" if held else ""
    return f"{held:,g}" if isinstance(held, float) else f"{held:,}" if isinstance(held, int) else str(held)


def varying(entries: Sequence[Entry], left_out: Sequence[str] = ()) -> list[str]:
    """The settings in which ``entries`` differ, in the order of ``SETTINGS``."""
    return [name for name in SETTINGS if name not in left_out and len({setting(entry, name) for entry in entries}) > 1]


def phrase(entry: Entry, name: str) -> str:
    """A setting as a sentence names it; an empty text where it was not requested or is a batch of one."""
    text = setting(entry, name)
    return PHRASES[name].format(text) if text and (name, text) != ("batch", "1") else ""


def described(entry: Entry, left_out: Sequence[str] = (), more: Sequence[str] = ()) -> str:
    """The tokenizer with its size, the settings that a sentence has to name, and ``more``."""
    name = entry.record.tokenizer.name
    facts = [name if "resolution" in left_out else f"{name} at {size_text(entry)}"]
    facts += ["random weights"] if random_weights(entry) else []
    facts += [text for name in PHRASES if name not in left_out and (text := phrase(entry, name))]
    return ", ".join([*facts, *more])


def lead(entry: Entry, *left_out: str, more: Sequence[str] = ()) -> str:
    """How a finding begins: the tokenizer with its settings but for those ``left_out``, the study and the machine."""
    return f"{described(entry, left_out, more)} ({machine_of(entry)})"


def random_weights(entry: Entry) -> bool:
    return entry.record.tokenizer.weights.source.startswith("random")


def size(entry: Entry) -> tuple[int, int]:
    """Height and width in pixels, as the record's size rule states them; a square of its resolution otherwise."""
    found = _SIZE.search(entry.record.images.rule)
    if found is None:
        return entry.record.resolution, entry.record.resolution
    return int(found[1]), int(found[2])


def size_text(entry: Entry) -> str:
    height, width = size(entry)
    return f"{width}{SPACE}px" if height == width else f"{height}{SPACE}×{SPACE}{width}{SPACE}px"


def variant_of(entry: Entry) -> Variant | None:
    """The ViTok architecture of an entry's tokenizer with the blocks that were kept; None of any other, and in tiles.

    Formulas of a variant are those of an image as a whole.
    """
    identity = entry.record.tokenizer
    if identity.family != "vitok" or identity.variant is None or entry.record.settings.tile is not None:
        return None
    try:
        return parse_variant(identity.variant).truncated(entry.record.settings.blocks)
    except RequestError:
        return None


def tokens(entry: Entry) -> int | None:
    """Tokens of one image, of a ViTok."""
    variant = variant_of(entry)
    return variant.tokens(*size(entry)) if variant else None


def is_whole(entry: Entry) -> bool:
    """Whether the model ran with all of its blocks and not in tiles of this project: else it is another model."""
    return entry.record.settings.blocks is None and entry.record.settings.tile is None


def ended_well(entry: Entry) -> bool:
    return entry.record.outcome.status == OutcomeStatus.OK


def held(entry: Entry, quantity: str) -> Value | None:
    """A value that a sentence may rest on: that of a record that ended well."""
    return entry.record.value(quantity) if ended_well(entry) else None


FIXED = ("device", *SETTINGS)
"""The settings that a comparison holds fixed."""
INTERLEAVED = (SPEED, WINDOWS, COMPILE, PRECISION, ROOFLINE)
"""Benchmarks that interleave the configurations of a run; they are compared within one run."""


def runs_of(entries: Iterable[Entry], *, apart_from: str | Collection[str]) -> list[list[Entry]]:
    """Entries that differ in ``apart_from`` alone, settings, ``resolution`` or ``tokenizer``, where at least two do.

    Timings are of one run, which its start identifies; what has a run for each record is of one commit. Over the
    resolution, where each size has a run, images are of one shape and timings of one commit; peaks of memory do not
    depend on the time of day and may be of several commits.
    """
    free = {apart_from} if isinstance(apart_from, str) else set(apart_from)
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        record = entry.record
        assert record.provenance is not None
        commit, timed, (height, width) = record.provenance.commit, record.benchmark in INTERLEAVED, size(entry)
        whole = (record.provenance.started if timed else commit, height, width)
        over_sizes = (commit if timed else None, round(height / width, 2))
        key = (
            machine_of(entry),
            record.benchmark,
            tuple(setting(entry, name) for name in FIXED if name not in free),
            over_sizes if "resolution" in free else whole,
            None if "tokenizer" in free else (record.tokenizer.name, record.tokenizer.weights.source),
        )
        groups.setdefault(key, []).append(entry)
    return [group for group in groups.values() if len(group) > 1]
