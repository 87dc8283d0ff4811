"""The Inception path: its weights are checked before they are read, and its features are torch-fidelity's."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks import inception
from vitok_lib.metrics.networks.features import load_extractor
from vitok_lib.project import ROOT

FIDELITY = Path(os.environ.get("VITOK_TEST_FIDELITY", ROOT / ".venv" / "fidelity"))


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub, and no file named by the environment."""
    monkeypatch.delenv(inception.VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.skipif(not FIDELITY.is_dir(), reason=f"torch-fidelity is not in {FIDELITY} (VITOK_TEST_FIDELITY)")
def test_features_are_those_of_torch_fidelity_and_no_pickle_runs(tmp_path: Path) -> None:
    script = Path(__file__).with_name("fidelity_agreement.py")
    command = [sys.executable, str(script), str(FIDELITY), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["shape"] == [2, 2048]
    assert found["spread"] > 1e-3 * found["scale"] > 0
    assert found["difference"] <= 1e-5 * found["scale"]
    assert found["legacy"] <= 1e-5 * found["scale"] < found["antialiased"]
    assert all(difference <= 1e-3 for difference in found["resized"].values()), found["resized"]
    assert found["batch"] <= 1e-5 * max(1, found["scale"])
    assert found["weights"] == {"random.pth": hashlib.sha256((tmp_path / "random.pth").read_bytes()).hexdigest()}
    assert found["refused"]
    assert not found["opened"]


def test_weights_that_are_missing_are_named_with_where_to_get_them(hub: Path) -> None:
    with pytest.raises(RequestError) as raised:
        load_extractor("inception", "cpu")
    message = str(raised.value)
    for words in (str(hub), inception.URL, inception.VARIABLE):
        assert words in message


def test_a_named_file_that_is_missing_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inception.VARIABLE, "/nowhere/weights")
    with pytest.raises(RequestError, match="VITOK_INCEPTION names '/nowhere/weights', which is no file"):
        load_extractor("inception", "cpu")


@pytest.mark.parametrize("name", inception.FILE_NAMES)
def test_other_weights_of_the_right_name_are_refused(name: str, hub: Path) -> None:
    (hub / name).write_bytes(b"not the weights")
    with pytest.raises(RequestError, match=r"holds other weights than 'inception' .*is no FID"):
        load_extractor("inception", "cpu")


def test_a_missing_torch_fidelity_is_one_sentence(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hub / inception.FILE_NAMES[0]).write_bytes(b"weights")
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(RequestError, match=r"needs torch-fidelity and torchvision.*pip install 'vitok-lib\[gpu\]'"):
        load_extractor("inception", "cpu")


def test_the_digest_is_that_of_the_file_names() -> None:
    assert all(inception.SHA256[:8] in name for name in inception.FILE_NAMES)
