"""The viewer's pages over invented images, and a browser to open them with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.visuals import noise, write_visual
from tests.report.viewer.stage import BAD, BROKEN, FRAME, LARGE, LATENT, MADE, ORIGINAL, SIDE
from vitok_lib.report.viewer.cases import gather
from vitok_lib.report.viewer.site import publish

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Over four invented images: a small one, one of a bad name, one with crops, and one of eleven tokenizers."""
    root = tmp_path_factory.mktemp("viewer")
    made = LARGE.copy()
    made[BROKEN[0] : BROKEN[0] + 16, BROKEN[1] : BROKEN[1] + 16] ^= 255
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(root / "results"))
        write_visual("small", ORIGINAL, MADE, latents={"one": LATENT})
        pair = {"one": noise(60, SIDE, 8), "two": noise(60, SIDE, 9)}
        write_visual(f"{BAD}.png", noise(60, SIDE, 7), pair, left_out={BAD: BAD})
        write_visual("large", LARGE, {"one": made, "two": LARGE}, case="photos-2048")
        write_visual("many", noise(SIDE, SIDE, 20), {f"t{seed}": noise(SIDE, SIDE, 20 + seed) for seed in range(1, 12)})
        publish(gather([]), root / "site")
    (page,) = (root / "site").glob("*small*.html")
    (root / "site" / "frame.html").write_text(FRAME.format(page=page.name))
    return root / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the path")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()
