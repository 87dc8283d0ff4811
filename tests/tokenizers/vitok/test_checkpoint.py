"""Loading a ViTok: every source, every dtype, and every way in which a checkpoint can be wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok.checkpoint import Part, ViTok

VARIANT = "w32_d1_h2-w16_d2_h2/8x6"
IMAGE = torch.linspace(-1, 1, 3 * 20 * 28).reshape(1, 3, 20, 28)


def _random(dtype: str = "float32", seed: int = 3) -> ViTok:
    tokenizer = load_tokenizer(VARIANT, weights="random", dtype=dtype, seed=seed)
    assert isinstance(tokenizer, ViTok)
    return tokenizer


def _states(tokenizer: ViTok) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    assert tokenizer.encoder is not None
    assert tokenizer.decoder is not None
    return tokenizer.encoder.state_dict(), tokenizer.decoder.state_dict()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint"
    path.mkdir()
    for side, state in zip(("encoder", "decoder"), _states(_random()), strict=True):
        save_file(state, path / f"{side}.safetensors")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    encoder, decoder = _states(_random())
    path = tmp_path / "both.safetensors"
    save_file(encoder | decoder, path)
    return path


def test_a_folder_gives_the_weights_that_it_holds(folder: Path) -> None:
    assert torch.equal(load_tokenizer(VARIANT, weights=folder).reconstruct(IMAGE), _random().reconstruct(IMAGE))


def test_one_file_gives_both_sides(file: Path) -> None:
    assert torch.equal(load_tokenizer(VARIANT, weights=file).reconstruct(IMAGE), _random().reconstruct(IMAGE))


def test_a_path_may_be_text(folder: Path) -> None:
    assert load_tokenizer(VARIANT, weights=str(folder)).weights.source == "file"


def test_the_identity_of_a_folder_is_the_sha256_of_each_file(folder: Path) -> None:
    lines = subprocess.run(
        ["sha256sum", "encoder.safetensors", "decoder.safetensors"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    assert load_tokenizer(VARIANT, weights=folder).weights.files == expected


def test_the_encoder_alone_encodes_and_refuses_to_decode(folder: Path) -> None:
    (folder / "decoder.safetensors").unlink()
    tokenizer = load_tokenizer(VARIANT, weights=folder, part="encoder")
    latent = tokenizer.encode(IMAGE)
    assert torch.equal(latent.values, _random().encode(IMAGE).values)
    with pytest.raises(RequestError, match="loaded without its decoder"):
        tokenizer.decode(latent)


def test_the_decoder_alone_decodes_and_refuses_to_encode(folder: Path) -> None:
    (folder / "encoder.safetensors").unlink()
    tokenizer = load_tokenizer(VARIANT, weights=folder, part="decoder")
    latent = _random().encode(IMAGE)
    assert torch.equal(tokenizer.decode(latent), _random().decode(latent))
    with pytest.raises(RequestError, match="loaded without its encoder"):
        tokenizer.encode(IMAGE)


@pytest.mark.parametrize(("part", "place"), [("encoder", 0), ("decoder", 1)])
def test_one_side_alone_has_the_random_weights_that_it_has_beside_the_other(part: Part, place: int) -> None:
    whole = load_tokenizer(VARIANT, weights="random", seed=5)
    alone = load_tokenizer(VARIANT, weights="random", seed=5, part=part)
    assert isinstance(whole, ViTok)
    assert isinstance(alone, ViTok)
    expected, found = _states(whole)[place], getattr(alone, part).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_one_side_alone_loads_from_a_file_of_its_own(folder: Path) -> None:
    tokenizer = load_tokenizer(VARIANT, weights=folder / "encoder.safetensors", part="encoder")
    assert torch.equal(tokenizer.encode(IMAGE).values, _random().encode(IMAGE).values)


def test_an_unknown_part_names_the_nearest(folder: Path) -> None:
    with pytest.raises(RequestError, match="unknown part 'encodr'; did you mean encoder"):
        load_tokenizer(VARIANT, weights=folder, part="encodr")  # type: ignore[arg-type]


def test_a_float32_file_loads_into_bfloat16(folder: Path) -> None:
    tokenizer = load_tokenizer(VARIANT, weights=folder, dtype="bfloat16")
    assert isinstance(tokenizer, ViTok)
    for found, kept in zip(_states(tokenizer), _states(_random()), strict=True):
        assert all(torch.equal(found[key], kept[key].bfloat16()) for key in kept)
    assert tokenizer.reconstruct(IMAGE).dtype == torch.bfloat16


def test_a_bfloat16_file_loads_into_float32(folder: Path) -> None:
    states = [{key: tensor.bfloat16() for key, tensor in state.items()} for state in _states(_random())]
    for side, state in zip(("encoder", "decoder"), states, strict=True):
        save_file(state, folder / f"{side}.safetensors")
    tokenizer = load_tokenizer(VARIANT, weights=folder, dtype="float32")
    assert isinstance(tokenizer, ViTok)
    for found, kept in zip(_states(tokenizer), states, strict=True):
        assert all(torch.equal(found[key], kept[key].float()) for key in kept)


def test_an_unknown_dtype_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown dtype 'bfloat'; did you mean bfloat16"):
        load_tokenizer(VARIANT, weights="random", dtype="bfloat")


def test_an_unknown_device_is_one_sentence() -> None:
    with pytest.raises(RequestError, match=r"device 'gpu' is none that torch knows; try device 'cpu' or") as caught:
        load_tokenizer(VARIANT, weights="random", device="gpu")
    assert "\n" not in str(caught.value)


def _change(file: Path, change: dict[str, Tensor | None]) -> None:
    state = load_file(file) | {key: tensor for key, tensor in change.items() if tensor is not None}
    save_file({key: tensor for key, tensor in state.items() if change.get(key, tensor) is not None}, file)


def test_a_missing_key_is_named(folder: Path) -> None:
    _change(folder / "encoder.safetensors", {"to_code.bias": None})
    with pytest.raises(RequestError, match=r"encoder\.safetensors' misses to_code\.bias;"):
        load_tokenizer(VARIANT, weights=folder)


def test_a_surplus_key_is_named(folder: Path) -> None:
    _change(folder / "decoder.safetensors", {"mask_token": torch.zeros(3)})
    with pytest.raises(RequestError, match=r"decoder\.safetensors' has surplus mask_token;"):
        load_tokenizer(VARIANT, weights=folder)


def test_a_misshapen_key_is_named_with_both_shapes(folder: Path) -> None:
    _change(folder / "encoder.safetensors", {"to_code.weight": torch.zeros(6, 31)})
    with pytest.raises(RequestError, match=r"has misshapen to_code\.weight \[6, 31\] instead of \[6, 32\]"):
        load_tokenizer(VARIANT, weights=folder)


def test_everything_wrong_with_a_file_is_said_at_once(folder: Path) -> None:
    change = {"to_code.bias": None, "extra": torch.zeros(1), "to_code.weight": torch.zeros(1, 1)}
    _change(folder / "encoder.safetensors", change)
    with pytest.raises(RequestError, match=r"misses to_code\.bias; has surplus extra; has misshapen to_code\.weight"):
        load_tokenizer(VARIANT, weights=folder)


def test_a_checkpoint_of_another_variant_is_recognised(folder: Path) -> None:
    with pytest.raises(RequestError, match="is it a checkpoint of another variant"):
        load_tokenizer("w32_d2_h2-w16_d2_h2/8x6", weights=folder)


def test_an_empty_weight_file_is_named(folder: Path) -> None:
    (folder / "decoder.safetensors").write_bytes(b"")
    with pytest.raises(RequestError, match=r"decoder\.safetensors' \(0 bytes\) cannot be read as safetensors"):
        load_tokenizer(VARIANT, weights=folder)


@pytest.mark.parametrize("kept", [4, 100, -1], ids=["in-the-length", "in-the-header", "in-the-data"])
def test_a_truncated_weight_file_is_named(folder: Path, kept: int) -> None:
    file = folder / "encoder.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(RequestError, match=r"encoder\.safetensors' \(\d+ bytes\) cannot be read as safetensors"):
        load_tokenizer(VARIANT, weights=folder)


def test_a_pickle_is_refused(folder: Path) -> None:
    torch.save({"to_code.bias": torch.zeros(6)}, folder / "encoder.safetensors")
    with pytest.raises(RequestError, match="cannot be read as safetensors"):
        load_tokenizer(VARIANT, weights=folder)


def test_a_folder_without_one_side_says_which(folder: Path) -> None:
    (folder / "encoder.safetensors").unlink()
    with pytest.raises(RequestError, match=r"has no encoder\.safetensors; add it, or load part 'decoder' alone"):
        load_tokenizer(VARIANT, weights=folder)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"weights '.*nowhere' of tokenizer '.*' do not exist"):
        load_tokenizer(VARIANT, weights=tmp_path / "nowhere")


def test_a_variant_string_has_no_released_weights() -> None:
    with pytest.raises(RequestError, match=f"'{VARIANT}' names no released weights; give weights 'random' or a file"):
        load_tokenizer(VARIANT)


def test_an_unknown_tokenizer_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown tokenizer 'nano-f16x65'; did you mean nano-f16x64"):
        load_tokenizer("nano-f16x65")


def test_random_weights_of_one_seed_are_equal_bit_for_bit() -> None:
    for first, second in zip(_states(_random(seed=5)), _states(_random(seed=5)), strict=True):
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_random_weights_of_another_seed_differ() -> None:
    assert not torch.equal(_random(seed=5).reconstruct(IMAGE), _random(seed=6).reconstruct(IMAGE))


def test_random_weights_leave_the_callers_generator_alone() -> None:
    before = torch.get_rng_state()
    _random()
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_are_named_by_their_seed() -> None:
    assert _random(seed=5).weights.source == "random:5"


def test_parameters_need_no_gradient(folder: Path) -> None:
    tokenizer = load_tokenizer(VARIANT, weights=folder)
    assert isinstance(tokenizer, ViTok)
    assert tokenizer.encoder is not None
    assert not any(parameter.requires_grad for parameter in tokenizer.encoder.parameters())
    assert not any(parameter.is_meta for parameter in tokenizer.encoder.parameters())


@pytest.mark.parametrize(
    "images",
    [torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 0, 8), torch.zeros(1, 3, 8, 8).byte()],
    ids=["no-batch", "grey", "no-pixel", "uint8"],
)
def test_what_is_no_image_is_refused_with_its_shape(images: Tensor) -> None:
    with pytest.raises(RequestError, match=r"images must be floating \[B, 3, H, W\] in \[-1, 1\]; these are torch\."):
        _random().encode(images)


_GROWTH = """
import sys, torch
from vitok_lib.tokenizers.load import load_tokenizer
def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
def resident():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])
load_tokenizer(sys.argv[1].replace("d16", "d1"), weights="random").reconstruct(torch.zeros(1, 3, 16, 16))
import safetensors.torch, hashlib
before, earlier = resident(), peak()
tokenizer = load_tokenizer(sys.argv[1], weights=sys.argv[2])
total = sum(p.double().sum().item() for m in (tokenizer.encoder, tokenizer.decoder) for p in m.parameters())
print(before, earlier, peak())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc, which is Linux's")
def test_loading_holds_no_second_copy(tmp_path: Path) -> None:
    variant = "w512_d16_h8-w16_d1_h2/16x8"
    tokenizer = load_tokenizer(variant, weights="random")
    assert isinstance(tokenizer, ViTok)
    encoder, decoder = _states(tokenizer)
    save_file(encoder, tmp_path / "encoder.safetensors")
    save_file(decoder, tmp_path / "decoder.safetensors")
    size = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    assert size > 190e6
    command = [sys.executable, "-c", _GROWTH, variant, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, earlier, peak = (int(number) * 1024 for number in output.split())
    if earlier > before + 0.4 * size:
        pytest.skip("start-up took more memory than loading could show")
    assert peak - before < 1.5 * size, f"grew by {(peak - before) / size:.2f} × the weights"
