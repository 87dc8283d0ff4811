"""Types of operators and kernels, by names that profiles of these models show."""

from __future__ import annotations

import pytest

from vitok_lib.measure.speed.op_types import TYPES, OperationType, type_of_kernel, type_of_operator

OPERATORS: dict[OperationType, str] = {
    "linear": "aten::addmm aten::mm aten::bmm aten::linear aten::_scaled_mm mkldnn::_linear_pointwise",
    "attention": "aten::_scaled_dot_product_flash_attention_for_cpu aten::scaled_dot_product_attention aten::_softmax",
    "convolution": "aten::conv2d aten::mkldnn_convolution aten::_slow_conv2d_forward mkldnn::_convolution_pointwise",
    "elementwise": (
        "aten::silu aten::add_ aten::div aten::native_group_norm aten::_fused_rms_norm aten::masked_fill_ aten::abs "
        "graph_0_cpp_fused__unsafe_view_mul_silu_split_2"
    ),
    "copy": "aten::copy_ aten::_to_copy aten::cat aten::fill_ aten::constant_pad_nd aten::upsample_nearest2d",
    "other": "aten::view aten::empty aten::as_strided Torch-Compiled_Region:_0/0 aten::no_such_thing",
}
KERNELS: dict[OperationType, tuple[str, ...]] = {
    "linear": (
        "nvjet_tst_192x192_64x4_2x1_v_bz_coopA_TNT",
        "nvjet_qqtst_128x256_128x6_2x1_v_bz_TNT",
        "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_kernel__5x_cublas",
        "ampere_sgemm_128x64_tn",
        "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_256x128_32x3_tn_align8>(Params)",
        "void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cutlass::NumericArrayConverter<float>>>",
        "void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16, float, __nv_bfloat16>(Params)",
        "void gemv2T_kernel_val<int, int, __nv_bfloat16, __nv_bfloat16, float, 128, 16, 4, 4, false>(Params)",
        "triton_tem_fused_mm_3",
        "triton_tem_fused__scaled_mm_0",
    ),
    "attention": (
        "void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<128, 128, 64, 4, cutlass::bfloat16_t>>(Params)",
        "void pytorch_flash::flash_fwd_splitkv_combine_kernel<Flash_fwd_kernel_traits<64, 64, 256, 4>>(Params)",
        "fmha_cutlassF_bf16_aligned_64x128_rf_sm80(PyTorchMemEffAttention::AttentionKernel<cutlass::bfloat16_t>)",
        "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7_64x128x128_4x1x1_kernel0_0",
        "triton_tem_fused_flex_attention_0",
        "void (anonymous namespace)::softmax_warp_forward<float, float, float, 10, false, false>(float*)",
    ),
    "convolution": (
        "sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc_tilesize128x128x64_execute_kernel__5x_cudnn",
        "void cutlass__5x_cudnn::Kernel<cutlass_tensorop_bf16_s16816fprop_optimized_bf16_256x128_32x3_nhwc>(Params)",
        "void implicit_convolve_sgemm<float, float, 1024, 5, 5, 3, 3, 3, 1, true, false, true>(int, int)",
        "void cudnn::winograd_nonfused::winogradForwardData4x4<float, float>(Params)",
        "void at::native::im2col_kernel<c10::BFloat16>(long, c10::BFloat16 const*)",
    ),
    "elementwise": (
        "triton_poi_fused__to_copy_mul_silu_3",
        "triton_poi_fused_convolution_silu_1",
        "residual_norm",
        "position",
        "gate",
        "triton_red_fused__scaled_mm_abs_amax_7",
        "triton_per_fused__scaled_dot_product_flash_attention_rms_norm_2",
        "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<c10::BFloat16>>(int)",
        "void at::native::elementwise_kernel<128, 4, at::native::binary_internal::MulFunctor<float>>(int)",
        "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float>>>(Op)",
        "void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float, true>(int)",
        "void at::native::(anonymous namespace)::RowwiseMomentsCUDAKernel<c10::BFloat16>(long)",
        "void at::native::vectorized_elementwise_kernel<4, at::native::(anonymous namespace)::silu_kernel>(int)",
    ),
    "copy": (
        "Memcpy DtoD (Device -> Device)",
        "Memset (Device)",
        "void cudnn::ops::nchwToNhwcKernel<__nv_bfloat16, __nv_bfloat16, float, false, true>(Params)",
        "void at::native::(anonymous namespace)::CatArrayBatchedCopy_aligned16_contig<Opaque<2u>, 3, 64, 64>(int)",
        "void at::native::elementwise_kernel<128, 4, at::native::direct_copy_kernel_cuda(TensorIteratorBase&)>(int)",
        "void at::native::vectorized_elementwise_kernel<4, at::native::bfloat16_copy_kernel_cuda>(int)",
        "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>>(int)",
        "void at::native::(anonymous namespace)::upsample_nearest2d_out_frame<c10::BFloat16>(Params)",
    ),
    "other": ("Context Sync", "a_kernel_of_somebody"),
}


@pytest.mark.parametrize("kind", TYPES)
def test_an_operator_is_of_its_type(kind: OperationType) -> None:
    names = [name.replace("_Region:_", " Region: ") for name in OPERATORS[kind].split()]
    assert {name: type_of_operator(name) for name in names} == dict.fromkeys(names, kind)


@pytest.mark.parametrize("kind", TYPES)
def test_a_kernel_is_of_its_type(kind: OperationType) -> None:
    assert {name: type_of_kernel(name) for name in KERNELS[kind]} == dict.fromkeys(KERNELS[kind], kind)
