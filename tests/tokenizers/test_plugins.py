"""Tokenizers of third parties, found by entry point or by ``module:factory``, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers import plugins
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import describe, find
from vitok_lib.tokenizers.vitok.checkpoint import ViTok

MODULE = """
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

class Identity:
    def __init__(self, asked):
        self.spec = TokenizerSpec("flux", "identity", 1, 3, "a test")
        self.weights = Weights(source="none")
        self.settings = Settings(device="cpu")
        self.asked = asked

    def encode(self, images):
        return Latent(images.permute(0, 2, 3, 1), *images.shape[2:])

    def decode(self, latent):
        return latent.values.permute(0, 3, 1, 2)

    def reconstruct(self, images):
        return images

class Frozen(Identity):
    def __setattr__(self, name, value):
        if name in vars(self):
            raise AttributeError("all is frozen")
        super().__setattr__(name, value)

class Unfinished:
    spec = "mine"
    def encode(self, images):
        return images

def make(**asked):
    return Identity(asked)

def make_seeded(seed):
    return Identity({"seed": seed})

def make_plain():
    return Identity({})

def make_frozen():
    return Frozen({})

def make_of_a_path(path):
    return Identity({})

def make_nothing():
    return None

def make_unfinished():
    return Unfinished()

def refuse():
    raise RequestError("no licence for this tokenizer; buy one")

def fail():
    raise KeyError("layer 7")

class nested:
    make = staticmethod(make_plain)

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a third party whose name no other test has imported."""
    name = f"third_party_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / f"{name}_broken.py").write_text("raise FileNotFoundError('no table of codes')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a distribution with entry points on ``sys.path``, as an installer would."""

    def installed(distribution: str = "third_party", **points: str) -> None:
        folder = tmp_path / f"site_{distribution}"
        information = folder / f"{distribution}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (information / "entry_points.txt").write_text("\n".join([f"[{plugins.GROUP}]", *lines]))
        monkeypatch.syspath_prepend(folder)

    return installed


def test_an_installed_plug_in_is_a_tokenizer_by_its_name(module: str, install: Callable[..., None]) -> None:
    assert "mine" not in plugins.names()
    install(mine=f"{module}:make")
    assert "mine" in plugins.names()
    assert find("mine").family == describe("mine").family == "plugin"
    images = torch.rand(1, 3, 5, 7)
    assert torch.equal(load_tokenizer("mine").reconstruct(images), images)


def test_a_module_and_a_factory_need_no_installation(module: str) -> None:
    tokenizer = load_tokenizer(f"{module}:make_plain")
    assert tokenizer.spec.downsampling == 1


def test_a_factory_may_be_inside_a_class(module: str) -> None:
    assert load_tokenizer(f"{module}:nested.make").spec.latent_channels == 3


def test_the_spec_has_the_name_that_was_loaded(module: str, install: Callable[..., None]) -> None:
    install(mine=f"{module}:make_plain")
    assert load_tokenizer("mine").spec.name == "mine"
    assert load_tokenizer(f"{module}:make_plain").spec.name == f"{module}:make_plain"


def test_a_factory_is_called_with_the_options_that_it_takes(module: str) -> None:
    taken = load_tokenizer(f"{module}:make", weights="random", dtype="float64", seed=4)
    assert taken.original.asked == {"weights": "random", "device": "cpu", "dtype": "float64", "seed": 4}  # type: ignore[attr-defined]
    seeded = load_tokenizer(f"{module}:make_seeded", seed=5)
    assert seeded.original.asked == {"seed": 5}  # type: ignore[attr-defined]


def test_an_option_that_a_factory_does_not_take_is_refused(module: str) -> None:
    with pytest.raises(RequestError, match=r"takes no 'weights' \(='random'\); leave it at 'released'"):
        load_tokenizer(f"{module}:make_seeded", weights="random")
    with pytest.raises(RequestError, match=r"takes no 'dtype' \(='float16'\); leave it at 'float32'"):
        load_tokenizer(f"{module}:make_plain", dtype="float16")


def test_what_only_a_vitok_has_is_refused(module: str) -> None:
    with pytest.raises(RequestError, match="is no ViTok: the setting window does not apply"):
        load_tokenizer(f"{module}:make", window=3)


