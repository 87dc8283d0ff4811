"""``vitok plan`` and the refusal of ``vitok eval``: what is printed, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.terminal import status_of
from vitok_lib.measure.predict import plan as planning


def test_the_command_prints_the_plan_and_refuses_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda device: 24 * 2**30)
    asked = ("plan", "pca-f16x64", "flux", "--resolution", "16384", "--json")
    assert status_of(monkeypatch, *asked) == 2
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert (first["tokenizer"], first["fits"], first["largest"]) == ("pca-f16x64", "yes", 16384)
    assert (second["tokenizer"], second["fits"]) == ("flux", "no")
    assert second["largest"] < 4096
    (sentence,) = printed.err.splitlines()
    assert sentence.startswith(
        "vitok: [does-not-fit] tokenizer 'flux' at 16384 px needs about 771 GiB (1,040 GiB with "
    )
    assert status_of(monkeypatch, *asked, "--force") == 0
    forced = capsys.readouterr()
    assert (json.loads(forced.out), forced.err) == ([first, second], "")


@pytest.mark.parametrize("name", ["nano-f16x64", "flux", "jpeg:q=75"])
def test_a_plan_refuses_what_could_not_be_loaded(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("plan", name, "--resolution", "64", "--weights")
    assert status_of(monkeypatch, *asked, "/no/such/file") == 2
    assert "'/no/such/file'" in capsys.readouterr().err
    assert status_of(monkeypatch, *asked, "") == 2
    assert "weights (='') is empty" in capsys.readouterr().err


def test_an_evaluation_that_does_not_fit_is_refused_before_loading_unless_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda device: 2**20)
    asked = ("eval", "pca-f16x64", "--images", "photos", "--resolution", "256", "--samples", "1", "--metrics", "psnr")
    assert status_of(monkeypatch, *asked) == 2
    assert "tokenizer 'pca-f16x64' at 256 px needs about" in capsys.readouterr().err
    assert not results.exists()
    assert status_of(monkeypatch, *asked, "--force") == 0
    assert list(results.rglob("*.json"))
    capsys.readouterr()
    assert status_of(monkeypatch, *asked) == 0, "what is recorded needs no memory"
    assert "from a record of " in capsys.readouterr().err
    assert status_of(monkeypatch, *asked, "--again") == 2
