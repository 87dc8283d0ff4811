"""Prepared images are kept once, whole, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
import pytest
from numpy.typing import NDArray

from tests.fakes.images import encoded, write_folder
from vitok_lib.errors import RequestError
from vitok_lib.images import cache
from vitok_lib.images.drawn import DrawnSet
from vitok_lib.images.sets import open_image_set

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


class Maker:
    """Counts how often it is asked for the pixels."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> NDArray[np.uint8]:
        self.calls += 1
        return PIXELS.copy()


def _never() -> NDArray[np.uint8]:
    raise AssertionError("made again")


def _entries(kind: str = "pixels") -> list[Path]:
    return [path for path in (cache.root() / kind).rglob("*") if path.is_file()]


def test_what_was_made_is_read_the_next_time_by_another_process_too() -> None:
    np.testing.assert_array_equal(cache.pixels("key", Maker()), PIXELS)
    np.testing.assert_array_equal(cache.pixels("key", _never), PIXELS)
    code = "from vitok_lib.images import cache; print(int(cache.pixels('key', None).sum()))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(printed) == PIXELS.sum()


def test_pixels_are_the_callers_own() -> None:
    cache.pixels("key", Maker())
    first = cache.pixels("key", _never)
    first[:] = 0
    np.testing.assert_array_equal(cache.pixels("key", _never), PIXELS)


def test_another_key_is_another_image() -> None:
    cache.pixels("key", Maker())
    maker = Maker()
    cache.pixels("another key", maker)
    assert maker.calls == 1


def _cut(data: bytes) -> bytes:
    return data[:-1]


def _flip(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


@pytest.mark.parametrize(
    "damage",
    [_cut, _flip, lambda data: data + b"\0", lambda data: b"other" + data[5:], lambda _: b"", lambda _: bytes(3664)],
    ids=["cut", "flipped bit", "too long", "another header", "empty", "zeros"],
)
def test_a_damaged_entry_is_made_anew(damage: Callable[[bytes], bytes]) -> None:
    cache.pixels("key", Maker())
    (path,) = _entries()
    path.write_bytes(damage(path.read_bytes()))
    maker = Maker()
    np.testing.assert_array_equal(cache.pixels("key", maker), PIXELS)
    assert maker.calls == 1
    np.testing.assert_array_equal(cache.pixels("key", _never), PIXELS)


def test_a_damaged_text_is_made_anew() -> None:
    assert cache.text("key", lambda: "what is so") == "what is so"
    (path,) = _entries("texts")
    path.write_bytes(path.read_bytes().replace(b"what", b"that"))
    assert cache.text("key", lambda: "what is so") == "what is so"
    assert cache.text("key", lambda: "something else") == "what is so"


def test_no_half_file_is_left_when_writing_fails(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    for key in ("a", "b"):
        np.testing.assert_array_equal(cache.pixels(key, Maker()), PIXELS)
    assert _entries() == []
    assert capfd.readouterr().err.count("No space left on device") == 1


def test_a_full_cache_takes_no_more_says_so_once_and_goes_on_serving(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITOK_CACHE_GIB", str(2.5 * (PIXELS.nbytes + 64) / (1 << 30)))
    makers = {key: Maker() for key in "abcd"}
    for key in "abcdabcd":
        np.testing.assert_array_equal(cache.pixels(key, makers[key]), PIXELS)
    assert [maker.calls for maker in makers.values()] == [1, 1, 2, 2]
    assert sum(path.stat().st_size for path in _entries()) == 2 * (PIXELS.nbytes + 64)
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "VITOK_CACHE_GIB" in error


def test_what_is_there_from_before_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(cache.root() / "pixels" / "ab", {"old": bytes(5000)})
    monkeypatch.setenv("VITOK_CACHE_GIB", str(6000 / (1 << 30)))
    cache.pixels("key", Maker())
    assert len(_entries()) == 1


def test_by_default_half_of_the_free_disk_and_at_most_50_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, allowed in ((6000, 0), (8000, 1)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: _Free(free))
        cache.pixels("key", Maker())
        assert len(_entries()) == allowed
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Free(1 << 50))
    assert cache._limit(cache.root(), 0) == 50 * 2**30


class _Free:
    def __init__(self, free: int) -> None:
        self.free = free


def test_no_cache_is_kept_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITOK_CACHE_GIB", "0")
    np.testing.assert_array_equal(cache.pixels("key", Maker()), PIXELS)
    assert _entries() == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("value", ["much", "-1", "nan"])
def test_a_limit_that_is_no_size_is_refused_also_where_all_is_kept(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    cache.pixels("kept", Maker())
    cache.text("kept", lambda: "text")
    monkeypatch.setenv("VITOK_CACHE_GIB", value)
    for read in (lambda: cache.pixels("kept", Maker()), lambda: cache.text("kept", lambda: "")):
        with pytest.raises(RequestError, match=rf"VITOK_CACHE_GIB \(='{value}'\)"):
            read()
    with pytest.raises(RequestError, match=rf"VITOK_CACHE_GIB \(='{value}'\)"):
        cache.pixels("key", Maker())


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VITOK_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        np.testing.assert_array_equal(cache.pixels("key", Maker()), PIXELS)
    assert capfd.readouterr().err.count("cannot be written") == 1


def test_files_of_killed_processes_are_removed_and_those_of_running_ones_are_not() -> None:
    write_folder(cache.root() / "pixels" / "ab", {"old.part": b"half", "new.part": b"half"})
    old = cache.root() / "pixels" / "ab" / "old.part"
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    cache.pixels("key", Maker())
    assert not old.exists()
    assert old.with_name("new.part").exists()


def test_an_image_file_is_decoded_once_for_each_size_rule_and_version_of_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "f", {"a.png": encoded(0, (20, 10))})
    decoded: list[int] = []
    from vitok_lib.images import prepare

    read = prepare.read
    monkeypatch.setattr(prepare, "read", lambda *given: (decoded.append(1), read(*given))[1])
    for _ in range(2):
        assert open_image_set(folder).load("a.png", 8).shape == (4, 8, 3)
        assert open_image_set(folder).load("a.png", 16).shape == (8, 16, 3)
        assert open_image_set(folder, rule="centre-crop").load("a.png", 8).shape == (8, 8, 3)
    assert len(decoded) == 3
    monkeypatch.setattr(PIL, "__version__", "0")
    open_image_set(folder).load("a.png", 8)
    assert len(decoded) == 4
    write_folder(folder, {"a.png": encoded(1, (20, 20))})
    assert open_image_set(folder).load("a.png", 8).shape == (8, 8, 3)
    assert len(decoded) == 5


def _draw(calls: list[str], value: int = 5) -> Callable[[str, int], NDArray[np.uint8]]:
    def draw(name: str, resolution: int) -> NDArray[np.uint8]:
        calls.append(name)
        return np.full((resolution, resolution, 3), value, np.uint8)

    return draw


def test_a_drawn_image_is_drawn_once_for_manifest_and_loading_until_its_code_changes(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("the first version")
    calls: list[str] = []

    def made(value: int) -> DrawnSet:
        return DrawnSet("d", "D.", ("a", "b"), _draw(calls, value), (code,))  # as a new process would make it

    manifest = made(1).manifest(1500)
    np.testing.assert_array_equal(made(2).load("b", 1500), np.full((1500, 1500, 3), 1, np.uint8))
    assert made(3).manifest(1500) == manifest
    assert calls == ["a", "b"]
    changed = tmp_path / "changed.py"
    changed.write_text("the second version")
    assert DrawnSet("d", "D.", ("a", "b"), _draw(calls, 9), (changed,)).load("a", 1500).max() == 9