def test_a_name_of_the_registry_stays_the_registrys(module: str, install: Callable[..., None]) -> None:
    install(**{"nano-f16x64": f"{module}:make", "jpeg": f"{module}:make"})
    assert isinstance(load_tokenizer("nano-f16x64"), ViTok)
    assert load_tokenizer("jpeg").spec.family == "codec"


def test_two_plug_ins_of_one_name_are_refused(module: str, install: Callable[..., None]) -> None:
    install("first", mine=f"{module}:make")
    install("second", mine=f"{module}:make_plain")
    with pytest.raises(RequestError, match=rf"several plug-ins \({module}:\w+, {module}:\w+\); name one of these"):
        load_tokenizer("mine")


def test_one_plug_in_that_is_found_twice_is_one(module: str, install: Callable[..., None]) -> None:
    install("first", mine=f"{module}:make")
    install("second", mine=f"{module}:make")
    assert load_tokenizer("mine").spec.name == "mine"


def test_an_unknown_name_suggests_the_installed_ones(module: str, install: Callable[..., None]) -> None:
    install(**{"very-own-tokenizer": f"{module}:make"})
    with pytest.raises(RequestError, match="unknown tokenizer 'very-own-tokeniser'; did you mean very-own-tokenizer"):
        load_tokenizer("very-own-tokeniser")


@pytest.mark.parametrize("factory", ["make_missing", "nested.missing", "number.real"])
def test_a_factory_that_is_not_there_is_named(module: str, factory: str) -> None:
    with pytest.raises(RequestError, match=rf"tokenizer '{module}:{factory}' (cannot be imported|names a int)"):
        load_tokenizer(f"{module}:{factory}")


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(
        RequestError, match=r"'no_such_module:make' cannot be imported .*or put its folder on PYTHONPATH"
    ):
        load_tokenizer("no_such_module:make")


@pytest.mark.parametrize("name", ["./mine.py", "/my/model", "~/model", "diffusers:./model", "diffusers:/my/model"])
def test_a_path_in_place_of_a_name_is_told_how_to_name_it(name: str) -> None:
    with pytest.raises(RequestError, match=f"tokenizer '{name}' .*--weights PATH"):
        load_tokenizer(name)


def test_a_module_that_fails_on_import_is_named(module: str, install: Callable[..., None]) -> None:
    install(broken=f"{module}_broken:make")
    for name in ("broken", f"{module}_broken:make"):
        with pytest.raises(
            RequestError, match=r"cannot be imported \(FileNotFoundError: no table of codes \(.*py, line \d+\)\)"
        ):
            load_tokenizer(name)


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("number", "names a int, not a function that makes a tokenizer"),
        ("fail", "failed to load: KeyError: 'layer 7'"),
        ("make_of_a_path", r"failed to load: TypeError: .* missing 1 required positional argument: 'path'"),
        (
            "make_nothing",
            "gave a NoneType without spec as a TokenizerSpec, weights as a Weights, settings as a Settings",
        ),
        (
            "make_unfinished",
            "gave a Unfinished without spec as a TokenizerSpec, weights as a Weights, settings as a Settings, "
            "a method decode, a method reconstruct; see",
        ),
    ],
)
def test_what_is_wrong_with_a_factory_is_one_sentence(module: str, factory: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence) as caught:
        load_tokenizer(f"{module}:{factory}")
    assert str(caught.value).startswith(f"tokenizer '{module}:{factory}' ")
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_takes_no_new_spec_is_named_all_the_same(module: str) -> None:
    assert load_tokenizer(f"{module}:make_frozen").spec.name == f"{module}:make_frozen"


def test_a_factorys_own_sentence_reaches_the_user(module: str) -> None:
    with pytest.raises(RequestError, match=r"^no licence for this tokenizer; buy one$"):
        load_tokenizer(f"{module}:refuse")


def test_a_callable_without_a_signature_is_refused() -> None:
    with pytest.raises(RequestError, match="'builtins:dict' names no function that makes a tokenizer"):
        load_tokenizer("builtins:dict")
