"""Labels next to what they name: none covers another, and each stays as near as its neighbours allow."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.optimize import minimize

from vitok_lib.report.figures.direct_labels import Label, place, spread


@pytest.mark.parametrize("seed", range(4))
def test_heights_are_the_nearest_that_keep_the_gap(seed: int) -> None:
    wanted, gap = np.sort(np.random.default_rng(seed).uniform(0, 10, 6)), 2.0
    apart = [{"type": "ineq", "fun": lambda x, i=i: x[i + 1] - x[i] - gap} for i in range(5)]
    best = minimize(lambda x: ((x - wanted) ** 2).sum(), wanted, constraints=apart, method="SLSQP")
    found = spread(list(wanted), gap)
    assert all(high - low >= gap - 1e-9 for low, high in pairwise(found))
    assert ((np.array(found) - wanted) ** 2).sum() == pytest.approx(best.fun, abs=1e-4)


def test_heights_far_enough_apart_stay() -> None:
    assert spread([0.0, 5.0, 9.0], 2.0) == [0.0, 5.0, 9.0]


def _overlaps(texts: list[Text]) -> list[str]:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [f"{one[0]} {other[0]}" for one, other in combinations(boxes, 2) if one[1].overlaps(other[1])]


def test_labels_of_crowded_marks_cover_neither_each_other_nor_a_mark() -> None:
    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 10)
    points = [(5 + 0.15 * index, 5 + 0.1 * (index % 3)) for index in range(8)]
    place(figure, [Label(axes, x, y, f"tokenizer {index}", "black") for index, (x, y) in enumerate(points)])
    assert len(axes.texts) == len(points)
    assert _overlaps(list(axes.texts)) == []
    for x, y in points:
        at = axes.transData.transform((x, y))
        assert not any(text.get_window_extent().contains(*at) for text in axes.texts)


def test_labels_at_the_ends_of_lines_are_right_of_the_axes_in_the_order_of_the_lines() -> None:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    ends = {"low": 1.0, "middle": 1.01, "high": 1.02, "far": 9.0}
    for value in ends.values():
        axes.plot([0, 1, 2], [0, 1, value])
    place(figure, [Label(axes, 2, value, name, "black", end=True) for name, value in ends.items()])
    texts = {text.get_text(): text for text in axes.texts if text.get_text()}
    assert _overlaps(list(texts.values())) == []
    assert [*sorted(texts, key=lambda name: texts[name].get_window_extent().y0)] == list(ends)
    assert all(text.get_window_extent().x0 > axes.bbox.x1 for text in texts.values())
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in texts.values())
