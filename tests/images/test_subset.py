"""Seeded subsets nest, and stay in order when images are added."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.images import encoded, write_folder
from vitok_lib.errors import RequestError
from vitok_lib.images.sets import ImageSet, open_image_set
from vitok_lib.images.subset import ordered

NAMES = [f"{index:03d}.png" for index in range(300)]


def test_a_seed_is_an_order_of_all_images() -> None:
    assert sorted(ordered(NAMES, 1)) == NAMES
    assert ordered(NAMES, 1) == ordered(reversed(NAMES), 1)
    assert ordered(NAMES, 1) != ordered(NAMES, 2)
    assert ordered(NAMES, None) == tuple(NAMES)


def test_images_that_are_added_leave_the_others_in_their_order() -> None:
    before = ordered(NAMES[::3], 7)
    assert tuple(name for name in ordered(NAMES, 7) if name in set(before)) == before


def test_a_seeded_order_favours_no_part_of_the_set() -> None:
    """The mean position of the first half in a random order of 300 has a standard error of 5."""
    for seed in range(20):
        order = ordered(NAMES, seed)
        assert abs(sum(order.index(name) for name in NAMES[:150]) / 150 - 149.5) < 25


@pytest.mark.parametrize("kind", ["files", "drawn"])
def test_the_first_n_are_a_prefix_of_the_first_m(tmp_path: Path, kind: str) -> None:
    folder = write_folder(tmp_path / "f", {f"{index}.png": encoded(index) for index in range(9)})

    def opened(seed: int | None) -> ImageSet:
        return open_image_set(folder if kind == "files" else "challenge", subset_seed=seed)

    seeded = opened(3)
    assert seeded.subset_seed == 3
    assert seeded.name == opened(None).name
    assert opened(None).subset_seed is None
    assert seeded.names() != opened(None).names()
    entries = seeded.manifest(4, 4).entries
    assert seeded.manifest(4, 2).entries == entries[:2]
    assert tuple(entry.name for entry in entries) == seeded.names()[:4]
    assert set(entries) <= set(opened(None).manifest(4).entries)


@pytest.mark.parametrize("seed", ["1", 1.0, True])
def test_a_seed_that_is_no_whole_number_is_refused(seed: object) -> None:
    with pytest.raises(RequestError, match=f"not {seed!r}"):
        open_image_set("leaves", subset_seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seed", "named"),
    [(10**5000, "a number of 16610 bits"), (1 << 63, "9223372036854775808"), (-1, "-1"), (-(1 << 63), "-92233720")],
    ids=["5000 digits", "above", "minus one", "below"],
)
def test_a_seed_out_of_range_is_refused_by_its_value(seed: int, named: str) -> None:
    with pytest.raises(RequestError, match=rf"\(={named}.*2\^63"):
        open_image_set("leaves", subset_seed=seed)
    assert open_image_set("leaves", subset_seed=(1 << 63) - 1).subset_seed == (1 << 63) - 1
