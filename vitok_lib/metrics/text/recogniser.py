"""The recogniser of lines of text: PP-OCRv6 small through rapidocr, with the weights in its wheel.

The line is cut out by whoever calls: the detector is not used, since it overlooks lines that are read rightly. Each
line goes through by itself on one thread, so that its reading depends neither on other lines nor on the number of
processors.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks.pins import PINS, check_pinned

NAME = "pp-ocrv6-rec-small"
Read = Callable[[NDArray[np.uint8]], str]
"""The text of one line ``[H, W, 3]``, 8-bit RGB; empty where nothing is read."""


def check_recogniser() -> None:
    """Raise a RequestError, which says what to install, unless the recogniser's packages and weights are here."""
    for package in ("onnxruntime", "rapidocr"):
        if importlib.util.find_spec(package) is None:
            raise RequestError(
                f"reading text needs the package {package}, which is not installed; pip install 'vitok-lib[text]'",
                code="missing-package",
            )
    ((file, digest),) = PINS[NAME].items()
    folder = Path(str(importlib.util.find_spec("rapidocr").origin)).parent  # type: ignore[union-attr]
    check_pinned(NAME, folder / file, digest, "install rapidocr 3.10, which has them in its wheel")


def load_recogniser() -> Read:
    """The recogniser, one for all of a process: what it has read once, such as the originals, it knows again.

    Raises:
        RequestError: a package is missing, cannot be imported, or holds other weights.
    """
    check_recogniser()
    return _loaded()


@cache
def _loaded() -> Read:
    try:
        make = importlib.import_module("rapidocr").RapidOCR
    except (ImportError, OSError) as error:
        raise RequestError(
            f"the packages that read text cannot be imported here ({error}); pip install 'vitok-lib[text]'",
            code="missing-package",
        ) from error
    engine = make(
        params={
            "Global.log_level": "error",
            "Global.use_preprocess_img": False,  # it would resize twice
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    known: dict[bytes, str] = {}

    def read(line: NDArray[np.uint8]) -> str:
        key = hashlib.sha256(repr(line.shape).encode() + line.tobytes()).digest()
        if key not in known:
            found = engine(np.ascontiguousarray(line[..., ::-1]), use_det=False, use_cls=False, use_rec=True)
            known[key] = found.txts[0] if found.txts else ""
        return known[key]

    return read
