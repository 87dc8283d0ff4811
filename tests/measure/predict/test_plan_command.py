"""``vitok plan`` and the refusal of ``vitok eval``: what is printed, and what does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from vitok_lib.cli.app import main
from vitok_lib.measure.predict import plan as planning


def _vitok(*words: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["vitok", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_command_prints_the_plan_and_refuses_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda device: 24 * 2**30)
    asked = ("plan", "pca-f16x64", "flux", "--resolution", "16384", "--json")
    assert _vitok(*asked, monkeypatch=monkeypatch) == 2
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert (first["tokenizer"], first["fits"], first["largest"]) == ("pca-f16x64", "yes", 16384)
    assert (second["tokenizer"], second["fits"]) == ("flux", "no")
    assert second["largest"] < 4096
    (sentence,) = printed.err.splitlines()
    assert sentence.startswith(
        "vitok: [does-not-fit] tokenizer 'flux' at 16384 px needs about 771 GiB (1,040 GiB with "
    )
    assert _vitok(*asked, "--force", monkeypatch=monkeypatch) == 0
    forced = capsys.readouterr()
    assert (json.loads(forced.out), forced.err) == ([first, second], "")


@pytest.mark.parametrize("name", ["nano-f16x64", "flux", "jpeg:q=75"])
def test_a_plan_refuses_what_could_not_be_loaded(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("plan", name, "--resolution", "64", "--weights")
    assert _vitok(*asked, "/no/such/file", monkeypatch=monkeypatch) == 2
    assert "'/no/such/file'" in capsys.readouterr().err
    assert _vitok(*asked, "", monkeypatch=monkeypatch) == 2
    assert "weights (='') is empty" in capsys.readouterr().err


def test_an_evaluation_that_does_not_fit_is_refused_before_loading_unless_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda device: 2**20)
    asked = ("eval", "pca-f16x64", "--images", "photos", "--resolution", "256", "--samples", "1", "--metrics", "psnr")
    assert _vitok(*asked, monkeypatch=monkeypatch) == 2
    assert "tokenizer 'pca-f16x64' at 256 px needs about" in capsys.readouterr().err
    assert not results.exists()
    assert _vitok(*asked, "--force", monkeypatch=monkeypatch) == 0
    assert list(results.rglob("*.json"))
    capsys.readouterr()
    assert _vitok(*asked, monkeypatch=monkeypatch) == 0, "what is recorded needs no memory"
    assert "from a record of " in capsys.readouterr().err
    assert _vitok(*asked, "--again", monkeypatch=monkeypatch) == 2
