"""Agreement with the reference numbers of the published architecture, and what must hold at any size.

``tests/golden/*.npz`` come from an independent float64 reference: a variant, its weights, an image, its
latent and its reconstruction. Regenerate them only on purpose; a missing file is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = ("full-16x8", "window3-16x8", "padded-32x12")
TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
BATCH_TOLERANCES = {
    dtype: 2 * TOLERANCES["float32"] * torch.finfo(getattr(torch, dtype)).eps / torch.finfo(torch.float32).eps
    for dtype in TOLERANCES
}
"""A batch may take another order of additions, which depends on the threads: two roundings of the same numbers.

Each is within the tolerance of float32 of the exact result, 84 eps: values up to 5.3 after some 16 layers that round
once each. So the two are within twice that of each other (triangle inequality), and in float64 within as many eps.
"""


@dataclass(frozen=True)
class Golden:
    variant: str
    window: int | None
    image: torch.Tensor
    latent: NDArray[np.float64]
    reconstruction: NDArray[np.float64]
    folder: Path

    def load(self, dtype: str) -> Tokenizer:
        return load_tokenizer(self.variant, weights=self.folder, window=self.window, dtype=dtype)


@pytest.fixture(params=CASES)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Golden:
    stored = np.load(GOLDEN / f"{request.param}.npz")
    state = {key.removeprefix("state/"): torch.from_numpy(stored[key]) for key in stored if key.startswith("state/")}
    ends = {"encoder": ("patch_embed", "to_code", "encoder_"), "decoder": ("decoder_", "to_pixels")}
    for side, prefixes in ends.items():
        save_file({k: v for k, v in state.items() if k.startswith(prefixes)}, tmp_path / f"{side}.safetensors")
    window = int(stored["window"])
    image = torch.from_numpy(stored["image"])[None]
    return Golden(
        str(stored["variant"]),
        None if window < 0 else window,
        image,
        stored["latent"],
        stored["reconstruction"],
        tmp_path,
    )


def _assert_close(found: torch.Tensor, expected: NDArray[np.float64], tolerance: float) -> None:
    assert found.shape == expected.shape
    difference = float(np.abs(found.double().numpy() - expected).max())
    assert difference <= tolerance, f"maximum difference {difference:.3g} is above {tolerance:g}"


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_the_latent_agrees_with_the_reference(golden: Golden, dtype: str) -> None:
    latent = golden.load(dtype).encode(golden.image)
    assert latent.values.dtype == getattr(torch, dtype)
    _assert_close(latent.values.flatten(0, 2), golden.latent, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_the_reconstruction_agrees_with_the_reference(golden: Golden, dtype: str) -> None:
    reconstruction = golden.load(dtype).reconstruct(golden.image)
    _assert_close(reconstruction[0], golden.reconstruction, TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_two_runs_are_equal_bit_for_bit(golden: Golden, dtype: str) -> None:
    first, second = (golden.load(dtype).reconstruct(golden.image) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("dtype", BATCH_TOLERANCES)
def test_a_batch_equals_its_images_one_by_one(golden: Golden, dtype: str) -> None:
    tokenizer = golden.load(dtype)
    batch = torch.cat([golden.image, golden.image.flip(-1), -golden.image])
    together = tokenizer.reconstruct(batch)
    alone = torch.cat([tokenizer.reconstruct(image[None]) for image in batch])
    _assert_close(together, alone.double().numpy(), BATCH_TOLERANCES[dtype])


def test_an_image_padded_with_zeros_has_the_latent_of_the_image() -> None:
    tokenizer = load_tokenizer("w32_d1_h2/8x6", weights="random", dtype="float64")
    image = torch.rand(1, 3, 19, 30, dtype=torch.float64) * 2 - 1
    padded = torch.zeros(1, 3, 24, 32, dtype=torch.float64)
    padded[:, :, :19, :30] = image
    assert torch.equal(tokenizer.encode(image).values, tokenizer.encode(padded).values)
    assert torch.equal(tokenizer.reconstruct(image), tokenizer.reconstruct(padded)[:, :, :19, :30])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (8, 8), (9, 17), (37, 53)], ids=str)
@pytest.mark.parametrize("window", [None, 0, 2])
def test_any_height_and_width_come_back(size: tuple[int, int], window: int | None) -> None:
    tokenizer = load_tokenizer("w16_d1_h2/8x4", weights="random", window=window)
    image = torch.rand(2, 3, *size) * 2 - 1
    latent = tokenizer.encode(image)
    assert latent.values.shape == (2, -(-size[0] // 8), -(-size[1] // 8), 4)
    reconstruction = tokenizer.decode(latent)
    assert reconstruction.shape == image.shape
    assert reconstruction.isfinite().all()


def test_the_latent_of_a_token_has_mean_0_and_variance_1() -> None:
    values = load_tokenizer("w32_d1_h2/8x12", weights="random", dtype="float64").encode(torch.rand(1, 3, 32, 32)).values
    torch.testing.assert_close(values.mean(-1), torch.zeros_like(values[..., 0]), atol=1e-12, rtol=0)
    torch.testing.assert_close(values.var(-1, correction=0), torch.ones_like(values[..., 0]), atol=1e-4, rtol=0)
