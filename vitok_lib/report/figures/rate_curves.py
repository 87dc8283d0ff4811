"""The figure of rate–distortion curves: bits that were written against a quality, learned tokenizers and codecs."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitok_lib.metrics.bjontegaard import curve_of
from vitok_lib.metrics.quantities import UNQUANTISED
from vitok_lib.metrics.signature import METRICS
from vitok_lib.report.data.rate_curves import RateCurve, curves
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import FAMILY_COLOURS, LINES, STYLE, Drawing, finished, panels, width
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

_MARKERS = {"bits": "o", "step": "s", "common": "^", "q": "d"}
_TICKS = [2.0**power for power in range(-7, 6)]


def rate_curves(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Bits per pixel against ``quantity``, a panel a case: each point, and a line through those that are worth having.

    Raises:
        RequestError: nothing measured in one of ``cases`` ended well and holds ``quantity``.
    """
    held = {case: curves(entries, case, quantity) for case in cases}
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(len(held) + 1), 5.4))
        for axes, (case, found) in zip(panels(figure, len(held)), held.items(), strict=True):
            seen: dict[str, int] = {}
            for curve in found:
                own = curve.entry.record.tokenizer.family
                family = own if own in FAMILY_COLOURS else "plugin"
                seen[family] = seen.get(family, -1) + 1
                labels.append(_draw(axes, curve, FAMILY_COLOURS[family], LINES[seen[family] % len(LINES)]))
                points = ", ".join(f"{_in_words(quantity, y)} at {digits('bpp', x)}" for _, x, y in curve.means())
                words.append(f"{case}, {curve.name}: {points}")
            axes.set_xscale("log", base=2)
            low, high = axes.get_xlim()
            shown = [tick for tick in _TICKS if low <= tick <= high]
            axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
            axes.minorticks_off()
            axes.set_xlabel("bits per pixel, as written")
            axes.set_ylabel(label(quantity, METRICS[quantity].unit))
            entry = found[0].entry
            axes.set_title(f"{case} (study {entry.study}, n = {entry.record.images.count})", fontsize=10)
        alternative = f"Bits per pixel against mean {label(quantity)}. " + "; ".join(words) + "."
        return finished(figure, alternative, say.text("rate_curves", metric=label(quantity)), labels)


def _in_words(quantity: str, value: float) -> str:
    return f"{digits(quantity, value)} {METRICS[quantity].unit}".rstrip()


def _draw(axes: Axes, curve: RateCurve, colour: str, line: str) -> Label:
    """One curve; its label is at the point of the highest rate."""
    means = curve.means()
    best = curve_of([rate for _, rate, _ in means], [quality for *_, quality in means])
    for point, rate, quality in means:
        marker, size = _MARKERS.get(point.partition("=")[0], "x"), 5 if quality in best.quality else 3
        axes.plot(rate, quality, marker=marker, color=colour, markersize=size, linestyle="none", alpha=0.7)
    axes.plot(np.exp(best.log_rate), best.quality, color=colour, linestyle=line, linewidth=1.4)
    x, y = float(np.exp(best.log_rate[-1])), float(best.quality[-1])
    whole = curve.entry.record.value(f"{curve.quality}:{UNQUANTISED}")
    if whole is not None:
        axes.axhline(whole.value, color=colour, linestyle=":", linewidth=1.1, alpha=0.8)
    return Label(axes, x, y, curve.name, colour, end=True)
