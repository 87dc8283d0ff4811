"""What a plug-in's code says of its identity, and what it may not do to the program that runs it."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.load import load_tokenizer

TOKENIZER = """
import os, sys
from vitok_lib.records.config import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

class Scaled:
    def __init__(self, {arguments}):
        self.spec = TokenizerSpec("scaled", "test", 1, 3, "a test")
        self.weights = Weights(source="none")
        self.settings = Settings(device="cpu", dtype="float32")
        {made}
    def encode(self, images):
        {encoding}
        return Latent(images.movedim(1, -1).clone(), *images.shape[2:])
    def decode(self, latent):
        {decoding}
        return latent.values.movedim(-1, 1) * 0.9
    def reconstruct(self, images):
        return self.decode(self.encode(images))
"""
NOISE = "print('one'); os.system('echo two'); sys.__stdout__.write('three')"
IMAGES = torch.zeros(1, 3, 4, 4)


def _source(arguments: str = "", made: str = "", encoding: str = "", decoding: str = "") -> str:
    return TOKENIZER.format(arguments=arguments, made=made, encoding=encoding, decoding=decoding)


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module name that no other test imports, from a folder on ``sys.path``."""
    monkeypatch.syspath_prepend(tmp_path)
    return f"coded_{tmp_path.name}"


def _forget(name: str) -> None:
    """As in a new session."""
    for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[loaded]
    importlib.invalidate_caches()


def test_a_module_is_identified_by_the_sha256_of_its_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(_source())
    files = load_tokenizer(f"{name}:Scaled").weights.files
    assert files == {f"code:{name}": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_an_edit_within_the_second_is_another_tokenizer_and_is_what_runs(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.py"
    found = []
    for factor in (0.9, 0.2):  # sources of one size, between which Python's bytecode does not tell
        file.write_text(_source().replace("0.9", str(factor)))
        _forget(name)
        tokenizer = load_tokenizer(f"{name}:Scaled")
        assert tokenizer.reconstruct(IMAGES + 1).unique().tolist() == pytest.approx([factor])
        found.append(tokenizer.spec.identity(tokenizer.weights))
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "made", ["from {model} import Scaled", "def Scaled():\n    import {model}.net as net\n    return net.Scaled()"]
)
def test_modules_next_to_a_plugin_that_it_imports_are_part_of_its_code(tmp_path: Path, name: str, made: str) -> None:
    model = f"{name}_model"
    inner = tmp_path / f"{model}.py" if made.startswith("from") else tmp_path / model / "net.py"
    if inner.parent != tmp_path:
        inner.parent.mkdir()
        (inner.parent / "__init__.py").write_text("")
    (tmp_path / f"{name}_unused.py").write_text("")
    found = []
    for factor in (0.9, 0.2):  # sources of one size, between which Python's bytecode does not tell
        inner.write_text(_source().replace("0.9", str(factor)))
        (tmp_path / f"{name}.py").write_text(made.format(model=model))
        _forget(name)
        _forget(model)
        tokenizer = load_tokenizer(f"{name}:Scaled")
        assert tokenizer.reconstruct(IMAGES + 1).unique().tolist() == pytest.approx([factor])
        found.append(tokenizer.weights.files)
    assert {*found[0]} == {*found[1]} == {f"code:{name}", f"code:{model}"}
    assert [place for place in found[0] if found[0][place] != found[1][place]] == [f"code:{model}"]


@pytest.mark.parametrize("edited", ["__init__.py", "deep/helper.py"])
def test_a_package_is_identified_by_all_of_its_files(tmp_path: Path, name: str, edited: str) -> None:
    package = tmp_path / name
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "helper.py").write_text("")
    (package / "deep" / "model.py").write_text(_source())
    before = load_tokenizer(f"{name}.deep.model:Scaled").weights.files
    assert list(before) == [f"code:{name}"]
    (package / "notes.txt").write_text("no code")
    assert load_tokenizer(f"{name}.deep.model:Scaled").weights.files == before
    (package / edited).write_text("x = 1")
    _forget(name)
    assert load_tokenizer(f"{name}.deep.model:Scaled").weights.files != before


