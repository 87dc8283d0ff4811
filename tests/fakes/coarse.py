"""A plug-in whose reconstructions are coarse, which takes its time, notes what it sees and runs out of memory."""

from __future__ import annotations

from pathlib import Path

COARSE = """
import hashlib, os, time
import torch
from torch.nn.functional import avg_pool2d, interpolate
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

class Coarse:
    spec = TokenizerSpec("coarse", "test", 8, 3, "a test")
    weights = Weights(source="none")
    settings = Settings(device="cpu", dtype="float32")
    def encode(self, images):
        with open(os.environ["COARSE_LOG"], "a") as log:
            log.write(f"{hashlib.sha256(images.numpy().tobytes()).hexdigest()} {os.getpid()}\\n")
        time.sleep(float(os.environ.get("COARSE_SECONDS", "0.1")))
        if images.shape[2:] == (72, 72):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return Latent(avg_pool2d(images, 8, ceil_mode=True).movedim(1, -1), images.shape[2], images.shape[3])
    def decode(self, latent):
        return interpolate(latent.values.movedim(-1, 1), size=(latent.height, latent.width), mode="bilinear")
    def reconstruct(self, images):
        return self.decode(self.encode(images))
"""
"""The module ``coarse``: its tokenizer ``coarse:Coarse`` has no memory for an image of 72 × 72 pixels.

``COARSE_LOG`` gets a line for each image: the sha256 of its values, and the process. One takes ``COARSE_SECONDS``.
"""


def write_coarse(folder: Path) -> None:
    """Write the module ``coarse`` into ``folder``."""
    (folder / "coarse.py").write_text(COARSE, encoding="utf-8")
