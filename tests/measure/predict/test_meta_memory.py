"""Memory and FLOPs traced on the meta device: closed forms, real tensors, and the auto-encoder whose peak is known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from vitok_lib.measure.predict.meta_memory import Kernels, trace_memory
from vitok_lib.measure.predict.meta_model import MetaModel, build_meta_model
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import TokenizerSpec
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok.checkpoint import ViTok, empty_modules
from vitok_lib.tokenizers.vitok.model import Decoder, Encoder
from vitok_lib.tokenizers.vitok.variant import parse_variant

KIB = 1024
DEVICES = ("cpu", "meta")


@pytest.mark.parametrize("device", DEVICES)
def test_a_tensor_counts_from_its_operation_to_its_last_reference(device: str) -> None:
    def call() -> None:
        first = torch.zeros(256, device=device)  # 1 KiB
        second = first.repeat(4)  # and 4
        del first
        third = second.repeat(2)  # and 8: 12 are alive
        del second, third
        torch.zeros(2 * 256, device=device)

    assert trace_memory(call)[1].peak_bytes == 12 * KIB


@pytest.mark.parametrize("device", DEVICES)
def test_views_inputs_and_writing_in_place_take_nothing(device: str) -> None:
    weight = torch.zeros(64, 64, device=device)

    def call() -> torch.Tensor:
        view = weight.t()[1:].t()
        view.add_(1)
        return torch.split(view, 64)[0]

    assert trace_memory(call)[1].peak_bytes == 0


def test_a_view_keeps_all_of_its_storage_alive() -> None:
    def call() -> torch.Tensor:
        part = torch.zeros(1024 * KIB, dtype=torch.uint8, device="meta")[:1]
        return torch.zeros(KIB, dtype=torch.uint8, device="meta")[: len(part)]

    assert trace_memory(call)[1].peak_bytes == 1025 * KIB


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("head_dim", [64, 512])
def test_attention_takes_its_output_and_never_the_scores(mask: bool, head_dim: int) -> None:
    tokens = 4096
    query = torch.empty(1, 2, tokens, head_dim, device="meta")
    seen = torch.empty(tokens, tokens, device="meta") if mask else None
    _, cost = trace_memory(lambda: F.scaled_dot_product_attention(query, query, query, attn_mask=seen))
    assert cost.peak_bytes == 4 * query.numel() + 4 * 2 * tokens
    assert cost.flops == 4 * 2 * tokens**2 * head_dim


def test_attention_without_an_axis_of_heads_is_that_of_one_head() -> None:
    tokens, width = 1024, 512
    query = torch.empty(2, tokens, width, device="meta")
    output, cost = trace_memory(lambda: F.scaled_dot_product_attention(query, query, query))
    assert output.shape == query.shape
    assert cost.peak_bytes == 4 * query.numel() + 4 * 2 * tokens
    assert cost.flops == 4 * 2 * tokens**2 * width


def test_attention_on_a_cpu_is_one_fused_kernel_even_with_512_values_a_head() -> None:
    query = torch.rand(1, 1, 1024, 512)
    _, cost = trace_memory(lambda: F.scaled_dot_product_attention(query, query, query))
    assert cost.peak_bytes == 4 * query.numel() + 4 * 1024


@pytest.mark.parametrize("window", [None, 40])
@pytest.mark.parametrize("size", [(256, 256), (136, 300)], ids=str)
def test_a_trace_on_meta_tensors_is_that_on_real_ones(size: tuple[int, int], window: int | None) -> None:
    variant = "w32_d2_h2-w48_d3_h2/8x6"
    real = load_tokenizer(variant, weights="random", window=window)
    modules = empty_modules(parse_variant(variant))
    meta = ViTok(real.spec, real.weights, real.settings, *_sides(modules))
    costs = []
    for tokenizer, device in ((real, "cpu"), (meta, "meta")):
        latent, encoding = trace_memory(lambda: tokenizer.encode(torch.zeros(1, 3, *size, device=device)))  # noqa: B023
        _, decoding = trace_memory(lambda: tokenizer.decode(latent))  # noqa: B023
        costs.append((encoding.peak_bytes, decoding.peak_bytes))
    assert costs[0] == costs[1]


def test_one_block_stands_for_all() -> None:
    modules = empty_modules(parse_variant("w64_d3_h2-w48_d5_h2/4x6"))
    deep = MetaModel(ViTok(_spec(), Weights(source="none"), Settings(window=None), *_sides(modules)), 0, 0, 0, 0)
    shallow = build_meta_model(RunConfig(name="w64_d3_h2-w48_d5_h2/4x6"))
    assert shallow is not None
    for resolution in (64, 640):
        for first, second in zip(_bytes(deep, resolution), _bytes(shallow, resolution), strict=True):
            assert first == second


@pytest.mark.parametrize(("window", "folded", "chunk"), [(None, None, None), (9, None, None), (None, True, 1024)])
def test_one_chunk_stands_for_all(window: int | None, folded: bool | None, chunk: int | None) -> None:
    short, whole = (
        build_meta_model(RunConfig(name="nano-f16x64", window=window, folded=folded, chunk=chunk)) for _ in range(2)
    )
    assert short is not None
    assert whole is not None
    assert short.repeated
    whole.repeated = ()
    assert short.footprint(400, 3) == whole.footprint(400, 3)
    assert short.footprint(1024, 16) == whole.footprint(1024, 16)


def test_beyond_the_traced_sizes_memory_of_many_bands_is_a_straight_line() -> None:
    name = "w32_d1_h2/1x1x4"
    guessed, exact = (build_meta_model(RunConfig(name=name, window=300)) for _ in range(2))
    assert guessed is not None
    assert exact is not None
    assert guessed.straight_from is not None
    assert guessed.straight_from < 960
    exact.straight_from = None
    assert _bytes(guessed, 960) == pytest.approx(_bytes(exact, 960), rel=0.01)


@pytest.mark.parametrize(("window", "resolution", "batch"), [(None, 2400, 48), (64, 4000, 16)])
def test_beyond_the_traced_sizes_memory_of_a_large_batch_is_a_straight_line(
    window: int | None, resolution: int, batch: int
) -> None:
    guessed, exact = (build_meta_model(RunConfig(name="nano-f16x64", window=window)) for _ in range(2))
    assert guessed is not None
    assert exact is not None
    exact.straight_from = None
    peaks = [
        (each.encode.peak_bytes, each.decode.peak_bytes)
        for each in (guessed.footprint(resolution, batch), exact.footprint(resolution, batch))
    ]
    assert peaks[0] == pytest.approx(peaks[1], rel=0.03)
    assert len(guessed._known) == 3, "two are traced, and one is on their line"


@pytest.mark.parametrize(("resolution", "gib"), [(1024, 1.5), (4096, 24)])
def test_the_peak_of_the_flux_decoder_is_that_of_its_last_level(resolution: int, gib: float) -> None:
    """768 channels at full resolution in bfloat16: a held input, its norm and the SiLU of that, of 256 channels each;
    the encoder holds 640."""
    model = build_meta_model(RunConfig(name="flux", dtype="bfloat16"))
    assert model is not None
    encoding, decoding = _bytes(model, resolution)
    assert decoding == pytest.approx(768 * resolution**2 * 2, rel=0.01)
    assert decoding / 2**30 == pytest.approx(gib, rel=0.01)
    assert encoding == pytest.approx(640 * resolution**2 * 2, rel=0.01)


def test_the_work_of_an_auto_encoder_is_what_torch_counts() -> None:
    model = build_meta_model(RunConfig(name="nano-kl-f8x16"))
    assert model is not None
    footprint = model.footprint(128, 1)
    images = torch.empty(1, 3, 128, 128, device="meta")
    with FlopCounterMode(display=False) as counted:
        model.tokenizer.reconstruct(images)
    assert footprint.encode.flops + footprint.decode.flops == counted.get_total_flops()


# Of the Flux auto-encoder, in 10¹² operations: the convolutions of the encoder and of the decoder, and the attention of
# both, 4 · 512 · N² for N = (side / 8)² and each of them.
@pytest.mark.parametrize(
    ("resolution", "encoder", "decoder", "attention"), [(1024, 4.30, 9.89, 1.1), (4096, 68.8, 158, 281)]
)
def test_the_work_of_an_auto_encoder_is_told_apart_by_type(
    resolution: int, encoder: float, decoder: float, attention: float
) -> None:
    model = build_meta_model(RunConfig(name="flux", dtype="bfloat16"))
    assert model is not None
    footprint = model.footprint(resolution, 1)
    encode, decode = footprint.encode.flops_by_type, footprint.decode.flops_by_type
    assert encode["convolution"] / 1e12 == pytest.approx(encoder, rel=0.005)
    assert decode["convolution"] / 1e12 == pytest.approx(decoder, rel=0.005)
    assert (encode["attention"] + decode["attention"]) == 2 * 4 * 512 * (resolution // 8) ** 4
    assert (encode["attention"] + decode["attention"]) / 1e12 == pytest.approx(attention, rel=0.005)
    assert footprint.decode.flops == decode.total()


def test_plain_attention_holds_scores_and_softmax() -> None:
    """At 2048 px 65,536 tokens: 2 · N² values of 4 bytes are 32 GiB, and which are infinite 4 GiB."""
    fused, plain = (
        build_meta_model(RunConfig(name="flux", dtype="bfloat16", attention=attention))
        for attention in ("flash", "math")
    )
    assert fused is not None
    assert plain is not None
    assert _bytes(fused, 2048)[1] / 2**30 == pytest.approx(6, rel=0.01)
    assert _bytes(plain, 2048)[1] / 2**30 == pytest.approx(36, rel=0.03)
    assert plain.footprint(2048, 1).decode.flops == fused.footprint(2048, 1).decode.flops


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_plain_attention_on_meta_holds_what_torch_holds_of_it(dtype: str) -> None:
    tokens, head_dim = 512, 16
    with sdpa_kernel(SDPBackend.MATH):
        query = torch.rand(1, 1, tokens, head_dim, dtype=getattr(torch, dtype))
        _, real = trace_memory(lambda: F.scaled_dot_product_attention(query, query, query))
    meta = query.to("meta")
    _, guessed = trace_memory(
        lambda: F.scaled_dot_product_attention(meta, meta, meta), kernels=Kernels(fused_attention=False)
    )
    inside_softmax = tokens**2  # which scores are infinite, seen by no tracker
    assert guessed.peak_bytes == pytest.approx(real.peak_bytes + inside_softmax, rel=0.1)


def test_a_convolution_of_cudnn_holds_its_input_and_output_once_more() -> None:
    images = torch.empty(2, 8, 32, 32, device="meta")
    weight = torch.empty(16, 8, 3, 3, device="meta")

    def call() -> torch.Tensor:
        return F.conv2d(images, weight, padding=1)

    in_bytes, out_bytes = images.nbytes, 2 * images.nbytes
    assert trace_memory(call)[1].peak_bytes == out_bytes
    assert trace_memory(call, kernels=Kernels(cudnn=True))[1].peak_bytes == out_bytes + in_bytes + out_bytes


@pytest.mark.parametrize("compiled", [False, True])
def test_a_compiler_writes_of_a_chain_of_small_steps_only_what_a_kernel_reads(compiled: bool) -> None:
    """The gated half of a product: the product, what the next one reads, and its result."""
    x, wide, back = (torch.empty(*shape, device="meta") for shape in ((256, 64), (64, 512), (256, 64)))

    def call() -> torch.Tensor:
        content, gate = (x @ wide).chunk(2, dim=-1)
        return (content * F.silu(gate) * 2 + 1).float() @ back

    product, chain, result = 4 * 256 * 512, 4 * 256 * 256, 4 * 256 * 64
    peak = trace_memory(call, kernels=Kernels(compiled=compiled))[1].peak_bytes
    assert peak == product + (chain + result if compiled else 2 * chain)


def test_what_a_compiler_fused_is_written_where_it_is_the_result() -> None:
    x = torch.empty(1024, device="meta")
    assert trace_memory(lambda: (x + 1) * 2, kernels=Kernels(compiled=True))[1].peak_bytes == x.nbytes


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("chunk", [0, 300])
def test_a_stand_in_holds_what_a_folded_or_chunked_model_holds(folded: bool, chunk: int) -> None:
    name = "w32_d2_h2-w48_d3_h2/8x6"
    real = load_tokenizer(name, weights="random", folded=folded, chunk=chunk)
    meta = build_meta_model(RunConfig(name=name, folded=folded, chunk=chunk))
    assert meta is not None
    images = torch.zeros(1, 3, 256, 256)
    latent, encoding = trace_memory(lambda: real.encode(images))
    _, decoding = trace_memory(lambda: real.decode(latent))
    assert _bytes(meta, 256) == (encoding.peak_bytes, decoding.peak_bytes)
    assert isinstance(real, ViTok)
    modules = [real.encoder, real.decoder]
    held = [sum(tensor.nbytes for tensor in module.state_dict().values()) for module in modules if module is not None]
    assert [meta.encoder_bytes, meta.decoder_bytes] == held
    assert meta.weight_bytes == sum(held)


def test_a_tile_run_once_for_its_shape_stands_for_the_others() -> None:
    once, each = (build_meta_model(RunConfig(name="nano-kl-f8x16", tiling=True)) for _ in range(2))
    assert once is not None
    assert each is not None
    for model in (once, each):
        model.tokenizer.model.tile_sample_min_size, model.tokenizer.model.tile_latent_min_size = 64, 8  # type: ignore[attr-defined]
    each.repeated = ()
    del each.tokenizer.model.blend_v, each.tokenizer.model.blend_h  # type: ignore[attr-defined]
    assert _bytes(once, 200) == pytest.approx(_bytes(each, 200), rel=0.01)
    first, second = once.footprint(200, 1), each.footprint(200, 1)
    assert (first.encode.flops, first.decode.flops) == (second.encode.flops, second.decode.flops)
    untiled = build_meta_model(RunConfig(name="nano-kl-f8x16"))
    assert untiled is not None
    assert _bytes(once, 200)[1] < _bytes(untiled, 200)[1] / 4


def _spec() -> TokenizerSpec:
    return TokenizerSpec("deep", "vitok", 4, 6, "this test")


def _sides(modules: dict[str, nn.Module]) -> tuple[Encoder, Decoder]:
    encoder, decoder = modules["encoder"], modules["decoder"]
    assert isinstance(encoder, Encoder)
    assert isinstance(decoder, Decoder)
    return encoder, decoder


def _bytes(model: MetaModel, resolution: int) -> tuple[int, int]:
    footprint = model.footprint(resolution, 1)
    return footprint.encode.peak_bytes, footprint.decode.peak_bytes
