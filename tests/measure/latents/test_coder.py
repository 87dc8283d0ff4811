"""The coder against the entropy of a known source, and streams that are not whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.measure.latents.coder import HEADER_BYTES, LatentCoder
from vitok_lib.measure.latents.quantise import dequantise, parse_quantiser, quantise


def _laplacian(seed: int, rows: int, scales: tuple[float, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(seed).laplace(0, scales, (rows, 100, len(scales))).astype(np.float32)


def _entropy_of_steps(sigmas: float) -> float:
    """Bits a value of a Laplacian source in steps of so many standard deviations, one level at its mean.

    P(0) = 1 − e^(−Δ/2b) and P(±k) = sinh(Δ/2b) e^(−kΔ/b), where the standard deviation is √2 b.
    """
    delta = sigmas * math.sqrt(2)
    shares = [1 - math.exp(-delta / 2)]
    shares += [math.sinh(delta / 2) * math.exp(-k * delta) for k in range(1, 400) for _ in range(2)]
    return -sum(share * math.log2(share) for share in shares if share > 0)


@pytest.mark.parametrize("sigmas", [0.25, 0.5, 1, 2])
def test_a_laplacian_source_takes_its_entropy(sigmas: float) -> None:
    scales = (0.2, 1.0, 30.0)
    coder = LatentCoder.fit(parse_quantiser(f"step={sigmas}"), [_laplacian(1, 500, scales)])
    other = _laplacian(2, 500, scales)
    bits = 8 * (len(coder.encode(other, 8, 8)) - HEADER_BYTES) / other.size
    assert bits == pytest.approx(_entropy_of_steps(sigmas), rel=0.02)


@pytest.mark.parametrize("text", ["bits=8", "bits=3", "step=0.25", "step=2"])
def test_a_stream_reads_back_as_it_was_quantised(text: str) -> None:
    coder = LatentCoder.fit(parse_quantiser(text), [_laplacian(3, 5, (1.0, 4.0))])
    latent = 3 * _laplacian(4, 7, (1.0, 4.0))  # also values that the grid does not reach
    values, height, width = coder.decode(coder.encode(latent, 70, 1001))
    expected = dequantise(quantise(latent.reshape(-1, 2), coder.grid), coder.grid).reshape(latent.shape)
    np.testing.assert_array_equal(values, expected)
    assert (height, width) == (70, 1001)


def test_another_coder_of_the_same_latents_reads_the_stream() -> None:
    latent = _laplacian(5, 3, (1.0,))
    one, other = (LatentCoder.fit(parse_quantiser("bits=4"), [latent]) for _ in range(2))
    np.testing.assert_array_equal(
        other.decode(one.encode(latent, 3, 4)).values, one.decode(one.encode(latent, 3, 4))[0]
    )


def _stream() -> tuple[LatentCoder, bytes]:
    coder = LatentCoder.fit(parse_quantiser("step=1"), [_laplacian(6, 2, (1.0, 2.0))])
    return coder, coder.encode(_laplacian(7, 1, (1.0, 2.0)), 10, 10)


def test_a_stream_that_is_cut_off_anywhere_is_refused() -> None:
    coder, stream = _stream()
    for length in range(len(stream)):
        with pytest.raises(RequestError, match="cut off" if length >= 4 else "begins no stream"):
            coder.decode(stream[:length])


def test_a_stream_with_any_changed_byte_is_refused() -> None:
    coder, stream = _stream()
    for place in range(len(stream)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(stream)
            damaged[place] ^= change
            with pytest.raises(RequestError, match=r"damaged|cut off|begins no stream"):
                coder.decode(bytes(damaged))


def test_a_stream_that_goes_on_is_refused() -> None:
    coder, stream = _stream()
    with pytest.raises(RequestError, match="damaged"):
        coder.decode(stream + b"\0")


def test_a_stream_of_other_models_is_refused_by_their_name() -> None:
    coder, stream = _stream()
    other = LatentCoder.fit(parse_quantiser("step=1"), [_laplacian(8, 2, (1.0, 2.0))])
    with pytest.raises(RequestError, match=f"with models {coder.model_id.hex()}, not {other.model_id.hex()}"):
        other.decode(stream)


def test_a_latent_of_other_channels_is_refused() -> None:
    coder, _ = _stream()
    with pytest.raises(RequestError, match="of 3 channels does not fit models of 2"):
        coder.encode(np.zeros((1, 1, 3), np.float32), 1, 1)
