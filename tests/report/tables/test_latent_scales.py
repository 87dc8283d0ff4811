"""The table of latent scales against the numbers that the models' authors print."""

from __future__ import annotations

import inspect

import pytest

from tests.fakes.reading import heads
from vitok_lib.report.page.content import WebLink, plain
from vitok_lib.report.tables.latent_scales import DEFAULTS, latent_scale_table, shift_and_scale
from vitok_lib.tokenizers.diffusers_classes.adapters import ADAPTERS, diffusers_class
from vitok_lib.tokenizers.diffusers_classes.configurations import configuration_file, read_configuration
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, REGISTRY


@pytest.fixture(scope="module")
def cells() -> dict[str, dict[str, str]]:
    table = latent_scale_table()
    return {plain(line[0]): dict(zip(heads(table), map(plain, line), strict=True)) for line in table.rows}


@pytest.mark.parametrize(
    ("name", "shift", "scale"),
    [
        ("sd", "0", "0.18215"),  # Rombach et al. 2022, and the default of the class
        ("flux", "0.1159", "0.3611"),
        ("sd3.5", "0.0609", "1.5305"),
        ("hunyuan-image", "0", "0.75289"),
        ("taesd", "0", "1"),
        ("wan2.2", "by channel, −0.294 to 0.511", "by channel, 0.592 to 2.84"),  # 1 / 1.6887 and 1 / 0.3523
        ("cosmos", "by channel, −0.169 to 0.203", "by channel, 1.02 to 2.81"),  # of the first frame alone
        ("ltx-video", "by channel, in the weights", "by channel, in the weights"),
        ("rae-dinov2", *["by channel and position, in the weights"] * 2),  # the statistics of ImageNet's features
    ],
)
def test_shift_and_scale_are_the_published_ones(
    cells: dict[str, dict[str, str]], name: str, shift: str, scale: str
) -> None:
    assert (cells[name]["Shift"], cells[name]["Scale"]) == (shift, scale)


def test_what_a_configuration_leaves_out_is_the_default_of_its_class() -> None:
    for entry in (entry for entry in REGISTRY.values() if entry.family in CONVOLUTIONAL and entry.repository):
        config = read_configuration(configuration_file(entry))
        class_name = config["_class_name"]
        parameters = inspect.signature(diffusers_class(class_name).__init__).parameters
        for name in ("num_vq_embeddings", "latents_mean", "latents_std", "scaling_factor", "shift_factor"):
            if name not in config and name in parameters and parameters[name].default is not None:
                default, ours = parameters[name].default, DEFAULTS[class_name][name]
                # Cosmos has a value for each latent frame of each channel; an image is the first frame.
                assert (default[:: len(default) // len(ours)] if isinstance(ours, list) else default) == ours


def test_a_row_names_class_gate_and_what_a_discrete_latent_costs(cells: dict[str, dict[str, str]]) -> None:
    assert cells["wan2.1"]["Class"] == "AutoencoderKLWan"
    assert cells["sd3.5"]["Licence"].endswith("gated")
    assert "14 bits" in cells["kandinsky-movq"]["Channels"], "an index among 16,384 codes"


def test_every_adapter_has_a_row_with_all_its_columns(cells: dict[str, dict[str, str]]) -> None:
    named = {name for name, entry in REGISTRY.items() if entry.family in CONVOLUTIONAL and entry.repository}
    assert cells.keys() == named
    assert {row["Class"] for row in cells.values()} == ADAPTERS.keys() - {"AutoencoderKLKVAE"}, "no entry of KVAE"
    assert all(all(row.values()) for row in cells.values()), "no empty cell"
    assert cells["flux"]["Licence"] == "non-commercial, gated"
    assert cells["taef1"]["Licence"] == "MIT"
    assert cells["rae-dinov2"]["Licence"] == "not checked"


def test_every_row_links_to_its_repository() -> None:
    for line in latent_scale_table().rows:
        assert isinstance(line[0][0], WebLink)
        assert line[0][0].url == f"https://huggingface.co/{REGISTRY[line[0][0].text].repository}"


def test_a_factor_beside_a_mean_and_a_deviation_of_each_channel_multiplies() -> None:
    config = {
        "_class_name": "AutoencoderKL",
        "latents_mean": [0.5, -1.0],
        "latents_std": [2.0, 0.5],
        "scaling_factor": 0.5,
    }
    assert shift_and_scale(config) == ("by channel, −1 to 0.5", "by channel, 0.25 to 1")
