"""Where other people's figures stand, and what their public code does: repository, commit, file and lines of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from vitok_lib.records.schema import Source

REPOSITORY = "https://github.com/Na-VAE/vitok-release"
RELEASE = "a90f23bdf2d22cd7302bcc4b1ab19227960fc574"
SUMMARY = "d7e85ee7deb84ef301bc18bcf5c73a66bf9f6877"
READ = date(2026, 11, 27)

SOURCES = {
    "evaluation-summary": Source(
        name="evaluation-summary",
        title="ViTok Evaluation Results",
        url=f"{REPOSITORY}/blob/{SUMMARY}/docs/EVAL_SUMMARY.md?plain=1",
        repository=REPOSITORY,
        file="docs/EVAL_SUMMARY.md",
        commit=SUMMARY,
        read=READ,
        note="Names no author, date, weights, machine, batch or run. Values marked * are its authors' guesses.",
    ),
    "project-page": Source(
        name="project-page",
        title="ViTok-v2 project page",
        url="https://na-vae.github.io/vitok-release/",
        repository=REPOSITORY,
        file="docs/index.html",
        commit=RELEASE,
        dated=date(2026, 1, 22),
        read=READ,
        note=(
            "Names no weights and no result file. At commit 1f59993 it gives two machines for its latencies on COCO: "
            "A100-80GB above the tables and H100 below them; for DIV8K an H100, at batch 2 for 4096 px and 1 for "
            "8192 px. It lists FLUX.2's VAE as f8x16 (12 : 1), whose released configuration has 32 channels, and "
            "SDXL's as f8x8 (24 : 1), which has 4."
        ),
    ),
    "vitok-v1": Source(
        name="vitok-v1",
        title="Hansen-Estruch et al. 2025, Learnings from Scaling Visual Tokenizers for Reconstruction and Generation",
        url="https://arxiv.org/html/2501.09755v1",
        repository="https://github.com/deep-diver/ai-paper-reviewer",
        file="content/2025-01-17/2501.09755/index.md",
        commit="0c3d7baedf67fa4f8db27a04b5dac1a6917549ff",
        read=READ,
        note=(
            "Read in a copy of the paper's tables and captions, the file named here, and not on arXiv itself. They "
            "name neither the latent channels of the two ViToks of Table 3 nor how images came to 256 px. Figure 7, "
            "which has more decoders, is a plot without numbers."
        ),
    ),
}


@dataclass(frozen=True)
class CodeStatement:
    """What a file of the public evaluation code does at :data:`RELEASE`; ``lines`` such as "140-143"."""

    text: str
    file: str
    lines: tuple[str, ...]

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each place as "FILE LINES", with its address."""
        addresses = [f"{REPOSITORY}/blob/{RELEASE}/{self.file}#L{lines.replace('-', '-L')}" for lines in self.lines]
        return [(f"{self.file} {lines}", address) for lines, address in zip(self.lines, addresses, strict=True)]


EVALUATION_CODE = {
    "fid": CodeStatement(
        "The Inception network is pytorch-fid's with normalize_input=False, which expects pixels from −1 to 1; it gets "
        "pixels from 0 to 1.",
        "vitok/metrics.py",
        ("140-143", "234-236"),
    ),
    "ssim": CodeStatement(
        "SSIM is taken of float values in [−1, 1] with data_range=2.0; nothing is rounded to 8 bits.",
        "vitok/metrics.py",
        ("96-114",),
    ),
    "fdd": CodeStatement(
        "FDD is taken of DINOv3 ViT-B features at 512 px, by the package dino-perceptual.",
        "vitok/metrics.py",
        ("16", "149", "248-259"),
    ),
    "sampled": CodeStatement(
        "The baselines run in float16, and their latents are sampled without a seed.",
        "scripts/eval/baselines.py",
        ("77", "187", "280"),
    ),
    "flux": CodeStatement(
        'The baseline "flux" is the VAE of FLUX.2-dev; "qwen" is REPA-E/e2e-qwenimage-vae.',
        "scripts/eval/baselines.py",
        ("25", "47"),
    ),
    "timing": CodeStatement(
        "Encoder and decoder are quantised and then compiled; whole batches are timed, without the first.",
        "scripts/eval_vae.py",
        ("84-91", "134-150", "183-185"),
    ),
    "throughput": CodeStatement(
        "Throughput is the number of samples over the whole time, loading and metrics included.",
        "scripts/eval_vae.py",
        ("119", "164", "176"),
    ),
    "div8k": CodeStatement(
        "The data set div8k downloads the validation set of DIV2K.",
        "scripts/modal/setup_data.py",
        ("12", "155-173"),
    ),
}
"""By what it is about. That this code made the published figures is an inference."""
