"""The figure that opens the summary: quality against compression, with latency, of the models that people choose."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.measuring_gpus import measuring_gpus
from vitok_lib.report.data.real_models import Answer, RealModel, latency, quality, real_models
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import GUIDE_COLOUR, STYLE, Drawing, finished, looks
from vitok_lib.report.page.labels import digits, label, three_digits
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

SIZE = 1024
QUANTITY = "psnr"
_AREA = 5.0
"""Square points of a mark for each millisecond."""
_KEY = (10, 50, 100)
"""Milliseconds of the marks that show the scale of areas."""


@dataclass(frozen=True)
class Shown:
    """A model with what is known of it; ``latency`` is None where nothing is."""

    model: RealModel
    quality: Answer
    latency: Answer | None

    @property
    def measured(self) -> bool:
        return self.quality.value.kind == Kind.MEASURED

    @property
    def area(self) -> float:
        return _area(self.latency.value.value) if self.latency else _area(_KEY[0])


def released(entries: Sequence[Entry]) -> Drawing:
    """PSNR at 1024 px over the compression ratio of each released model; the area of its mark is its latency.

    Latencies are of the GPU that measured most models. A measured PSNR is filled and a published one hollow. Published
    ones are of the one source that has most of them, since two sources are two protocols. A measured latency has a
    solid outline, and a least time a dotted one.

    Raises:
        RequestError: no released model has a PSNR.
    """
    gpu = measuring_gpus(entries)[0].name
    shown, left_out = _shown(entries, gpu)
    if not shown:
        raise RequestError(f"no released model has a PSNR at {SIZE} px")
    labels: list[Label] = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 5.4))
        axes = figure.subplots()
        for point in sorted(shown, key=lambda point: -point.area):
            labels.append(_draw(axes, point))
        ratios = sorted({point.model.ratio for point in shown})
        axes.set_xscale("log", base=2)
        axes.set_xlim(ratios[0] / 1.25, ratios[-1] * 1.25)
        axes.set_xticks(ratios, [f"{ratio:g} : 1" for ratio in ratios])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(y=0.12)
        axes.set_xlabel("compression ratio: pixel values in for each latent value out")
        axes.set_ylabel(f"{label(QUANTITY, 'dB')} at {SIZE} px")
        _key(axes, shown, gpu)
        sources = sorted({point.quality.entry.source_title for point in shown if not point.measured})
        return finished(
            figure,
            _in_text(shown, gpu),
            say.text(
                "released",
                size=SIZE,
                gpu=gpu,
                sources=sources,
                left_out=left_out,
                published=sum(not point.measured for point in shown),
                measured=sum(point.measured for point in shown),
                timed=sum(_timed(point) for point in shown),
                least=sum(point.latency is not None and not _timed(point) for point in shown),
            ),
            labels,
        )


def _shown(entries: Sequence[Entry], gpu: str) -> tuple[list[Shown], list[str]]:
    """Every model with a measured PSNR or one of the source that published most, and the names of the others."""
    known = [(model, quality(entries, model.name, QUANTITY, SIZE)) for model in real_models(entries)]
    held = [(model, answer) for model, answer in known if answer]
    origins = Counter(answer.entry.origin for _, answer in held if answer.value.kind == Kind.PUBLISHED)
    source = origins.most_common(1)[0][0] if origins else None
    shown = [
        Shown(model, answer, latency(entries, model.name, SIZE, gpu))
        for model, answer in held
        if answer.value.kind == Kind.MEASURED or answer.entry.origin == source
    ]
    names = {point.model.name for point in shown}
    return shown, [model.name for model, _ in known if model.name not in names]


def _timed(point: Shown) -> bool:
    return point.latency is not None and point.latency.value.kind == Kind.MEASURED


def _area(milliseconds: float) -> float:
    return max(_AREA * milliseconds, 40.0)


def _draw(axes: Axes, point: Shown) -> Label:
    name, value = point.model.name, point.quality.value.value
    colour = looks([name])[name]["color"]
    axes.scatter(
        [point.model.ratio],
        [value],
        s=point.area,
        facecolors=colour if point.measured else "none",
        edgecolors=colour,
        linestyles="-" if _timed(point) else ":",
        linewidths=1.6,
        label=name,
    )
    radius = math.sqrt(point.area / math.pi)
    return Label(axes, point.model.ratio, value, _named(point), colour, radius=radius)


def _named(point: Shown) -> str:
    if point.latency is None:
        return point.model.name
    least = "" if _timed(point) else "≥ "
    return f"{point.model.name}, {least}{three_digits(point.latency.value.value)} ms"


def _key(axes: Axes, shown: Sequence[Shown], gpu: str) -> None:
    """What an area and an outline mean, in the corner that high compression and high quality leave free."""
    handles = [
        axes.scatter([], [], s=_area(time), facecolors="none", edgecolors=GUIDE_COLOUR, label=f"{time} ms")
        for time in _KEY
    ]
    if any(not _timed(point) for point in shown):
        handles += [
            axes.scatter(
                [], [], s=_area(_KEY[1]), facecolors="none", edgecolors=GUIDE_COLOUR, linestyles=style, label=text
            )
            for style, text in (("-", "measured"), (":", "least time"))
        ]
    axes.legend(
        handles=handles,
        title=f"encode and decode on {gpu}",
        loc="upper right",
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        title_fontsize=8.5,
        columnspacing=1.4,
        handletextpad=0.9,
        borderpad=0.8,
        labelspacing=1.2,
    )


def _in_text(shown: Sequence[Shown], gpu: str) -> str:
    by_value = sorted(shown, key=lambda point: -point.quality.value.value)
    texts = []
    for point in by_value:
        text = (
            f"{point.model.name} {digits(QUANTITY, point.quality.value.value)} dB ({point.quality.value.kind.value}) "
            f"at {point.model.ratio:g} : 1"
        )
        if point.latency:
            least = "" if _timed(point) else "at least "
            text += f", {least}{digits('latency', point.latency.value.value)} ms"
        texts.append(text)
    best, worst = by_value[0].model.name, by_value[-1].model.name
    return (
        f"PSNR at {SIZE} px against the compression ratio of {len(shown)} released models, latency on {gpu}: {best} is "
        f"highest, {worst} lowest. {'; '.join(texts)}."
    )
