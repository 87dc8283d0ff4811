"""How a run goes: batches, memory that runs out, time that runs out, images and tokenizers that fail."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.fakes.images import write_noise
from tests.fakes.tokenizers import Identity, Scaling
from vitok_lib.errors import UnsupportedError
from vitok_lib.measure.quality import runner
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus, Record, Weights
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.interface import Latent

COUNT = 6
SIZE = 24


class Rounding(Identity):
    """Rounds an image to 16 levels; ``trouble`` is called with each batch before it is decoded."""

    name = "rounding"

    def __init__(self, trouble: Callable[[Tensor], None] = lambda _: None, *, tiling: bool | None = None) -> None:
        super().__init__(weights=Weights(source="random:0"), tiling=tiling)
        self.batches: list[int] = []
        self._trouble = trouble

    def decoded(self, images: Tensor) -> Tensor:
        self._trouble(images.movedim(1, -1))
        self.batches.append(len(images))
        return (images * 8).round() / 8


class Tileable(Rounding):
    """Cannot do an image whole, and can do it in tiles."""

    def __init__(self, *, tiling: bool | None = None) -> None:
        super().__init__(self._refuse, tiling=tiling)

    def _refuse(self, _: Tensor) -> None:
        if not self.settings.tiling:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 is full")

    def tiled(self) -> Tileable:
        return Tileable(tiling=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(SIZE, SIZE)] * COUNT, 5)


def _per_image() -> pd.DataFrame:
    (path,) = results_root().rglob("*.parquet")
    return pd.read_parquet(path)


def _values(record: Record) -> dict[str, float]:
    return {value.quantity: value.value for value in record.values}


def _larger_than(limit: int) -> Callable[[Tensor], None]:
    def trouble(images: Tensor) -> None:
        if len(images) > limit:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes. ")

    return trouble


def test_images_of_one_size_go_through_together_and_give_the_same_values(folder: Path) -> None:
    Image.new("RGB", (30, 20), "teal").save(folder / "25.png")  # between the third and the fourth
    single, batched = Rounding(), Rounding()
    alone = evaluate(single, images=folder, resolution=64, study="alone")
    together = evaluate(batched, images=folder, resolution=64, batch=4)
    assert single.batches == [1] * (COUNT + 1)
    assert batched.batches == [3, 1, 3]
    assert _values(together) == _values(alone)
    assert together.settings.batch == 4


def test_an_out_of_memory_tells_what_was_asked_for_and_what_did_fit(folder: Path) -> None:
    def trouble(images: Tensor) -> None:
        if images.shape[1] > SIZE:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 is full")

    Image.new("RGB", (50, 40), "teal").save(folder / "9.png")
    record = evaluate(Rounding(trouble), images=folder, resolution=64, batch=2)
    assert record.outcome.status is OutcomeStatus.OOM
    memory = record.outcome.memory
    assert memory is not None
    assert memory.requested_bytes == 1.5 * 2**30
    assert (memory.device, memory.batch, memory.height, memory.width) == ("cpu", 1, 40, 50)
    assert (memory.fit_batch, memory.fit_height, memory.fit_width) == (2, SIZE, SIZE)
    assert (record.outcome.total, record.outcome.done) == (COUNT + 1, COUNT)
    assert "9.png, 40 × 50 pixels at batch 1" in (record.outcome.detail or "")


def test_the_bytes_of_the_cpu_allocator_are_told_and_nothing_fitted(folder: Path) -> None:
    record = evaluate(Rounding(_larger_than(0)), images=folder, resolution=64)
    memory = record.outcome.memory
    assert memory is not None
    assert (memory.requested_bytes, memory.fit_batch) == (4096, None)


def test_a_smaller_batch_is_tried_only_if_the_request_allows_it(folder: Path) -> None:
    assert evaluate(Rounding(_larger_than(2)), images=folder, resolution=64, batch=4).outcome.status == "oom"
    tokenizer = Rounding(_larger_than(1))
    record = evaluate(tokenizer, images=folder, resolution=64, batch=4, on_oom=["batch"], retry=True)
    assert record.outcome.status is OutcomeStatus.OK
    assert record.outcome.detail == "went on with batch 1 after batch 4 ran out of memory"
    assert list(_per_image()["batch"]) == [1] * COUNT
    assert _values(record) == _values(evaluate(Rounding(), images=folder, resolution=64, study="small"))


def test_a_smaller_batch_is_kept_by_the_run_that_goes_on(folder: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(Rounding(_larger_than(2)), images=folder, resolution=64, batch=4, on_oom=["batch"], progress=stop)
    rest = Rounding()
    record = evaluate(rest, images=folder, resolution=64, batch=4)
    assert rest.batches == [2]
    assert record.outcome.detail == "went on with batch 2 after batch 4 ran out of memory"


def test_tiling_after_an_out_of_memory_is_a_record_of_its_own(folder: Path) -> None:
    record = evaluate(Tileable(), images=folder, resolution=64, on_oom=["batch", "tiling"])
    assert (record.outcome.status, record.settings.tiling) == (OutcomeStatus.OK, True)
    names = sorted(path.name for path in results_root().rglob("*.json"))
    assert names == ["rounding@tiling,weights=random0.json", "rounding@weights=random0.json"]
    whole = Record.model_validate_json(next(results_root().rglob(names[1])).read_bytes())
    assert whole.outcome.status is OutcomeStatus.OOM


def test_tiling_is_not_tried_unless_allowed(folder: Path) -> None:
    assert evaluate(Tileable(), images=folder, resolution=64).outcome.status is OutcomeStatus.OOM


def test_a_time_limit_ends_with_how_many_of_how_many_and_a_retry_goes_on(folder: Path) -> None:
    slow = Rounding(lambda _: time.sleep(0.2))
    record = evaluate(slow, images=folder, resolution=64, time_limit=0.7)
    done = record.outcome.done
    assert record.outcome.status is OutcomeStatus.TIMEOUT
    assert done is not None
    assert 1 <= done < COUNT == record.outcome.total
    assert record.values[0].n == done == len(slow.batches)
    untouched = Rounding()
    for limit in (0.7, 0.5):
        assert evaluate(untouched, images=folder, resolution=64, time_limit=limit) == record
    assert untouched.batches == []
    rest = Rounding()
    whole = evaluate(rest, images=folder, resolution=64, retry=True)
    assert len(rest.batches) == COUNT - done
    fresh = evaluate(Rounding(), images=folder, resolution=64, study="fresh")
    assert whole.model_dump(exclude={"provenance"}) == fresh.model_dump(exclude={"provenance"})


@pytest.mark.parametrize("limit", [60.0, None])
def test_more_time_goes_on_where_less_ended(folder: Path, limit: float | None) -> None:
    slow = Rounding(lambda _: time.sleep(0.1))
    done = evaluate(slow, images=folder, resolution=64, time_limit=0.15).outcome.done
    assert done is not None
    rest = Rounding()
    record = evaluate(rest, images=folder, resolution=64, time_limit=limit)
    assert record.outcome.status is OutcomeStatus.OK
    assert len(rest.batches) == COUNT - done


def test_what_may_change_after_running_out_of_memory_is_tried_after_a_record_of_that(folder: Path) -> None:
    assert evaluate(Tileable(), images=folder, resolution=64).outcome.status is OutcomeStatus.OOM
    for _ in range(2):  # and the second time from the record
        assert evaluate(Tileable(), images=folder, resolution=64, on_oom=["tiling"]).settings.tiling is True
    assert evaluate(Rounding(_larger_than(2)), images=folder, resolution=64, batch=4).outcome.status == "oom"
    record = evaluate(Rounding(_larger_than(2)), images=folder, resolution=64, batch=4, on_oom=["batch"])
    assert record.outcome.status is OutcomeStatus.OK


def test_a_time_limit_shorter_than_one_image_still_gets_ahead(folder: Path) -> None:
    for _ in range(COUNT):
        record = evaluate(
            Rounding(lambda _: time.sleep(0.01)), images=folder, resolution=64, time_limit=1e-6, retry=True
        )
    assert record.outcome.status is OutcomeStatus.OK


def test_an_image_that_the_tokenizer_fails_on_is_named_and_the_run_goes_on(folder: Path) -> None:
    seen: list[int] = []

    def trouble(_: Tensor) -> None:
        seen.append(0)
        if len(seen) == 2:
            raise ValueError("odd image")

    record = evaluate(Rounding(trouble), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.outcome.detail == f"1 of {COUNT} images failed: 1.png: ValueError: odd image"
    assert (record.outcome.done, record.outcome.failed) == (COUNT - 1, 1)
    table = _per_image().set_index("image")
    assert table.loc["1.png", "error"] == "ValueError: odd image"
    assert table["psnr"].isna().sum() == 1
    rest = Rounding()
    assert evaluate(rest, images=folder, resolution=64, retry=True).outcome.status is OutcomeStatus.OK
    assert len(rest.batches) == 1


def test_of_a_batch_that_fails_each_image_is_tried_alone(folder: Path) -> None:
    Image.new("RGB", (SIZE, SIZE), "black").save(folder / "2.png")

    def trouble(images: Tensor) -> None:
        if bool((images == -1).flatten(1).all(1).any()):
            raise ValueError("too dark")

    record = evaluate(Rounding(trouble), images=folder, resolution=64, batch=3)
    assert record.outcome.detail == f"1 of {COUNT} images failed: 2.png: ValueError: too dark"


def test_a_tokenizer_that_always_fails_ends_the_run_early(folder: Path) -> None:
    calls: list[int] = []

    def trouble(_: Tensor) -> None:
        calls.append(0)
        raise ValueError("broken")

    record = evaluate(Rounding(trouble), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert len(calls) == 3
    assert "3 images in a row failed, the last one 2.png: ValueError: broken" in (record.outcome.detail or "")


def test_what_a_tokenizer_cannot_do_by_nature_is_unsupported(folder: Path) -> None:
    def trouble(_: Tensor) -> None:
        raise UnsupportedError("no image is that small")

    record = evaluate(Rounding(trouble), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.UNSUPPORTED
    assert record.outcome.failed == COUNT
    assert "and 3 more" in (record.outcome.detail or "")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_reconstruction_that_is_not_finite_is_no_value(folder: Path, value: float) -> None:
    class Blown(Rounding):
        def decode(self, latent: Latent) -> Tensor:
            images = super().decode(latent)
            if len(self.batches) == 1:
                images[0, 1, 2, 3] = value
            return images

    record = evaluate(Blown(), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.NON_FINITE
    assert re.search(r"0\.png: 0\.\d+ % of the values of the reconstruction \(float32\)", record.outcome.detail or "")
    assert (record.outcome.failed, record.values[0].n) == (1, COUNT - 1)


@pytest.mark.parametrize(("factor", "share"), [(1, 0), (4, 75)])
def test_values_outside_the_range_are_counted_before_the_clamp(tmp_path: Path, factor: int, share: float) -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32)  # every level as often as any other
    Image.fromarray(np.stack((levels,) * 3, -1)).save(tmp_path / "levels.png")
    record = evaluate(Scaling(factor), images=tmp_path, resolution=32, metrics=["out-of-range"])
    assert _values(record) == {"out-of-range": share}


def test_bits_per_pixel_are_those_of_the_latent(folder: Path) -> None:
    record = evaluate(Rounding(), images=folder, resolution=64, metrics=["bpp"])
    assert _values(record) == {"bpp": 3 * 16}


def test_the_same_content_under_two_names_counts_twice_and_is_measured_once(folder: Path) -> None:
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    tokenizer = Rounding()
    record = evaluate(tokenizer, images=folder, resolution=64)
    assert len(tokenizer.batches) == COUNT
    assert record.outcome.done == COUNT + 1
    table = _per_image().set_index("image")
    assert table.loc["copy.png", "psnr"] == table.loc["0.png", "psnr"]


@pytest.mark.parametrize(("device", "held", "threads"), [("cpu", 64, 2), ("cuda", 6, 6), ("cuda:1", 64, 16)])
def test_beside_a_gpu_every_core_prepares_images(
    monkeypatch: pytest.MonkeyPatch, device: str, held: int, threads: int
) -> None:
    monkeypatch.setattr(runner, "cores", lambda: held)
    assert runner.workers_for(device) == threads
