"""What the viewer is made of: its maps of errors, the values beside its pictures, its pages on the site."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.fakes.records import measured_record
from tests.fakes.visuals import SETTINGS, identity, noise, sha256_of, write_visual
from tests.report.conftest import Site
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Record
from vitok_lib.records.store import write_record
from vitok_lib.records.visuals import Rule
from vitok_lib.report.data.record_view import load
from vitok_lib.report.viewer.cases import ORIGINAL, captions, gather
from vitok_lib.report.viewer.layers import ERROR_COLOURS, ERROR_TOP, error_map, largest_error, publish

SIDE = 40
MADE = {"one": noise(SIDE, SIDE, 1), "two": noise(SIDE, SIDE, 2)}
MADE_WIDE = {"one": noise(30, 50, 1), "two": noise(30, 50, 2)}
PAGE = "# Viewer\n\n```{viewer}\n```\n"


def colour(text: str) -> list[int]:
    return [int(text[index : index + 2], 16) for index in (1, 3, 5)]


def pixel(*channels: int) -> np.ndarray:
    return np.array([[channels]], np.uint8)


@pytest.mark.parametrize(
    ("reconstruction", "level"),
    [((100, 100, 100), 0), ((103, 100, 100), 1), ((90, 110, 100), 7), ((255, 255, 255), ERROR_TOP)],
    ids=["equal", "mean-of-channels", "signs-do-not-cancel", "above-the-scale"],
)
def test_an_error_has_the_colour_of_its_level(reconstruction: tuple[int, int, int], level: int) -> None:
    drawn = error_map(pixel(100, 100, 100), pixel(*reconstruction))
    assert drawn[0, 0].tolist() == colour(ERROR_COLOURS[level])


def test_the_square_of_the_largest_error_is_found_in_any_corner() -> None:
    original = np.zeros((60, 90, 3), np.uint8)
    for y, x in ((0, 0), (40, 70), (59, 89)):
        made = original.copy()
        made[y, x] = 200
        found = largest_error(original, [original, made], 20)
        assert abs(found[0] - x - 0.5) <= 10
        assert abs(found[1] - y - 0.5) <= 10
        assert 10 <= found[0] <= 80
        assert 10 <= found[1] <= 50


def test_published_pictures_are_lossless(results: Path, tmp_path: Path) -> None:
    original, made = noise(30, 50, 0), noise(30, 50, 1)
    write_visual("wide", original, {"one": made})
    (shown,) = gather([])
    (view,), start = publish(shown, tmp_path / "site")
    assert (view.width, view.height) == (50, 30)
    assert (start.view, start.x, start.y) == (0, 25, 15)
    files = {view.files[ORIGINAL]: original, view.files["one"]: made, view.errors["one"]: error_map(original, made)}
    for file, expected in files.items():
        assert np.array_equal(np.asarray(Image.open(tmp_path / "site" / file).convert("RGB")), expected)


def test_a_latent_is_published_as_squares_of_its_positions_and_ends_with_the_image(
    results: Path, tmp_path: Path
) -> None:
    """Positions of 8 pixels: the last row and column reach over an image of 30 × 50."""
    latent = noise(4, 7, 3)
    write_visual("wide", noise(30, 50, 0), MADE_WIDE, latents={"one": latent})
    (view,), _ = publish(gather([])[0], tmp_path)
    enlarged = latent.repeat(8, axis=0).repeat(8, axis=1)[:30, :50]
    assert np.array_equal(np.asarray(Image.open(tmp_path / view.latents["one"]).convert("RGB")), enlarged)
    assert "two" not in view.latents


def test_the_latent_of_a_large_image_is_shown_with_its_overview_alone(results: Path, tmp_path: Path) -> None:
    original = noise(1040, 1100, 0)
    write_visual("large", original, {"one": original}, case="photos-2048", latents={"one": noise(130, 138, 1)})
    views, _ = publish(gather([])[0], tmp_path)
    assert [list(view.latents) for view in views] == [["one"], *[[]] * (len(views) - 1)]
    drawn = np.asarray(Image.open(tmp_path / views[0].latents["one"]).convert("RGB"))
    assert drawn.shape == (views[0].height, views[0].width, 3)


def test_a_large_image_opens_on_the_crop_of_its_largest_error(results: Path, tmp_path: Path) -> None:
    original = noise(1300, 1100, 0)
    made = original.copy()
    made[900:920, 300:320] ^= 255
    write_visual("large", original, {"one": made}, case="photos-2048")
    (shown,) = gather([])
    views, start = publish(shown, tmp_path / "site")
    assert shown.visual.views[start.view].rule is Rule.LARGEST_ERROR
    assert start.side == views[start.view].width


def test_a_picture_that_is_there_is_not_drawn_again(results: Path, tmp_path: Path) -> None:
    write_visual("a", noise(SIDE, SIDE, 0), MADE)
    (shown,) = gather([])
    files = [tmp_path / name for name in publish(shown, tmp_path)[0][0].files.values()]
    before = [path.stat().st_mtime_ns for path in files]
    publish(shown, tmp_path)
    assert [path.stat().st_mtime_ns for path in files] == before


def test_a_picture_that_was_replaced_or_lost_is_named(results: Path, tmp_path: Path) -> None:
    path = write_visual("a", noise(SIDE, SIDE, 0), MADE)
    (shown,) = gather([])
    Image.fromarray(noise(SIDE, SIDE, 9)).save(path.parent / "1-0.png")
    with pytest.raises(RequestError, match=r"1-0.png' is not the one that was kept"):
        publish(shown, tmp_path)
    (path.parent / "1-0.png").unlink()
    with pytest.raises(RequestError, match=r"1-0.png' cannot be read: No such file"):
        publish(shown, tmp_path)


def write_record_of(root: Path, image: str, psnr: float, weights: str = "shipped", batch: int = 1) -> None:
    record: Record = measured_record("nano-f16x64", "photos-256", {"psnr": [psnr]}, file="one.parquet")
    settings = SETTINGS.model_copy(update={"batch": batch})
    record = record.model_copy(update={"tokenizer": identity("one", weights), "settings": settings})
    write_record(record, root / "cpu" / "photos-256" / "one.json")
    frame = pd.DataFrame({"image": [image], "sha256": [sha256_of(image)], "psnr": [psnr], "ssim": [0.5]})
    frame.to_parquet(root / "cpu" / "photos-256" / "one.parquet", index=False)


def test_the_values_of_an_image_are_those_of_its_record(results: Path) -> None:
    write_visual("a", noise(SIDE, SIDE, 0), MADE)
    write_record_of(results, "a", 27.5, batch=4)
    (shown,) = gather(load())
    values, entry = shown.measured["one"]
    assert values == {"psnr": 27.5, "ssim": 0.5}
    told = captions(shown)[0]["one"]
    assert "27.50 dB, SSIM 0.500" in told
    assert entry is not None
    assert f'href="../runs.html#{entry.anchor}"' in told


@pytest.mark.parametrize(("image", "weights"), [("b", "shipped"), ("a", "random:0")], ids=["image", "weights"])
def test_a_record_of_another_image_or_of_other_weights_is_not_its_record(
    image: str, weights: str, results: Path
) -> None:
    write_visual("a", noise(SIDE, SIDE, 0), MADE)
    write_record_of(results, image, 27.5, weights)
    (shown,) = gather(load())
    assert shown.measured["one"] == ({"psnr": 30.25, "ssim": 0.75}, None)
    assert "no record holds this image" in captions(shown)[0]["one"]


def test_a_users_own_pictures_go_before_the_committed_ones(results: Path) -> None:
    for study in ("cpu", "local"):
        write_visual("a", noise(SIDE, SIDE, 0), MADE, study=study)
    write_visual("b", noise(SIDE, SIDE, 0), MADE, study="cpu")
    paths = [shown.path.relative_to(results).parts[0] for shown in gather([])]
    assert paths == ["local", "cpu"]


def test_names_are_escaped_in_captions_and_in_page_names(results: Path) -> None:
    bad = '<img src=x onerror="alert(1)">'
    write_visual(f"{bad}.png", noise(SIDE, SIDE, 0), {bad: MADE["one"], "two": MADE["two"]})
    (shown,) = gather([])
    assert re.fullmatch(r"[A-Za-z0-9._-]+", shown.page)
    told = captions(shown)[0]
    assert "<img" not in told[bad]
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in told[bad]


def test_a_manifest_with_an_unknown_field_is_named(results: Path) -> None:
    path = write_visual("a", noise(SIDE, SIDE, 0), MADE)
    path.write_text(path.read_text().replace('"benchmark"', '"benchmrak"'))
    with pytest.raises(RequestError, match=r"visual.json' is not valid: benchmark: Field required"):
        gather([])


def test_without_pictures_the_page_names_the_command(site: Callable[..., Site]) -> None:
    made = site(viewer=PAGE)
    made_build(made)
    assert re.search(r"appear here after .*vitok.*run.*viewer", made.html("viewer"))
    assert "<iframe" not in made.html("viewer")
    assert not list((made.folder / "_build").glob("viewer/*"))


def test_pages_come_with_pictures_and_go_with_them(site: Callable[..., Site]) -> None:
    made = site(viewer=PAGE)
    first = write_visual("a", noise(SIDE, SIDE, 0), MADE)
    write_visual("b", noise(1100, 900, 0), {"one": noise(1100, 900, 1)}, case="photos-2048")
    made_build(made)
    pages = made.folder / "_build" / "viewer"
    assert len(list(pages.glob("*.html"))) == 2
    for page in pages.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        wanted = re.findall(r'<script src="([^"?]+)"', text) + re.findall(r"img/\w+\.webp", text)
        assert wanted
        assert all((pages / name).exists() for name in wanted)
        assert not re.search("https?://", text)
        assert page.name in made.html("viewer")
    for path in first.parent.iterdir():
        path.unlink()
    made_build(made)
    (left,) = pages.glob("*.html")
    assert "photos-2048" in left.name
    needed = set(re.findall(r"img/(\w+\.webp)", left.read_text(encoding="utf-8")))
    assert {path.name for path in (pages / "img").iterdir()} == needed
    assert made.html("viewer").count("photos-256") == 0


def made_build(site: Site) -> None:
    text = (site.folder / "conf.py").read_text()
    if "viewer_directives" not in text:
        extended = text.replace(
            '"vitok_lib.report.sphinx.extension"',
            '"vitok_lib.report.sphinx.extension", "vitok_lib.report.sphinx.viewer_directives"',
        )
        (site.folder / "conf.py").write_text(extended)
    build = site.build()
    assert build.returncode == 0, build.stdout + build.stderr


def test_the_viewer_is_made_without_torch() -> None:
    modules = "vitok_lib.report.viewer.site, vitok_lib.report.sphinx.viewer_directives"
    script = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
