"""``vitok check`` reads the built pages: a ranking across rates and a small tokenizer in the summary are found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fakes.records import write_measured
from tests.report.conftest import Site
from vitok_lib.check.rankings import across_rates
from vitok_lib.check.summary import of_no_released_model
from vitok_lib.published.study import write_published
from vitok_lib.report.data.record_view import load

PAIR = ("nano-f16x64", "pca-f16x64")
IMAGES = 6
PAGES = {
    "index": "```{quality-table} div8k-1024\n```\n\n```{toctree}\ndifferences\nrows\nboxes\nruns\n```\n",
    "differences": "```{baseline-table}\n:cases: photos-512\n```\n",
    "rows": "```{best-table}\n:benchmarks: photos\n```\n",
    "boxes": "```{quality-table} photos-512\n:quantities: psnr\n```\n",
    "runs": "```{run-list}\n```\n",
}


def write(results: Path, name: str, psnr: float, bpp: float) -> None:
    spread = [0.1 * index for index in range(IMAGES)]
    samples = {"psnr": [psnr + more for more in spread], "bpp": [bpp] * IMAGES}
    write_measured(results, "cpu", name, "photos-512", samples)


def move_rate(results: Path, name: str, bpp: float) -> None:
    """Plant a ranking across rates: what the pages rank at one rate gets another one."""
    path = results / "cpu" / "photos-512" / f"{name}.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    (value,) = (value for value in record["values"] if value["quantity"] == "bpp")
    value["value"] = bpp
    path.write_text(json.dumps(record), encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two small tokenizers of one rate, ranked in three ways; built once, and each test works on a copy."""
    root = tmp_path_factory.mktemp("pages")
    made = Site(root / "site", root / "results")
    made.folder.mkdir()
    (made.folder / "conf.py").write_text(
        'extensions = ["myst_parser", "vitok_lib.report.sphinx.extension"]\nhtml_theme = "basic"\n'
    )
    for name, text in PAGES.items():
        made.write(name, f"# {name}\n\n{text}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(made.results))
        write_published()
        for name, psnr in zip(PAIR, (30.0, 27.0), strict=True):
            write(made.results, name, psnr, 4.0)
    done = made.build()
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def ranked(built: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    shutil.copytree(built.folder.parent, tmp_path / "copy")
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "copy" / "results"))
    return Site(tmp_path / "copy" / "site" / "_build", tmp_path / "copy" / "results")


def test_a_ranking_at_one_rate_is_no_finding(ranked: Site) -> None:
    assert list(across_rates(ranked.folder, load())) == []


@pytest.mark.parametrize(
    ("page", "others"),
    [("differences", ("vk-best",)), ("rows", (" minus ", "vk-best")), ("boxes", (" minus ", "Highest", "Best"))],
)
def test_a_planted_ranking_across_rates_is_found(ranked: Site, page: str, others: tuple[str, ...]) -> None:
    """By one kind alone: what another one would see is taken from the page."""
    path = ranked.folder / f"{page}.html"
    text = path.read_text(encoding="utf-8")
    for other in others:
        text = text.replace(other, "")
    path.write_text(text, encoding="utf-8")
    move_rate(ranked.results, PAIR[1], 2.0)
    findings = [finding for finding in across_rates(ranked.folder, load()) if f"'{page}.html'" in finding]
    assert findings
    assert "'cpu/photos-512/nano-f16x64' (4 bit/px)" in findings[0]
    assert "'cpu/photos-512/pca-f16x64' (2 bit/px)" in findings[0]


def test_a_rate_that_is_not_known_equals_no_other(ranked: Site) -> None:
    write_measured(ranked.results, "cpu", "jpeg:q=75", "photos-512", {"psnr": [30.0] * IMAGES})
    text = (ranked.folder / "rows.html").read_text(encoding="utf-8").replace("pca-f16x64", "jpeg-q-75")
    (ranked.folder / "rows.html").write_text(text, encoding="utf-8")
    assert any("jpeg_q_75' (rate not known)" in finding for finding in across_rates(ranked.folder, load()))


def test_a_value_that_is_given_with_its_own_compression_is_not_ranked(ranked: Site) -> None:
    page = ranked.folder / "rows.html"
    anchors = [f"runs.html#record-cpu-photos-512-{name}" for name in PAIR]
    value = '<a class="vk vk-measured" href="{}" title="measured: psnr|rgb">30 dB</a>'
    first, second = (value.format(anchor) for anchor in anchors)
    move_rate(ranked.results, PAIR[1], 2.0)
    for own, found in ((" (24 : 1) has ", 0), (" has ", 1)):
        page.write_text(f"<p>One is first with {first}; the other{own}{second}.</p>", encoding="utf-8")
        assert sum("'rows.html'" in finding for finding in across_rates(ranked.folder, load())) == found


def test_a_row_of_a_small_tokenizer_in_the_summary_is_found(ranked: Site) -> None:
    assert "5B-f16x64" in (ranked.folder / "index.html").read_text(encoding="utf-8")
    assert list(of_no_released_model(ranked.folder, load())) == []
    for page in ("rows", "boxes"):
        shutil.copyfile(ranked.folder / f"{page}.html", ranked.folder / "index.html")
        findings = list(of_no_released_model(ranked.folder, load()))
        for name in PAIR:
            sentence = f"page 'index.html' has a row of '{name}', which is no released model: move it to another page"
            assert sentence in findings, page


@pytest.mark.parametrize(("name", "found"), [("flux2", 0), ("jpeg:q=75", 0), ("my-own", 1), ("nano-kl-f8x16", 1)])
def test_a_name_in_a_list_of_models_is_a_released_model_or_a_codec(tmp_path: Path, name: str, found: int) -> None:
    page = (
        f"<table><thead><tr><th>Model</th></tr></thead><tbody><tr><td><p>{name} its VAE</p></td></tr></tbody></table>"
    )
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    assert len(list(of_no_released_model(tmp_path, []))) == found
