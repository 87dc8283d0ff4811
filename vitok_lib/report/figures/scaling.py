"""The figure of scaling: speed-up against the number of GPUs, a line for each number of CPU cores."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vitok_lib.cost.study_time import StudyTime
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import GUIDE_COLOUR, STYLE, Drawing, finished, width
from vitok_lib.report.page.labels import three_digits
from vitok_lib.report.page.templates import sentences

say = sentences("scaling")
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_COLOURS = ("#C04F00", "#0072B2", "#00795A", "#AA3377")
_MARKERS = "osD^"


def speedups(known: StudyTime, cores: Sequence[float]) -> Drawing:
    """How many times as fast :data:`COUNTS` GPUs end as one of the first of ``cores``, up to four numbers of cores."""
    labels, words, alone = [], [], known.on(1, cores[0]).seconds
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(1) + 2, 4.6))
        axes = figure.subplots()
        for each, colour, marker in zip(cores, _COLOURS, _MARKERS, strict=False):
            values = [alone / known.on(count, each).seconds for count in COUNTS]
            axes.plot(COUNTS, values, color=colour, marker=marker, markersize=5, linewidth=1.4)
            labels.append(Label(axes, COUNTS[-1], values[-1], f"{each:g} cores", colour))
            words.append(f"with {each:g} cores {three_digits(values[-1])} times at {COUNTS[-1]} GPUs")
        axes.plot(COUNTS, COUNTS, color=GUIDE_COLOUR, linestyle="--", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xticks(COUNTS, [f"{count}" for count in COUNTS])
        axes.set_yticks(COUNTS, [f"{count}" for count in COUNTS])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.set_xlim(0.9, COUNTS[-1] * 3)
        axes.set_xlabel(f"GPUs ({known.gpu})")
        axes.set_ylabel(f"speed-up over one GPU with {cores[0]:g} cores")
        alternative = f"Speed-up against the number of GPUs: {'; '.join(words)}."
        return finished(figure, alternative, say.text("figure", gpu=known.gpu, cores=f"{cores[0]:g}"), labels)
