"""Where the time of an evaluation goes: against a clock that the test moves, and in a run with a slow decoder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import Tensor

from tests.fakes.images import write_noise
from tests.fakes.tokenizers import Identity
from vitok_lib.measure.quality import stages
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.stages import METRICS, TOKENIZER, WAITING, Stages


def test_waiting_is_the_time_until_an_image_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def images() -> Iterator[int]:
        for image in range(3):
            now[0] += 5
            yield image

    found = Stages()
    for _ in found.waiting(images()):
        with found.timed(METRICS):
            now[0] += 2
    assert found.seconds == {WAITING: 15, METRICS: 6}
    assert found.sentence == (
        "time by stage: waiting for images 15.0 s, metrics of images 6.0 s; most goes to waiting for images; "
        "more --workers prepare more images at once"
    )
    assert found.take() == {WAITING: 15, METRICS: 6}
    found.add({TOKENIZER: 9.9})
    assert found.sentence is None, "too short to tell"


class Slow(Identity):
    """Takes 30 ms to decode."""

    name = "slow"

    def decoded(self, images: Tensor) -> Tensor:
        time.sleep(0.03)
        return images


def test_a_run_says_what_it_spent_most_time_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(stages, "WORTH_SAYING", 0.0)
    folder, said = write_noise(tmp_path / "noise", [(16, 16)] * 3), list[str]()
    evaluate(Slow(), images=folder, resolution=16, metrics=["psnr"], log=said.append)
    (sentence,) = [line for line in said if line.startswith("time by stage")]
    assert sentence.endswith("most goes to encoding and decoding")
    assert "metrics of images" in sentence
    assert "features" not in sentence, "no metric takes features"
