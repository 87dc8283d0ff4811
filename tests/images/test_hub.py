"""Data sets of the hub, offline, out of a cache that the test lays out as the hub's library does."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from tests.fakes.images import encoded, write_archive, write_folder, write_table
from vitok_lib.errors import RequestError
from vitok_lib.images.sets import ImageError, open_image_set

MAIN, PINNED = "a" * 40, "b" * 40
FILES = {f"{index}.png": encoded(index, (12 + index, 9)) for index in range(5)}


@pytest.fixture(autouse=True)
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the main revision of data set ``someone/tiny``, still empty, and no network."""
    repository = tmp_path / "hub" / "datasets--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(MAIN)
    write_folder(repository / "snapshots" / PINNED, {"old.png": encoded(9)})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    main = repository / "snapshots" / MAIN
    main.mkdir()
    return main


def _pack(snapshot: Path, form: str) -> None:
    names = list(FILES)
    halves = [{name: FILES[name] for name in names[::2]}, {name: FILES[name] for name in names[1::2]}]
    (snapshot / "README.md").write_text("a data set")
    if form == "files":
        write_folder(snapshot / "val", FILES)
    for number, half in enumerate(halves):
        if form == "table":
            write_table(snapshot / "data" / f"val-{number}.parquet", half)
        elif form != "files":
            write_archive(snapshot / f"{number}{form}", {f"val/{name}": data for name, data in half.items()})


@pytest.mark.parametrize("form", ["files", ".zip", ".tar", ".tgz", "table"])
def test_images_are_the_same_whichever_way_they_are_packed(snapshot: Path, form: str) -> None:
    _pack(snapshot, form)
    images = open_image_set("hub:someone/tiny")
    assert images.names() == tuple(sorted(FILES))
    for entry in images.manifest(64).entries:
        data = FILES[entry.name]
        assert (entry.size, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert [images.load(name, 64).shape for name in images.names()] == [(9, 12 + index, 3) for index in range(5)]
    assert images.name == f"someone-tiny-{images.manifest(64).sha256[:8]}"
    assert images.description == f"The hub data set 'someone/tiny' at commit {MAIN}, 5 images."


def test_a_pinned_revision_is_taken_and_recorded(snapshot: Path) -> None:
    images = open_image_set(f"hub:someone/tiny@{PINNED}")
    assert images.names() == ("old.png",)
    assert PINNED in images.description


def test_a_subfolder_is_taken_alone(snapshot: Path) -> None:
    write_folder(snapshot, {"val/a.png": FILES["0.png"], "val/deep/b.png": FILES["1.png"], "train/c.png": encoded(8)})
    images = open_image_set("hub:someone/tiny/val")
    assert images.names() == ("a.png", "deep/b.png")
    assert images.name.startswith("someone-tiny-val-")
    assert "folder 'val'" in images.description


def test_images_of_one_name_in_two_archives_are_told_apart(snapshot: Path) -> None:
    for number in range(2):
        write_archive(snapshot / f"{number}.zip", {"a.png": FILES[f"{number}.png"]})
    images = open_image_set("hub:someone/tiny")
    assert images.names() == ("0.zip/a.png", "1.zip/a.png")
    assert [images.load(name, 64).shape[1] for name in images.names()] == [12, 13]


def test_capital_suffixes_are_taken_too(snapshot: Path) -> None:
    write_table(snapshot / "VAL.PARQUET", {"a.PNG": FILES["0.png"]})
    assert open_image_set("hub:someone/tiny").names() == ("a.PNG",)


def test_rows_of_a_table_without_paths_are_named_by_number(snapshot: Path) -> None:
    write_table(snapshot / "val.parquet", FILES, paths=False)
    images = open_image_set("hub:someone/tiny")
    assert images.names() == tuple(f"val-{row:06d}" for row in range(5))
    for row, data in enumerate(FILES.values()):
        assert images.manifest(64).entries[row].sha256 == hashlib.sha256(data).hexdigest()
        np.testing.assert_array_equal(images.load(f"val-{row:06d}", 64).shape, (9, 12 + row, 3))


def test_an_empty_cell_is_one_image_that_cannot_be_read(snapshot: Path) -> None:
    write_table(snapshot / "val.parquet", {"a.png": FILES["0.png"], "b.png": None})
    images = open_image_set("hub:someone/tiny")
    with pytest.raises(ImageError, match=r"cannot read image 'b\.png': the file is empty"):
        images.load("b.png", 64)
    assert images.load("a.png", 64).shape == (9, 12, 3)


def test_a_table_without_images_and_a_damaged_one_are_refused(snapshot: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"]}), snapshot / "val.parquet")
    with pytest.raises(RequestError, match=r"val\.parquet' no column holds images"):
        open_image_set("hub:someone/tiny")
    (snapshot / "val.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(RequestError, match=r"val\.parquet' cannot be read .*fetch it again"):
        open_image_set("hub:someone/tiny")


def test_a_table_that_is_damaged_behind_a_whole_table_of_contents_is_one_sentence(snapshot: Path) -> None:
    import pyarrow.parquet as pq

    path = write_table(snapshot / "val.parquet", FILES)
    group = pq.read_metadata(path).row_group(1)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    begin = columns["image.bytes"].dictionary_page_offset
    data = path.read_bytes()
    path.write_bytes(data[:begin] + b"\xff" * 8 + data[begin + 8 :])
    with pytest.raises(RequestError, match=r"val\.parquet' cannot be read .*fetch it again") as caught:
        open_image_set("hub:someone/tiny")
    assert "\n" not in str(caught.value)


def test_a_data_set_without_images(snapshot: Path) -> None:
    (snapshot / "README.md").write_text("no image")
    with pytest.raises(RequestError, match=r"'hub:someone/tiny' holds no image"):
        open_image_set("hub:someone/tiny")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("hub:someone/gone", "'someone/gone' from the hub"),
        (f"hub:someone/tiny@{'c' * 40}", f"'someone/tiny' at revision '{'c' * 40}' from the hub"),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence_with_a_way_out(text: str, what: str) -> None:
    with pytest.raises(RequestError, match="HF_TOKEN") as caught:
        open_image_set(text)
    assert f"cannot fetch data set {what}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["hub:", "hub:tiny", "hub:a/b/../c", "hub:a/b@", "hub:/a/b"])
def test_a_name_that_is_none_says_how_it_must_read(text: str) -> None:
    with pytest.raises(RequestError, match="must read hub:OWNER/NAME"):
        open_image_set(text)
