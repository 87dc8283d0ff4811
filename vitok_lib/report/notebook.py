"""Tables and pictures that a notebook shows of what it has just measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitok_lib.records.schema import Record, Settings
from vitok_lib.records.store import read_samples, results_root
from vitok_lib.report.page.labels import bracket, count_words, digits, label

Pixels = NDArray[np.uint8]
CROP = 64  # pixels a side
_ZOOM = 3  # screen pixels for each of them
_DESCRIBED = {
    *("preset", "window", "dtype", "compile", "attention", "chunk", "batch", "tiling", "tile", "memory_limit_gib")
}


def quality_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row a record: how the work ended, over how many images, and each value with its 95 % interval.

    A value over another count than the images that were done, such as crops of them, says so.
    """
    rows = []
    for record in records:
        outcome = record.outcome
        row: dict[str, str | int] = {"tokenizer": record.tokenizer.name, "outcome": outcome.status.value}
        counts = [value.n for value in record.values if value.n is not None]
        done = outcome.done if outcome.done is not None else max(counts, default=0)
        row["n"] = done if outcome.total in (None, done) else f"{done} of {outcome.total}"
        for value in record.values:
            own = f" ({count_words(value.quantity, value.n)})" if value.n not in (None, done) else ""
            row[label(value.quantity, value.unit)] = digits(value.quantity, value.value) + own
            if value.interval is not None:
                row[f"{label(value.quantity)}, 95 %"] = bracket(value.quantity, value.interval)
        row["detail"] = outcome.detail or ""
        rows.append(row)
    frame = pd.DataFrame(rows).set_index("tokenizer")
    return frame if frame["detail"].any() else frame.drop(columns="detail")


def rate_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row a record and point of its curve: bits per pixel and PSNR, each with its 95 % interval."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for record in records:
        for value in record.values:
            quantity, _, point = value.quantity.partition(":")
            row = rows.setdefault((record.tokenizer.name, point), {})
            interval = f" {bracket(quantity, value.interval)}" if value.interval else ""
            row[label(quantity, value.unit)] = digits(quantity, value.value) + interval
        if not record.values:
            rows[record.tokenizer.name, record.outcome.status.value] = {"detail": record.outcome.detail or ""}
    frame = pd.DataFrame.from_dict(rows, orient="index").fillna("")
    return frame.rename_axis(index=["tokenizer", "point"])


def machine_frame(records: Sequence[Record], quantities: Sequence[str]) -> pd.DataFrame:
    """One row a record of a machine measurement: how it was run, how it ended, and those of ``quantities`` it holds."""
    rows = []
    for record in records:
        settings = record.settings
        row: dict[str, str | int] = {
            "tokenizer": record.tokenizer.name,
            "px": record.resolution,
            "settings": _described(settings),
            "outcome": record.outcome.status.value,
        }
        for quantity in quantities:
            value = record.value(quantity)
            if value is not None:
                interval = f" {bracket(quantity, value.interval)}" if value.interval else ""
                row[label(quantity, value.unit)] = digits(quantity, value.value) + interval
        if record.outcome.detail:
            row["detail"] = record.outcome.detail
        rows.append(row)
    return pd.DataFrame(rows).fillna("").set_index("tokenizer")


def _described(settings: Settings) -> str:
    """How a tokenizer was run, by what differs from the default."""
    named = settings.model_dump(
        include=_DESCRIBED,
        exclude_none=True,
    )
    if settings.preset is not None:  # which says these itself
        named = {name: value for name, value in named.items() if name not in ("attention", "chunk")}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value is not False)


def values_by_image(records: Sequence[Record], quantity: str, study: str) -> pd.DataFrame:
    """The values of single images as ``study`` keeps them: a row a tokenizer, a column an image."""
    columns = {}
    for record in records:
        if record.samples is not None:
            folder = results_root() / study / f"{record.benchmark}-{record.resolution}"
            table = read_samples((folder / record.samples).with_suffix(".json"), record)
            columns[record.tokenizer.name] = table.set_index("image")[quantity]
    return pd.DataFrame(columns).T.round(3)


def crops_figure(title: str, original: Pixels, reconstructions: Mapping[str, Pixels]) -> Figure:
    """The original and every reconstruction, cut to the square where the first one's squared error is largest."""
    first = next(iter(reconstructions.values()))
    top, left, side = _worst_square(original, first)
    panels = {"original": original, **reconstructions}
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    width, height = columns * (_ZOOM * CROP + 20) / 100, rows * (_ZOOM * CROP + 50) / 100
    figure, axes = plt.subplots(rows, columns, dpi=100, figsize=(width, height), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, pixels) in zip(axes.flat, panels.items(), strict=False):
        axis.imshow(pixels[top : top + side, left : left + side], interpolation="nearest")
        error = "" if name == "original" else f"\n{_psnr(original, pixels):.2f} dB (whole image)"
        axis.set_title(f"{name}{error}", fontsize=8)
    figure.suptitle(f"{title}: {side} × {side} px from row {top}, column {left}", fontsize=9)
    plt.close(figure)  # the notebook shows what it is given, not every open figure as well
    return figure


def _worst_square(original: Pixels, reconstruction: Pixels) -> tuple[int, int, int]:
    """Top, left and side of the square, on a grid of half its side, with the largest squared error."""
    height, width = original.shape[:2]
    side = min(CROP, height, width)
    error = np.square(original.astype(np.int64) - reconstruction).sum(axis=2)
    sums = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    corners = [
        (top, left)
        for top in range(0, height - side + 1, max(1, side // 2))
        for left in range(0, width - side + 1, max(1, side // 2))
    ]

    def total(corner: tuple[int, int]) -> int:
        top, left = corner
        bottom, right = top + side, left + side
        return int(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])

    top, left = max(corners, key=total)
    return top, left, side


def _psnr(original: Pixels, reconstruction: Pixels) -> float:
    error = np.square(original.astype(np.float64) - reconstruction).mean()
    return float(10 * np.log10(255**2 / error)) if error else np.inf
