"""Where the crops of an image lie."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vitok_lib.metrics.patches import crops


def _numbered(height: int, width: int) -> Tensor:
    """An image whose first two channels hold each pixel's row and column."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, rows * 0]).to(torch.uint8)


def _corners(image: Tensor, side: int) -> list[tuple[int, int]]:
    return [(int(crop[0, 0, 0]), int(crop[1, 0, 0])) for crop in crops(image, side)]


def test_three_by_three_crops_reach_from_border_to_border() -> None:
    rows, columns = (0, 35, 70), (0, 65, 130)
    assert _corners(_numbered(100, 160), 30) == [(row, column) for row in rows for column in columns]


@pytest.mark.parametrize(("height", "width"), [(40, 40), (41, 55), (250, 40), (120, 121)])
def test_every_crop_is_a_part_of_the_image_as_it_is(height: int, width: int) -> None:
    image = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for crop, (row, column) in zip(crops(image, 40), _corners(_numbered(height, width), 40), strict=True):
        assert torch.equal(crop, image[:, row : row + 40, column : column + 40])


def test_an_image_below_the_side_is_extended_by_its_last_row_and_column() -> None:
    image = _numbered(5, 60)
    found = crops(image, 20)
    assert found.shape == (9, 3, 20, 20)
    assert torch.equal(found[:, :, :5], torch.stack([image[:, :, left : left + 20] for left in (0, 20, 40)] * 3))
    assert torch.equal(found[:, :, 5:], found[:, :, 4:5].expand(-1, -1, 15, -1))


def test_one_pixel_fills_its_crops() -> None:
    assert torch.equal(crops(torch.full((3, 1, 1), 7, dtype=torch.uint8), 4), torch.full((9, 3, 4, 4), 7).byte())
