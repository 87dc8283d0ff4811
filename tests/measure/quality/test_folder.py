"""Reconstructions made elsewhere, scored by their files: values, pairing, identity, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.fakes.terminal import status_of
from vitok_lib.check.record import of_record
from vitok_lib.errors import RequestError
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.memory.peak import measure_memory
from vitok_lib.measure.pictures.visuals import make_visuals
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.speed.profile import measure_profile
from vitok_lib.measure.studies.tiling import measure_tiling
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import iterate, read_samples
from vitok_lib.records.visuals import iterate_visuals
from vitok_lib.report.data.paired import paired
from vitok_lib.report.data.protocol import by_protocol
from vitok_lib.report.data.record_view import load
from vitok_lib.tokenizers.load import load_tokenizer

SIZES = {"a.png": (40, 24), "sub/b.png": (31, 50), "sub/c.photo.png": (16, 16)}


def _write(folder: Path, name: str, pixels: NDArray[np.uint8]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pixels() -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(3)
    return {name: rng.integers(20, 230, (*size, 3), np.uint8) for name, size in SIZES.items()}


@pytest.fixture
def originals(tmp_path: Path, pixels: dict[str, NDArray[np.uint8]]) -> Path:
    for name, image in pixels.items():
        _write(tmp_path / "originals", name, image)
    return tmp_path / "originals"


@pytest.fixture
def recon(tmp_path: Path, pixels: dict[str, NDArray[np.uint8]]) -> Path:
    """Each image brighter by 1, 2 and 3 levels, in another format."""
    for by, (name, image) in enumerate(pixels.items(), 1):
        _write(tmp_path / "recon", name.replace(".png", ".bmp"), image + np.uint8(by))
    return tmp_path / "recon"


def _evaluated(recon: Path, originals: Path, **options: object) -> Record:
    config = RunConfig(name=f"folder:{recon}", **{k: options.pop(k) for k in ("bytes", "batch") if k in options})
    return evaluate(config, images=originals, resolution="native", **options)  # type: ignore[arg-type]


def _psnr(difference: int) -> float:
    return 20 * math.log10(255 / difference)


def test_files_of_the_same_name_are_scored_at_native_size_whatever_their_extensions(
    recon: Path, originals: Path
) -> None:
    record = _evaluated(recon, originals)
    value = record.value("psnr")
    assert record.outcome.status is OutcomeStatus.OK
    assert value is not None
    assert value.interval is not None
    assert value.value == pytest.approx(np.mean([_psnr(by) for by in (1, 2, 3)]), abs=1e-12)
    assert (record.tokenizer.name, record.benchmark[-7:], record.resolution) == ("folder:recon", "-native", 50)
    ((path, kept),) = iterate()
    table = read_samples(path, kept)
    assert table["psnr"].tolist() == pytest.approx([_psnr(by) for by in (1, 2, 3)])
    assert table[["height", "width"]].values.tolist() == [list(size) for size in SIZES.values()]
    assert not list(of_record(path, kept))


def test_images_that_go_through_together_get_each_its_own_file(tmp_path: Path) -> None:
    for index in range(4):
        _write(tmp_path / "o", f"{index}.png", np.full((16, 16, 3), 100 + index, np.uint8))
        _write(tmp_path / "r", f"{index}.png", np.full((16, 16, 3), 100 + 2 * index + 1, np.uint8))
    value = _evaluated(tmp_path / "r", tmp_path / "o", batch=4).value("psnr")
    assert value is not None
    assert value.value == pytest.approx(np.mean([_psnr(index + 1) for index in range(4)]))


def test_a_stream_is_counted_to_the_bit(recon: Path, originals: Path, tmp_path: Path) -> None:
    lengths = {"a.bin": 7, "sub/b.png.bin": 100, "sub/c.photo.bin": 3}
    for name, length in lengths.items():
        path = tmp_path / "streams" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(length))
    record = _evaluated(recon, originals, bytes=str(tmp_path / "streams"))
    value = record.value("bpp")
    rates = [8 * length / (h * w) for length, (h, w) in zip(lengths.values(), SIZES.values(), strict=True)]
    assert value is not None
    assert value.value == pytest.approx(np.mean(rates))
    assert value.signature is not None
    assert value.signature.startswith("bpp|stream")
    (tmp_path / "streams" / "a.bin").write_bytes(b"")
    with pytest.raises(RequestError, match=r"the folder of streams holds an empty file for image 'a\.png'"):
        _evaluated(recon, originals, bytes=str(tmp_path / "streams"))
    (tmp_path / "streams" / "a.bin").unlink()
    with pytest.raises(RequestError, match=r"the folder of streams holds no file for image 'a\.png'"):
        _evaluated(recon, originals, bytes=str(tmp_path / "streams"))


def test_the_recorded_command_gives_the_configuration_back(recon: Path, originals: Path) -> None:
    record = _evaluated(recon, originals)
    assert record.provenance is not None
    measurement = parse(record.provenance.command)
    assert measurement.configs == (record.requested,)
    assert measurement.request["resolution"] == "native"
    again = evaluate(measurement.configs[0], images=originals, resolution=measurement.request["resolution"])
    assert again == record  # from the record


def test_a_folder_that_moved_is_answered_and_a_changed_one_is_measured_again(
    recon: Path, originals: Path, tmp_path: Path
) -> None:
    first = _evaluated(recon, originals)
    (tmp_path / "elsewhere").mkdir()
    moved = recon.rename(tmp_path / "elsewhere" / "recon")
    assert _evaluated(moved, originals) == first
    one, other = (moved / "a.bmp").read_bytes(), np.zeros((40, 24, 3), np.uint8)
    _write(moved, "a.bmp", other)
    changed = _evaluated(moved, originals)
    assert changed.value("psnr") != first.value("psnr")
    (moved / "a.bmp").write_bytes(one)
    assert _evaluated(moved, originals) == first


def test_files_that_change_places_are_another_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        image = rng.integers(0, 256, (16, 16, 3), np.uint8)
        _write(tmp_path / "o", name, image)
        _write(tmp_path / "r", name, image // 2)
    before = _evaluated(tmp_path / "r", tmp_path / "o").value("psnr")
    (tmp_path / "r" / "a.png").rename(tmp_path / "r" / "x")
    (tmp_path / "r" / "b.png").rename(tmp_path / "r" / "a.png")
    (tmp_path / "r" / "x").rename(tmp_path / "r" / "b.png")
    after = _evaluated(tmp_path / "r", tmp_path / "o").value("psnr")
    assert before is not None
    assert after is not None
    assert after.value < before.value


def test_originals_given_as_reconstructions_are_infinitely_like_and_said_to_be(
    originals: Path, pixels: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    for name, image in pixels.items():
        _write(tmp_path / "copies", name.replace(".png", ".tiff"), image)
    for folder in (originals, tmp_path / "copies"):
        record = _evaluated(folder, originals)
        assert "identical to the originals" in str(record.outcome.detail)
        value = record.value("psnr")
        assert value is not None
        assert (value.value, value.interval) == (math.inf, None)
    for path, kept in iterate():
        assert kept.value("psnr") is not None
        assert '"Infinity"' in path.read_text(encoding="utf-8")  # which is JSON, as Infinity is not
        assert read_samples(path, kept)["psnr"].tolist() == [math.inf] * 3
        assert not list(of_record(path, kept))


def test_one_equal_image_among_others_counts_as_100_db(
    recon: Path, originals: Path, pixels: dict[str, NDArray[np.uint8]]
) -> None:
    _write(recon, "a.bmp", pixels["a.png"])
    record = _evaluated(recon, originals)
    value = record.value("psnr")
    assert value is not None
    assert value.value == pytest.approx(np.mean([100, _psnr(2), _psnr(3)]))
    assert record.outcome.detail is None


def test_a_file_of_another_size_or_damaged_is_one_images_outcome(recon: Path, originals: Path) -> None:
    _write(recon, "a.bmp", np.zeros((24, 40, 3), np.uint8))
    (recon / "sub" / "b.bmp").write_bytes(b"BM")
    record = _evaluated(recon, originals)
    detail = str(record.outcome.detail)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert (record.outcome.done, record.outcome.failed) == (1, 2)
    assert "has 24 × 40 px, and its original 40 × 24 px" in detail
    assert "cannot read image" in detail
    assert str(recon / "sub" / "b.bmp") in detail


def test_many_files_of_another_size_do_not_stop_the_run(tmp_path: Path) -> None:
    for index in range(5):
        _write(tmp_path / "o", f"{index}.png", np.full((16, 16, 3), index, np.uint8))
        _write(tmp_path / "r", f"{index}.png", np.full((16, 16 if index == 4 else 15, 3), 9, np.uint8))
    outcome = _evaluated(tmp_path / "r", tmp_path / "o").outcome
    assert (outcome.done, outcome.failed) == (1, 4)


def test_a_subset_needs_the_files_of_its_own_images_alone(recon: Path, originals: Path) -> None:
    (recon / "sub" / "c.photo.bmp").unlink()
    assert _evaluated(recon, originals, samples=2).outcome.status is OutcomeStatus.OK


def _streams(place: Path) -> Path:
    """A stream of 100 bytes for each image."""
    for name in SIZES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(bytes(100))
    return place


def test_streams_are_those_of_the_folder_among_several_tokenizers(
    recon: Path, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--images", str(originals), "--resolution", "native", "--metrics", "psnr,bpp"]
    names = [f"folder:{recon}", "jpeg:q=90"]
    assert status_of(monkeypatch, "eval", *names, *asked, "--bytes", str(_streams(tmp_path / "streams"))) == 0
    rates = {entry.record.tokenizer.name: entry.record.value("bpp") for entry in load()}
    mean = np.mean([800 / (height * width) for height, width in SIZES.values()])
    assert rates["folder:recon"] is not None
    assert rates["folder:recon"].value == pytest.approx(mean)
    assert rates["jpeg:q=90"] is not None
    assert rates["jpeg:q=90"].value != pytest.approx(mean)


def test_streams_of_several_folders_are_ambiguous(
    recon: Path, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"folder:{recon}", f"folder:{originals}"]
    asked = ["--images", str(originals), "--resolution", "native", "--bytes", str(tmp_path)]
    assert status_of(monkeypatch, "eval", *names, *asked) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "holds the streams of one folder, and 2 are named" in error
    assert all(name in error for name in names)


def _pair(recon: Path, name: str, other: str) -> None:
    (recon / other).write_bytes((recon / name).read_bytes())


@pytest.mark.parametrize(
    ("change", "words", "sentence"),
    [
        (lambda r, o: (r / "a.bmp").unlink(), [], "'folder:recon' holds no file for image 'a.png'"),
        (lambda r, o: _pair(r, "a.bmp", "d.bmp"), [], "'folder:recon' holds file 'd.bmp' of no image of the set"),
        (lambda r, o: _pair(r, "a.bmp", "a.webp"), [], "holds 2 files ('a.bmp', 'a.webp') for image 'a.png'"),
        (
            lambda r, o: _write(o, "a.jpg", np.zeros((9, 9, 3), np.uint8)),
            [],
            "holds one file 'a.bmp' for 2 images ('a.jpg', 'a.png')",
        ),
        (
            lambda r, o: (_pair(o, "a.png", "z.png"), _pair(r, "sub/b.bmp", "z.bmp")),
            [],
            "holds unequal files for 2 images ('a.png', 'z.png'), whose originals are equal",
        ),
        (lambda r, o: r.rename(r.with_name("x")), [], "recon'"),
        (lambda r, o: None, ["--bytes", "/no/such"], "there is no folder '/no/such'"),
        (lambda r, o: None, ["--metrics", "bpp"], "bpp of 'folder:recon' needs the streams: --bytes FOLDER"),
        (lambda r, o: None, ["--tiling"], "tiling"),
        (lambda r, o: None, ["--window", "3"], "window"),
        (lambda r, o: None, ["--weights", "random"], "cannot be random"),
        (lambda r, o: None, ["--rule", "cap"], "size rule 'cap' needs a resolution in pixels"),
        (lambda r, o: None, ["--rule", "native"], "size rule 'native' takes no pixels"),
        (lambda r, o: None, ["--resolution", "natve"], "resolution 'natve' must be a whole number of pixels"),
        (lambda r, o: None, ["--images", "leaves"], "no native size"),
    ],
)
def test_what_cannot_be_paired_is_one_sentence_and_status_2(
    change, words, sentence, recon: Path, originals: Path, monkeypatch, capsys
) -> None:
    change(recon, originals)
    asked = ["--images", str(originals), "--resolution", "native"]
    status = status_of(monkeypatch, "eval", f"folder:{recon}", *asked, *words)
    error = capsys.readouterr().err
    assert (status, error.count("\n")) == (2, 1)
    assert sentence in error


@pytest.mark.parametrize(
    "words",
    [
        ["speed", "folder:x", "--resolution", "64"],
        ["plan", "folder:x", "--resolution", "64"],
        ["conform", "folder:x"],
        ["eval", "jpeg", "--images", "leaves", "--resolution", "64", "--bytes", "x"],
    ],
)
def test_what_a_folder_cannot_do_and_a_codec_has_not_is_one_sentence(words, monkeypatch, capsys) -> None:
    status = status_of(monkeypatch, *words)
    error = capsys.readouterr().err
    assert (status, error.count("\n")) == (2, 1)
    assert words[1] in error


def test_any_tokenizer_is_measured_at_native_size(originals: Path) -> None:
    native = evaluate("jpeg", images=originals, resolution="native", metrics=["psnr", "bpp"])
    capped = evaluate("jpeg", images=originals, resolution=50, metrics=["psnr", "bpp"])
    assert [v.value for v in native.values] == [v.value for v in capped.values]  # no image is longer
    assert native.images.rule != capped.images.rule
    assert native.benchmark == f"{capped.benchmark}-native"


def test_a_reconstruction_is_read_as_an_original_is(tmp_path: Path) -> None:
    # Upright by EXIF, and transparent pixels on white: both files then hold the white image that the original is.
    _write(tmp_path / "o", "turned.png", np.full((12, 20, 3), 255, np.uint8))
    _write(tmp_path / "o", "clear.png", np.full((12, 21, 3), 255, np.uint8))
    (tmp_path / "r").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (12, 20), "white").save(tmp_path / "r" / "turned.jpg", exif=exif)
    Image.new("RGBA", (21, 12), (9, 9, 9, 0)).save(tmp_path / "r" / "clear.webp", lossless=True)
    record = _evaluated(tmp_path / "r", tmp_path / "o")
    assert record.outcome.status is OutcomeStatus.OK
    assert "identical" in str(record.outcome.detail)


def test_images_whose_names_have_no_extension_and_are_drawn_pair_as_well(tmp_path: Path) -> None:
    leaves = open_image_set("leaves")
    for name in leaves.names()[:2]:
        _write(tmp_path / "r", f"{name}.png", leaves.load(name, 32) // 2)
    config = RunConfig(name=f"folder:{tmp_path / 'r'}")
    assert evaluate(config, images="leaves", resolution=32, samples=2).outcome.done == 2
    outcome = evaluate(config, images="leaves", resolution=64, samples=1).outcome
    assert "has 32 × 32 px, and its original 64 × 64 px" in str(outcome.detail)


def test_folders_of_one_rate_are_compared_image_by_image_and_originals_take_no_part(
    recon: Path, originals: Path, pixels: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    for name, image in pixels.items():
        _write(tmp_path / "worse", name, image + np.uint8(6))
        _write(tmp_path / "streams", name, image)  # any file is a stream
    for folder in (recon, tmp_path / "worse", originals):
        _evaluated(folder, originals, bytes=str(tmp_path / "streams"))
    entries = {entry.record.tokenizer.name: entry for entry in load()}
    difference = paired(entries["folder:recon"], entries["folder:worse"], "psnr")
    assert difference.mean == pytest.approx(np.mean([_psnr(by) - _psnr(6) for by in (1, 2, 3)]))
    (ranked,) = by_protocol(entries.values(), "psnr").values()
    assert {held.entry.record.tokenizer.name for held in ranked} == {"folder:recon", "folder:worse"}


def test_no_memory_no_profile_and_no_tiles_are_measured_of_a_folder(recon: Path, originals: Path) -> None:
    config = RunConfig(name=f"folder:{recon}")
    with pytest.raises(RequestError, match="nothing to encode, time or plan"):
        measure_memory(config, resolution=64)
    with pytest.raises(RequestError, match="nothing to encode, time or plan"):
        measure_profile(config, resolution=64)
    with pytest.raises(RequestError, match="folder:recon"):
        measure_tiling(config, images=originals, resolution=64)


def test_pictures_of_a_folder_are_its_files(recon: Path, originals: Path, pixels: dict[str, NDArray[np.uint8]]) -> None:
    (recon / "sub" / "b.bmp").write_bytes(b"no image")
    names = (f"folder:{recon}", "jpeg:q=90")
    visuals = make_visuals(map(load_tokenizer, names), images=originals, resolution=64, count=3)
    made = {visual.image: visual.reconstructions[0] for visual in visuals}
    assert made["a.png"].tokenizer.name == "folder:recon"
    assert made["a.png"].values["psnr"] == pytest.approx(_psnr(1))
    assert made["sub/b.png"].tokenizer.name == "jpeg:q=90"
    assert "b.bmp" in visuals[1].left_out["folder:recon"]
    place = next(folder for path, visual in iterate_visuals() if visual.image == "a.png" for folder in [path.parent])
    shown = np.asarray(Image.open(place / made["a.png"].pictures[0].file).convert("RGB"))
    assert np.array_equal(shown, pixels["a.png"] + np.uint8(1))


def test_what_has_no_native_size_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "long", "thin.png", np.zeros((1, 16385, 3), np.uint8))
    with pytest.raises(RequestError, match=r"image 'thin\.png' of 'long-\w+-native' is 16385 px long"):
        evaluate("jpeg", images=tmp_path / "long", resolution="native")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"no image")
    with pytest.raises(RequestError, match=r"no image of .* can be read"):
        evaluate("jpeg", images=tmp_path / "bad", resolution="native")
