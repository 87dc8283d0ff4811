"""The closed-form floor: an orthogonal projection of each patch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import SHIPPED

PATCH, CHANNELS, VALUES = 16, 64, 768


@pytest.fixture
def mean_and_components() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(VALUES, CHANNELS, generator=generator, dtype=torch.float64)).Q
    return torch.randn(VALUES, generator=generator, dtype=torch.float64) / 10, basis.T.contiguous()


@pytest.fixture
def tokenizer(tmp_path: Path, mean_and_components: tuple[Tensor, Tensor]) -> Tokenizer:
    mean, components = mean_and_components
    save_file({"mean": mean, "components": components}, tmp_path / "pca.safetensors")
    return load_tokenizer("pca-f16x64", weights=tmp_path, dtype="float64")


def _image_of(codes: Tensor, mean: Tensor, components: Tensor) -> Tensor:
    """The image whose patches have ``codes`` ``[rows, columns, CHANNELS]``, patch by patch."""
    rows, columns, _ = codes.shape
    image = torch.zeros(1, 3, rows * PATCH, columns * PATCH, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            patch = (mean + codes[row, column] @ components).reshape(3, PATCH, PATCH)
            image[0, :, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = patch
    return image


def test_an_image_made_of_the_components_comes_back_exactly(
    tokenizer: Tokenizer, mean_and_components: tuple[Tensor, Tensor]
) -> None:
    codes = torch.randn(2, 3, CHANNELS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image = _image_of(codes, *mean_and_components)
    torch.testing.assert_close(tokenizer.encode(image).values[0], codes, atol=1e-12, rtol=0)
    torch.testing.assert_close(tokenizer.reconstruct(image), image, atol=1e-12, rtol=0)


def test_reconstructing_twice_changes_nothing_more(tokenizer: Tokenizer) -> None:
    once = tokenizer.reconstruct(torch.rand(2, 3, 48, 32, dtype=torch.float64) * 2 - 1)
    torch.testing.assert_close(tokenizer.reconstruct(once), once, atol=1e-12, rtol=0)


def test_the_error_is_orthogonal_to_the_components(
    tokenizer: Tokenizer, mean_and_components: tuple[Tensor, Tensor]
) -> None:
    image = torch.rand(1, 3, PATCH, PATCH, dtype=torch.float64)
    error = (image - tokenizer.reconstruct(image)).flatten()
    assert (mean_and_components[1] @ error).abs().max() < 1e-12
    assert error.abs().max() > 0.01


def test_an_odd_size_is_that_of_the_image_continued_by_its_edge(tokenizer: Tokenizer) -> None:
    image = torch.rand(1, 3, 37, 53, dtype=torch.float64)
    rows, columns = torch.arange(48).clamp(max=36), torch.arange(64).clamp(max=52)
    continued = image[:, :, rows][:, :, :, columns]
    assert torch.equal(tokenizer.reconstruct(image), tokenizer.reconstruct(continued)[:, :, :37, :53])


def test_the_shipped_components_are_orthonormal() -> None:
    tokenizer = load_tokenizer("pca-f16x64", dtype="float64")
    once = tokenizer.reconstruct(torch.rand(1, 3, 64, 64) * 2 - 1)
    torch.testing.assert_close(tokenizer.reconstruct(once), once, atol=1e-5, rtol=0)


def test_a_file_loads_as_its_folder_does() -> None:
    image = torch.rand(1, 3, 32, 32)
    file = load_tokenizer("pca-f16x64", weights=SHIPPED / "pca-f16x64" / "pca.safetensors")
    assert torch.equal(file.reconstruct(image), load_tokenizer("pca-f16x64").reconstruct(image))


def test_components_of_another_size_are_named(tmp_path: Path) -> None:
    save_file({"mean": torch.zeros(VALUES), "components": torch.zeros(32, VALUES)}, tmp_path / "pca.safetensors")
    with pytest.raises(RequestError, match=r"has misshapen components \[32, 768\] instead of \[64, 768\]"):
        load_tokenizer("pca-f16x64", weights=tmp_path)


def test_a_folder_without_components_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"pca\.safetensors' .*cannot be read"):
        load_tokenizer("pca-f16x64", weights=tmp_path)