def test_a_folder_without_init_is_no_package(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "model.py").write_text(_source())
    (tmp_path / name / "other.py").write_text("x = 1")
    digest = hashlib.sha256((tmp_path / name / "model.py").read_bytes()).hexdigest()
    assert load_tokenizer(f"{name}.model:Scaled").weights.files == {f"code:{name}.model": digest}


def test_the_module_that_the_class_is_written_in_counts_too(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}_class.py").write_text(_source())
    (tmp_path / f"{name}.py").write_text(f"from {name}_class import Scaled\ndef make(): return Scaled()")
    files = load_tokenizer(f"{name}:make").weights.files
    assert list(files) == [f"code:{name}", f"code:{name}_class"]


def test_code_that_changed_since_it_was_imported_is_refused_until_it_is_reloaded(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(_source())
    before = load_tokenizer(f"{name}:Scaled").weights.files
    file.write_text(_source() + "\n")
    with pytest.raises(RequestError, match=rf"code of tokenizer '{name}:Scaled' .*has changed .*start Python again"):
        load_tokenizer(f"{name}:Scaled")
    importlib.reload(sys.modules[name])
    assert load_tokenizer(f"{name}:Scaled").weights.files != before


def test_the_files_that_weights_name_are_part_of_it(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(_source(arguments="weights"))
    folder = tmp_path / "weights"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.bin").write_bytes(b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    of_folder = load_tokenizer(f"{name}:Scaled", weights=folder).weights.files
    of_file = load_tokenizer(f"{name}:Scaled", weights=str(folder / "deep" / "a.bin")).weights.files
    assert of_folder[os.path.join("deep", "a.bin")] == of_file["a.bin"] == digest
    assert list(load_tokenizer(f"{name}:Scaled").weights.files) == [f"code:{name}"]


@pytest.mark.parametrize("place", ["import", "made", "encoding", "decoding"])
def test_what_a_plug_in_prints_goes_to_standard_error(
    tmp_path: Path, name: str, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = f"import os, sys; {NOISE}\n{_source()}" if place == "import" else _source(**{place: NOISE})
    (tmp_path / f"{name}.py").write_text(source)
    tokenizer = load_tokenizer(f"{name}:Scaled")
    tokenizer.decode(tokenizer.encode(IMAGES))
    print("ours")
    out, error = capfd.readouterr()
    assert out == "ours\n"
    assert sorted(error.replace("three", "three\n").split()) == ["one", "three", "two"]


@pytest.mark.parametrize("place", ["import", "made"])
def test_a_plug_in_that_exits_while_it_loads_is_one_sentence(tmp_path: Path, name: str, place: str) -> None:
    source = "import sys; sys.exit(0)" if place == "import" else _source(made="sys.exit(0)")
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(RequestError, match=rf"tokenizer '{name}:Scaled' .*it called sys\.exit\(0\)") as caught:
        load_tokenizer(f"{name}:Scaled")
    assert "\n" not in str(caught.value)


def test_json_stays_json_and_an_exit_is_an_outcome(tmp_path: Path, name: str) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "images" / "a.png")
    environment = os.environ | {"VITOK_RESULTS": str(tmp_path / "results"), "VITOK_CACHE": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment.get("PYTHONPATH", "")])
    script = "from vitok_lib.cli.app import main; main()"
    command = [sys.executable, "-c", script, "eval", f"{name}:Scaled", "--images", str(tmp_path / "images")]
    for source, status, outcome in (
        (_source(made=NOISE, decoding=NOISE), 0, "ok"),
        (_source(decoding="sys.exit(0)"), 1, "error"),
    ):
        (tmp_path / f"{name}.py").write_text(source)
        done = subprocess.run(
            [*command, "--resolution", "16", "--metrics", "psnr", "--json"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == status, done.stderr
        assert json.loads(done.stdout)[0]["outcome"] == outcome
    assert "it called sys.exit(0)" in done.stderr
