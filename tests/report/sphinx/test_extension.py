"""The extension on small projects: what is missing fails the build, what changes is made anew."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.records import write_all, write_measured
from tests.report.conftest import Site
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import Entry, find, load
from vitok_lib.report.figures import quality as figures
from vitok_lib.report.findings import quality as claims
from vitok_lib.report.tables import by_image
from vitok_lib.report.tables.quality import quality_table

MakeSite = Callable[..., Site]
VALUE = "# Index\n\nIt is {value}`photos-512/nano-f16x64:psnr`.\n"


def write_two(results: Path, level: float = 30.0, study: str = "cpu") -> None:
    write_measured(results, study, "nano-f16x64", "photos-512", {"psnr": [level, level + 2]})
    write_measured(results, study, "pca-f16x64", "photos-512", {"psnr": [27.0, 28.5]})


def test_a_value_shows_kind_interval_tooltip_and_link(site: MakeSite, results: Path) -> None:
    write_two(results)
    made = site(index=VALUE)
    build = made.build()
    assert build.returncode == 0, build.stderr
    html = made.html("index")
    (link,) = re.findall(r'<a class="vk vk-measured"[^>]*>31\.00 dB</a>', html)
    assert 'href="runs.html#record-cpu-photos-512-nano-f16x64"' in link
    for fact in ("study cpu", "n = 2 images", "95% interval", "psnr|rgb|u8|per-image-mean|v1"):
        assert fact in link
    assert "[18.29, 43.71]" in html
    runs = made.html("runs")
    assert 'id="record-cpu-photos-512-nano-f16x64"' in runs
    assert "vitok eval nano-f16x64 --images photos --resolution 512" in re.sub("<[^>]+>", "", runs)
    copied = made.folder / "_build" / "records" / "cpu" / "photos-512" / "nano-f16x64.json"
    assert 'href="records/cpu/photos-512/nano-f16x64.json"' in runs
    assert json.loads(copied.read_text())["tokenizer"]["name"] == "nano-f16x64"


@pytest.mark.parametrize(
    ("page", "named"),
    [
        ("{value}`photos-512/nano-f16x65:psnr`", "no record 'photos-512/nano-f16x65'"),
        ("```{quality-table} photos-512\n:tokenizers: nano-f32x64\n```", "no record of nano-f32x64 for 'photos-512'"),
        ("```{quality-table} photos-512\n:quantities: psnr fid\n```", "no record of 'photos-512' holds fid"),
    ],
    ids=["value", "tokenizer", "quantity"],
)
def test_what_is_missing_fails_the_build_and_is_named(site: MakeSite, results: Path, page: str, named: str) -> None:
    write_two(results)
    build = site(index=f"# Index\n\n{page}\n").build()
    assert build.returncode != 0
    assert f"page 'index': {named}" in build.stderr


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda all_: find(all_, "photos-512/nano-f16x65"), "did you mean photos-512/nano-f16x64"),
        (lambda all_: find(all_, "h200/photos-512/nano-f16x64"), "no record 'h200/photos-512/nano-f16x64'"),
        (lambda all_: find(all_, "photos-512/nano-f16x64").value("lpips"), "no quantity 'lpips'; it has: psnr"),
        (lambda all_: quality_table(all_, "photos-513", ["psnr"]), "'photos-513'; did you mean photos-512?"),
        (lambda all_: quality_table(all_, "photos-512", ["fid"]), "holds fid; they hold: psnr"),
        (lambda all_: claims.distance_to_baseline(all_, "photos-256", "psnr"), "no record of 'photos-256'"),
        (lambda all_: figures.by_tokenizer(all_, ["leaves-512"], "psnr"), "no record of 'leaves-512'"),
        (
            lambda all_: by_image.image_table(all_, "photos-512", "ssim"),
            "nothing measured in 'photos-512' holds 'ssim'",
        ),
        (lambda all_: figures.by_resolution(all_, "photos", "psnr"), "'psnr' at two resolutions of 'photos'"),
    ],
)
def test_what_is_asked_in_vain_is_named(results: Path, ask: Callable[[list[Entry]], object], named: str) -> None:
    write_two(results)
    with pytest.raises(RequestError, match=re.escape(named)):
        ask(load())


def test_an_invalid_record_fails_the_build_and_is_named(site: MakeSite, results: Path) -> None:
    write_two(results)
    path = results / "cpu" / "photos-512" / "broken.json"
    path.write_text("{}")
    build = site(index=VALUE).build()
    assert build.returncode != 0
    assert str(path) in build.stderr


def test_changed_new_and_removed_records_refresh_the_pages(site: MakeSite, results: Path) -> None:
    write_two(results)
    made = site(index=VALUE + "\n```{quality-table} photos-512\n:quantities: psnr\n```\n", other="# No record here\n")
    assert made.build().returncode == 0
    untouched = (made.folder / "_build" / "other.html").stat().st_mtime_ns

    write_two(results, level=33.0)
    assert made.build().returncode == 0
    assert made.html("index").count("34.00") == 2

    write_measured(results, "cpu", "nano-f16x32", "photos-512", {"psnr": [29.0, 29.5]})
    write_two(results, level=40.0, study="local")
    assert made.build().returncode == 0
    assert "nano-f16x32" in made.html("index")
    assert made.html("index").count("41.00") == 2, "the user's own run goes before the committed one"
    assert 'id="record-local-photos-512-nano-f16x64"' in made.html("runs")

    (results / "local" / "photos-512" / "nano-f16x64.json").unlink()
    (results / "cpu" / "photos-512" / "nano-f16x64.json").unlink()
    build = made.build()
    assert build.returncode != 0
    assert "no record 'photos-512/nano-f16x64'" in build.stderr
    assert (made.folder / "_build" / "other.html").stat().st_mtime_ns == untouched


def test_a_build_with_everything_in_it_imports_no_torch(site: MakeSite, results: Path) -> None:
    write_all(results)
    page = "\n".join(
        [
            "# Index",
            "```{findings} best\n:cases: photos-512\n```",
            "```{findings} baseline\n:cases: photos-512\n```",
            "```{findings} bias\n:cases: photos-512\n:quantity: fd-random\n```",
            "```{findings} counts\n```",
            "```{quality-table} photos-512\n:quantities: all\n```",
            "```{pairs-table} photos-512\n```",
            "```{image-table} challenge-384\n```",
            "```{baseline-table}\n:cases: photos-512\n```",
            "```{result-figure} by-tokenizer\n:cases: photos-512\n```",
            "```{result-figure} rate-and-quality\n:cases: photos-512\n```",
            "```{result-figure} bits-and-quality\n:cases: photos-512\n```",
            "```{result-figure} distance-by-n\n:cases: photos-512\n:quantity: fd-random\n```",
            "```{result-figure} by-resolution\n:benchmark: photos\n```",
            *(
                f"```{{reference-table}} {name}\n```"
                for name in ("machines", "sources", "image sets", "signatures", "photographs", "training")
            ),
        ]
    )
    made = site(index=page)
    build = made.build(after="assert 'torch' not in sys.modules")
    assert build.returncode == 0, build.stderr
    images = re.findall(r'<img alt="([^"]+)" src="([^"]+)"', made.html("index"))
    assert len(images) == 6
    assert images[0][0].startswith("PSNR of each single image."), "six images are too few to test all pairs"
    assert all(len(alt) > 40 and (made.folder / "_build" / source).exists() for alt, source in images)
    built = (made.folder / "_build" / "index.html").stat().st_mtime_ns
    assert made.build().returncode == 0
    assert (made.folder / "_build" / "index.html").stat().st_mtime_ns == built, "nothing changed, nothing is re-made"
