"""Does a tokenizer fit on a GPU, and how long does it take there at least? From a prediction that a record keeps.

A record of the benchmark ``fits`` holds what a tokenizer takes in one configuration, by arithmetic on its architecture.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.cost.flops import SideFlops
from vitok_lib.cost.gpus import Gpu
from vitok_lib.cost.peak_rates import GIGA, TERA
from vitok_lib.cost.roofline import least_seconds
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Record, Value
from vitok_lib.tokenizers.registry import CONVOLUTIONAL

FITS = "fits"
"""The benchmark of records that hold predictions."""
SIZES_GB = (8, 16, 24, 48, 80)
"""Memory of common GPUs in 10⁹ bytes."""
GIB = 2**30


@dataclass(frozen=True)
class Predicted:
    """Bytes of the weights, of the peak of an evaluation and of that peak with its margin; FLOPs of each side, and the
    bytes that each cannot but move: its weights and the image.
    """

    weights: int
    peak: int
    peak_with_margin: int
    encode: SideFlops
    decode: SideFlops
    encode_moved: int
    decode_moved: int

    def values(self) -> tuple[Value, ...]:
        """As a record holds them; :func:`predicted` reads them."""
        numbers = {
            "weights": (self.weights / GIB, "GiB"),
            "predicted_peak": (self.peak / GIB, "GiB"),
            "peak_with_margin": (self.peak_with_margin / GIB, "GiB"),
            "encode_linear": (self.encode.linear / TERA, "TFLOP"),
            "encode_attention": (self.encode.attention / TERA, "TFLOP"),
            "decode_linear": (self.decode.linear / TERA, "TFLOP"),
            "decode_attention": (self.decode.attention / TERA, "TFLOP"),
            "encode_traffic": (self.encode_moved / GIGA, "GB"),
            "decode_traffic": (self.decode_moved / GIGA, "GB"),
        }
        return tuple(
            Value(quantity=name, value=value, unit=unit, kind=Kind.DERIVED) for name, (value, unit) in numbers.items()
        )

    def least_seconds(self, gpu: Gpu, precision: str | None = None) -> float:
        """A lower bound: what encoding and decoding take at the peaks of the GPU's data sheet.

        Raises:
            RequestError: the GPU has no fp8 units and ``precision`` asks for them.
        """
        rates = gpu.rates(precision)
        sides = ((self.encode, self.encode_moved), (self.decode, self.decode_moved))
        return sum(least_seconds(flops, moved, rates) for flops, moved in sides)


def predicted(record: Record) -> Predicted:
    """What a record of the benchmark ``fits`` holds."""
    held = {value.quantity: value.value for value in record.values}
    weights, peak, with_margin = (round(held[name] * GIB) for name in ("weights", "predicted_peak", "peak_with_margin"))
    encode, decode = (
        SideFlops(round(held[f"{side}_linear"] * TERA), round(held[f"{side}_attention"] * TERA))
        for side in ("encode", "decode")
    )
    moved = (round(held[f"{side}_traffic"] * GIGA) for side in ("encode", "decode"))
    return Predicted(weights, peak, with_margin, encode, decode, *moved)


def configuration_text(family: str, config: RunConfig) -> str:
    """How a tokenizer runs, in a few words; bf16 on a GPU and one image at a time are not said."""
    words = []
    if family == "vitok":
        words.append("full attention" if config.window is None else f"window {config.window}")
    elif family in CONVOLUTIONAL and config.tile is None:
        words.append("in tiles" if config.tiling else "untiled")
    usual = {"device": "cuda", "dtype": "bfloat16"}
    words += [
        f"{name} {value}"
        for name, value in config.options.items()
        if usual.get(name) != value and name not in ("window", "tiling")
    ]
    return ", ".join(words)
