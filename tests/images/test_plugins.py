"""Image sets of third parties come in by entry points."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.images import encoded, write_folder
from vitok_lib.errors import RequestError
from vitok_lib.images import plugins
from vitok_lib.images.ahead import load_ahead
from vitok_lib.images.files.folder import open_folder
from vitok_lib.images.manifest import Manifest, ManifestEntry
from vitok_lib.images.sets import ImageSet, load_image, open_image_set


class Own:
    """A set that is made from nothing of this library's."""

    name, description, rule, subset_seed = "own", "One image.", "as it is", None

    def names(self) -> tuple[str, ...]:
        return ("a",)

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        return Manifest(())

    def load(self, name: str, resolution: int) -> object:
        raise NotImplementedError


def broken() -> ImageSet:
    raise OSError("no disk")


def talking() -> Own:
    print("words of a plug-in")
    return Own()


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "lab", {"a.png": encoded(0), "b.png": encoded(1)})
    found = EntryPoints(
        EntryPoint(name, f"{package}.images:{name}", plugins.GROUP)
        for package, names in (
            ("lab", ("lab", "own", "broken", "odd", "photos", "twice", "talking", "leaving")),
            ("home", ("twice",)),
        )
        for name in names
    )
    made = {"lab": lambda: open_folder(folder), "own": Own, "broken": broken, "odd": lambda: 3, "photos": broken}
    made |= {"talking": talking, "leaving": lambda: sys.exit(0)}
    monkeypatch.setattr(plugins, "entry_points", lambda **equal: found.select(**equal))
    monkeypatch.setattr(EntryPoint, "load", lambda entry: made[entry.name])


def test_a_third_partys_set_opens_by_its_name() -> None:
    assert open_image_set("lab").names() == ("a.png", "b.png")
    assert open_image_set("own").rule == "as it is"


def test_what_a_plugin_prints_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    open_image_set("talking")
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "words of a plug-in\n")


def test_a_plugin_that_ends_the_program_is_an_error() -> None:
    with pytest.raises(RequestError, match=r"image set 'leaving' .*sys\.exit\(0\)"):
        open_image_set("leaving")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.full((4, 6, 3), 0.5), r"float64 \[4, 6, 3\]"),
        (np.zeros((4, 6), np.uint8), r"uint8 \[4, 6\]"),
        (np.zeros((3, 4, 6), np.uint8), r"uint8 \[3, 4, 6\]"),
        (np.zeros((0, 6, 3), np.uint8), r"uint8 \[0, 6, 3\]"),
        ([[[0, 0, 0]]], "a list"),
        (None, "a NoneType"),
    ],
)
def test_an_image_that_is_no_8_bit_rgb_is_refused(monkeypatch: pytest.MonkeyPatch, given: object, said: str) -> None:
    """Floating values in 0…1 would otherwise be measured as if they were in 0…255."""
    monkeypatch.setattr(Own, "load", lambda own, name, resolution: given)
    with pytest.raises(RequestError, match=f"image set 'own' gave {said} for image 'a'"):
        load_image(open_image_set("own"), "a", 6)
    with pytest.raises(RequestError, match=said):
        list(load_ahead(open_image_set("own"), [ManifestEntry("a", 1, "")], 6))


def test_a_set_made_of_files_takes_rule_and_seed_and_another_does_not() -> None:
    assert open_image_set("lab", rule="centre-crop", subset_seed=1).load("a.png", 5).shape == (5, 5, 3)
    with pytest.raises(RequestError, match="size rule 'cap' does not apply"):
        open_image_set("own", rule="cap")
    with pytest.raises(RequestError, match="keeps its own order"):
        open_image_set("own", subset_seed=1)


def test_a_name_of_this_library_is_not_taken_over() -> None:
    assert open_image_set("photos").name == "photos"


@pytest.mark.parametrize(
    ("name", "reason"), [("broken", "cannot be opened .OSError: no disk"), ("odd", "is a int without name, descr")]
)
def test_a_set_that_fails_is_named_with_where_it_comes_from(name: str, reason: str) -> None:
    with pytest.raises(RequestError, match=rf"image set '{name}' of lab\.images:{name} {reason}"):
        open_image_set(name)


def test_a_name_that_two_packages_bring_is_refused() -> None:
    with pytest.raises(RequestError, match=r"'twice' is the name of several .*lab\.images:twice, home\.images:twice"):
        open_image_set("twice")


def test_an_unknown_name_is_compared_with_theirs_too() -> None:
    with pytest.raises(RequestError, match=r"did you mean .*lab"):
        open_image_set("labs")
