"""The sums over the lines of a notebook run, by hand."""

from __future__ import annotations

from vitok_lib.cost.profile_work import Work
from vitok_lib.cost.scaling import parts
from vitok_lib.cost.study_time import Line, StudyTime
from vitok_lib.records.schema import Kind


def _line(output: str, images: int, *, gpu: float, network: float = 0.0, peak: float | None = None) -> Line:
    work = Work(output, "flux", "photos", 512, images)
    return Line(work, gpu=gpu, core=0.5, network=network, load=1.0, peak=peak, level=Kind.MEASURED, how="")


def test_a_part_sums_the_seconds_of_its_images_and_takes_the_largest_peak() -> None:
    lines = (
        _line("one", 10, gpu=3.0, network=1.0, peak=7.0),
        _line("other", 5, gpu=2.0),
        _line("one", 4, gpu=2.0, peak=9.0),
        _line("one", 20, gpu=0.0),
    )
    one, other = parts(StudyTime("a profile", "H100", lines, ()))
    assert (one.output, one.images, one.gpu, one.network, one.core) == ("one", 20, 30 + 8, 10, 5 + 2 + 10)
    assert (one.peak, one.level) == (9.0, Kind.ESTIMATED), "the time of a metric's network is never measured"
    assert (other.output, other.images, other.gpu, other.peak) == ("other", 5, 10, 0)
    assert other.level == Kind.MEASURED
