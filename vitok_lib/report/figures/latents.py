"""The figure of a latent's spectra: how many directions it uses, and how its power is spread over frequencies."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import Entry, of_case
from vitok_lib.report.figures.drawing import GUIDE_COLOUR, STYLE, Drawing, Look, finished, looks, panels, width
from vitok_lib.report.page.labels import digits
from vitok_lib.report.page.templates import sentences

say = sentences("captions")
_OF_THE_IMAGE = {"power_image": ("image", "-"), "power_grid": ("image on the latent's grid", ":")}

_LEAST_SHARE = 1e-9
"""A smaller share is rounding: a direction that the architecture leaves out, as a norm over channels does."""


def latent_spectra(entries: Sequence[Entry], case: str) -> Drawing:
    """The eigenvalues of the covariance as shares of their sum, and the power on each diagonal of the DCT.

    Raises:
        RequestError: no record of ``case`` holds them.
    """
    held = [entry for entry in of_case(entries, case) if entry.record.arrays and "eigenvalues" in entry.record.arrays]
    if not held:
        raise RequestError(f"no record of '{case}' holds the spectrum of a latent; 'vitok latents' measures it")
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(2), 4.2))
        ranks, powers = panels(figure, 2, share=False)
        look = looks(entry.title for entry in held)
        for entry in held:
            line = {**look[entry.title], "markersize": 3.5, "linewidth": 1.2, "label": entry.title}
            words.append(f"{entry.title}: {_drawn(entry, ranks, powers, line)}")
        _draw_image(held[0], powers)
        ranks.set(yscale="log", xlabel="principal axis", ylabel="share of the variance")
        ranks.set_title("Eigenvalues of the covariance", fontsize=10)
        powers.set(yscale="log", xlabel="diagonal u + v of the 8 × 8 DCT", ylabel="power over the mean")
        powers.set_title("Power by frequency", fontsize=10)
        ranks.legend(fontsize=8)
        powers.legend(fontsize=8)
        alternative = "Spectra of latents. " + "; ".join(words) + "."
        return finished(figure, alternative, say.text("latent_spectra", case=case))


def _drawn(entry: Entry, ranks: Axes, powers: Axes, line: Look) -> str:
    """Draw the spectra of one tokenizer; what they say in words."""
    arrays = entry.record.arrays or {}
    shares = np.array(arrays["eigenvalues"]) / max(sum(arrays["eigenvalues"]), np.finfo(float).tiny)
    shown = shares[shares > _LEAST_SHARE]
    ranks.plot(np.arange(1, len(shown) + 1), shown, **line)
    words = f"the first of {len(shares)} axes has {digits('share', 100 * float(shares[0]))} % of the variance"
    power = arrays.get("power_latent")
    if power is None:
        return words
    powers.plot(np.arange(1, len(power) + 1), power, **line)
    return f"{words}, and the highest frequency has {digits('share', 100 * power[-1])} % of the mean power"


def _draw_image(entry: Entry, powers: Axes) -> None:
    """The image's own spectra, and that of white noise, which is flat."""
    arrays = entry.record.arrays or {}
    for name, (title, line) in _OF_THE_IMAGE.items():
        power = arrays.get(name)
        if power is not None:
            powers.plot(np.arange(1, len(power) + 1), power, color=GUIDE_COLOUR, linestyle=line, label=title)
    powers.axhline(1, color=GUIDE_COLOUR, linewidth=0.8, linestyle="--", label="white noise")
