"""What each metric is called, and that no two can be mixed up."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.metrics.colour import COLOUR_METRICS
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.features import LOADERS
from vitok_lib.metrics.networks.pins import PINS
from vitok_lib.metrics.perceptual import PERCEPTUAL_METRICS
from vitok_lib.metrics.pixel import GRID, PIXEL_METRICS
from vitok_lib.metrics.sets import STATISTICS
from vitok_lib.metrics.signature import METRICS, Metric, find_metric, signature_of

FAMILIES = ["vitok", "kl", "dc-ae", "diffusers", "pca", "codec", "plugin"]
EXPECTED = {
    "psnr": "psnr|rgb|u8|cap:100|per-image-mean|v1",
    "ssim": "ssim|rgb|u8|gauss:11,1.5|reflect|per-image-mean|v1",
    "fid": "fid|inception-2015-12-05|bicubic-aa-299|u8|d:2048|v1",
}


def test_signatures_are_unique() -> None:
    signatures = {signature_of(metric, family) for metric in METRICS.values() for family in FAMILIES}
    assert len(signatures) == len(METRICS) + 1  # the rate has two


@pytest.mark.parametrize("name", METRICS)
def test_a_signature_starts_with_the_name_and_ends_with_a_version(name: str) -> None:
    parts = METRICS[name].signature.split("|")
    assert parts[0] == name
    assert parts[-1].startswith("v")
    assert parts[-1][1:].isdigit()


@pytest.mark.parametrize(("name", "signature"), EXPECTED.items())
def test_signatures_that_records_hold_stay(name: str, signature: str) -> None:
    assert METRICS[name].signature == signature


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_its_source(name: str) -> None:
    assert find_metric(name).source


def test_every_metric_can_be_computed_and_every_computation_has_a_signature() -> None:
    of_images = {metric.name for metric in METRICS.values() if metric.scope == "image"}
    assert of_images == PIXEL_METRICS.keys() | COLOUR_METRICS.keys() | PERCEPTUAL_METRICS.keys() | {GRID}
    of_sets = {(metric.extractor, metric.statistic) for metric in METRICS.values() if metric.scope == "set"}
    legacy = {("inception-legacy", statistic) for statistic in ("fd", "kid")}
    others = {extractor for extractor in LOADERS if extractor != "inception-legacy"}
    assert of_sets == {(extractor, statistic) for extractor in others for statistic in STATISTICS} | legacy
    assert EXTRACTORS.keys() == LOADERS.keys()


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_only_the_checked_inception_weights_are_called_fid(metric: Metric) -> None:
    of_inception = metric.extractor in ("inception", "inception-legacy")
    if "fid" in f"{metric.name} {metric.title} {metric.signature}".lower():
        assert "|inception-2015-12-05|" in metric.signature
    assert ("fid" in metric.name) == (of_inception and metric.statistic in ("fd", "fd-infinity"))


def test_the_two_resize_rules_of_fid_and_kid_are_two_columns() -> None:
    for name in ("fid", "kid"):
        current, legacy = METRICS[name].signature, METRICS[f"{name}-legacy"].signature
        assert "|bicubic-aa-299|" in current
        assert "|bilinear-tf1-299|" in legacy


@pytest.mark.parametrize("name", ["lpips", "dists", "fd-dinov2", "paired-dinov3"])
def test_the_signature_of_a_learned_metric_has_the_digests_of_its_weights(name: str) -> None:
    metric = METRICS[name]
    pinned = PINS[metric.extractor or name]
    digests = [digest for file, digest in pinned.items() if file != "config.json"]
    assert f":{'+'.join(digest[:8] for digest in digests)}|" in metric.signature


def test_the_pins_are_those_in_torchvisions_file_names_and_of_torchmetrics_own_files() -> None:
    for name in ("lpips", "dists"):
        (backbone, digest), (head, head_digest) = PINS[name].items()
        assert f"-{digest[:8]}.pth" in backbone
        package = importlib.util.find_spec("torchmetrics")
        assert package is not None
        file = Path(str(package.origin)).parent / "functional" / "image" / head
        assert hashlib.sha256(file.read_bytes()).hexdigest() == head_digest
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for files in PINS.values() for digest in files.values())


def test_more_is_better_only_of_similarities() -> None:
    assert {metric.name for metric in METRICS.values() if metric.higher_is_better} == {
        "psnr",
        "ssim",
        "ms-ssim",
        "ssimulacra2",
        "exact-match",
    }


def test_the_rate_of_a_stream_is_another_quantity_than_that_of_latent_values() -> None:
    rate = METRICS["bpp"]
    assert "stream" in signature_of(rate, "codec")
    assert {signature_of(rate, family) for family in FAMILIES if family != "codec"} == {rate.signature}


def test_the_signature_of_another_metric_does_not_depend_on_the_family() -> None:
    assert {signature_of(METRICS["psnr"], family) for family in FAMILIES} == {METRICS["psnr"].signature}


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown metric 'pnsr'; did you mean psnr"):
        find_metric("pnsr")


@pytest.mark.parametrize("module", ["signature", "leakage", "statistics"])
def test_the_catalogue_needs_no_torch(module: str) -> None:
    code = f"import sys, vitok_lib.metrics.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
