"""The built summary as a reader meets it: three questions are answered on the first two screens.

The answers are computed here from the files of the records, with nothing of the report.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from vitok_lib.project import ROOT

SITE = ROOT / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH, SCREEN = 1440, 900
RELEASED = ("350M-", "5B-", "flux", "sd", "sdxl", "qwen", "dc-ae-")


def _measured_on_a_gpu_here() -> bool:
    own = (json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "results" / "local").glob("*/*.json"))
    return any(record["provenance"]["host"].get("gpu") for record in own if record.get("provenance"))


pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the book is not built: run `make book` first"),
    pytest.mark.skipif(_measured_on_a_gpu_here(), reason="your own records of a GPU may change the answers"),
]


@pytest.fixture(scope="module")
def paragraphs() -> Iterator[dict[str, str]]:
    """The paragraphs within the first two screens by the words that they begin with in bold."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": SCREEN})
        page.goto((SITE / "index.html").as_uri())
        script = """(items, end) => items.map(p => [p.querySelector('strong')?.innerText, p.innerText,
            p.getBoundingClientRect().bottom + scrollY]).filter(([bold, , bottom]) => bold && bottom <= end)"""
        found = page.eval_on_selector_all("article p", script, 2 * SCREEN)
        yield {bold: text.replace("\N{NO-BREAK SPACE}", " ") for bold, text, _ in found}
        browser.close()


def records(pattern: str) -> list[dict[str, Any]]:
    """The records of the files that ``pattern`` names, each with its values by quantity."""
    found = []
    for file in sorted((ROOT / "results").glob(pattern)):
        record = json.loads(file.read_text(encoding="utf-8"))
        name = record["tokenizer"]["name"]
        if name.startswith(RELEASED):
            values = {value["quantity"]: value for value in record["values"]}
            found.append({**record, "name": name, "values": values})
    return found


def _three(value: float) -> str:
    """Three significant digits, zeros at the end too."""
    return f"{value:#.3g}".rstrip(".")


def answer(paragraphs: dict[str, str], question: str) -> str:
    (found,) = [text for bold, text in paragraphs.items() if bold.startswith(question)]
    return found


def test_the_best_reconstruction_at_12_to_1(paragraphs: dict[str, str]) -> None:
    by_source: dict[str, dict[str, float]] = {}
    for record in records("published/div8k-1024/*.json"):
        psnr = record["values"].get("psnr")
        if record["tokenizer"]["compression_ratio"] == 12 and psnr and psnr["kind"] == "published":
            by_source.setdefault(record["source"]["name"], {})[record["name"]] = psnr["value"]
    figures = max(by_source.values(), key=len)
    best = max(figures, key=lambda name: figures[name])
    text = answer(paragraphs, "Best reconstruction at 12 : 1")
    assert f"put ViTok-v2 {best} first on DIV8K at 1024 px: {figures[best]:.2f} dB" in text
    assert "Published figures" in text
    assert "Not measured here" in text


def test_4096_px_on_24_gb(paragraphs: dict[str, str]) -> None:
    whole, tiled, peaks = set(), set(), {}
    for record in records("derived/fits-4096/*.json"):
        peak = record["values"]["peak_with_margin"]["value"]
        in_tiles = record["requested"]["tiling"]
        if peak * 2**30 <= 24e9:
            (tiled if in_tiles else whole).add(record["name"])
            peaks |= {} if in_tiles else {record["name"]: peak}
    names = {record["name"] for record in records("derived/fits-4096/*.json")}
    vitoks = {name for name in names if name.startswith(("350M-", "5B-"))}
    measured = {
        record["requested"]["tiling"] if record.get("requested") else bool(record["settings"].get("tiling")): record
        for record in records("h100/memory-4096/flux@*.json")
        if record["settings"].get("attention") != "math"
    }
    text = answer(paragraphs, "4096 px on a 24 GB GPU")
    # What holds of the committed records; another set of them has another sentence.
    assert vitoks < whole < names
    assert tiled == names - vitoks
    others = f"{len(whole - vitoks)} of the {len(names - vitoks)} auto-encoders"
    assert f"all {len(vitoks)} ViToks and {others} fit as a whole" in text
    assert f"in tiles, all {len(names - vitoks)} auto-encoders do" in text
    largest = max(peaks, key=lambda name: peaks[name])
    assert f"{largest} needs {_three(peaks[largest])} GiB" in text.replace("⁼", "")
    untiled, in_tiles = (measured[tiling]["values"]["model_peak"]["value"] for tiling in (False, True))
    assert f"FLUX.1's VAE needs {_three(untiled)} GiB as a whole and {_three(in_tiles)} GiB in tiles" in text.replace(
        "’", "'"
    )


def test_the_fastest_at_1024_px(paragraphs: dict[str, str]) -> None:
    latencies: dict[str, list[float]] = {}
    for record in records("h100/speed-1024/*.json"):
        if record["settings"]["batch"] == 1 and record["outcome"]["status"] == "ok":
            latencies.setdefault(record["name"], []).append(record["values"]["latency"]["value"])
    fastest = min(latencies, key=lambda name: min(latencies[name]))
    text = answer(paragraphs, "Fastest at 1024 px on one NVIDIA H100").replace("’", "'")
    assert f"ViTok-v2 {fastest} takes {_three(min(latencies[fastest]))} ms" in text
    assert f"FLUX.1's VAE takes {_three(min(latencies['flux']))} ms" in text
    assert "Measured with random weights" in text
    assert f"for {len(latencies)} of" in text
