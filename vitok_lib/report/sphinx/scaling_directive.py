"""The directive of the page on scaling out: ``{scaling} PROFILE totals`` and its other parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitok_lib.errors import RequestError, unknown
from vitok_lib.report.sphinx.directives import Content, Picture
from vitok_lib.report.sphinx.request import Request
from vitok_lib.report.tables.machine import scaling


def scaling_out(request: Request) -> list[Content]:
    """Of a profile: what ``stops`` it, its ``totals`` and ``parts``, the ``cores`` of a GPU, or the ``figure``.

    ``:gpus:`` are numbers of GPUs, of which ``stops`` takes the last. ``:cores:`` are numbers of CPU cores for each, of
    which the figure alone takes several.
    """
    profile, what = request.names
    gpu = " ".join(request.words("gpu", "H100"))
    known = scaling.known_of(request.entries, profile, gpu)
    counts, cores = _numbers(request, "gpus", "1 8 64"), _numbers(request, "cores", "16")
    if what == "figure":
        from vitok_lib.report.figures.scaling import speedups

        return [Picture(f"scaling-{profile}", speedups(known, cores))]
    makes: dict[str, Callable[[], Sequence[Content]]] = {
        "stops": lambda: scaling.where_it_stops(known, counts[-1], cores[0]),
        "totals": lambda: [scaling.totals_table(known, counts, cores[0])],
        "parts": lambda: [scaling.parts_table(known)],
        "cores": lambda: [scaling.cores_table(request.entries, known)],
    }
    if what not in makes:
        raise unknown("part of scaling", what, [*makes, "figure"])
    return [*makes[what]()]


def _numbers(request: Request, option: str, default: str) -> list[int]:
    words = request.words(option, default)
    if not words or not all(word.isdigit() for word in words):
        raise RequestError(f"':{option}: {' '.join(words)}' must be whole numbers, such as '{default}'")
    return [int(word) for word in words]
