# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Memory of {tokenizers} up to {largest} px
# ---

# %% [markdown]
# # Memory
# The peak memory of a model alone and of a whole evaluation, measured apart, next to the prediction; the largest square
# that fits on a GPU of a given size, by trying; and what working in tiles changes.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64,nano-kl-f8x16"  # by commas
resolutions: list[int] = "256,512"  # longest sides in pixels, by commas
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
fp8: bool = False  # ViToks with 8-bit matrices too, folded
kernels: list[str] = "math"  # of auto-encoders' attention, measured next to torch's choice, by commas; empty: none
strips: list[str] = ""  # auto-encoders measured strip by strip too, which is exact, by commas; empty: none
limits: list[float] = ""  # emulated GPUs in GiB on which the largest size is found, by commas; empty: none
limit_tokenizers: list[str] = "nano-f16x64"  # for which it is found, by commas
largest: int = 8192  # upper end of that search in pixels
try_seconds: float = 300.0  # of that search, no size is tried that would take longer
tiled: list[str] = "nano-kl-f8x16,nano-f16x64"  # compared in tiles or chunks against whole, by commas; empty: none
image_set: str = "photos"  # on whose images
tiled_resolution: int = 512  # at this longest side in pixels
samples: int = 2  # and so many of them
weights: str = "released"  # released or random; random weights do not change these costs
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
batch: int = 1  # images that go through together
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("memory", globals())

# %%
import vitok_lib as vl
from vitok_lib.measure.memory.max_resolution import measure_capacity
from vitok_lib.measure.memory.peak import measure_memory
from vitok_lib.measure.studies.tiling import measure_tiling
from vitok_lib.records.config import RunConfig

asked = {"study": run.study, "again": run.again, "notebook": "memory", "parameters": vars(run)}
shared = {"device": run.device, "dtype": run.dtype, "weights": run.weights}


def eager_and_fp8(name, **options):
    """The configurations whose largest size is looked for: a ViTok in its window, and in 8 bits if asked for."""
    if vl.describe(name).family != "vitok":
        return [RunConfig(name=name, **shared, **options)]
    eager = RunConfig(name=name, window=None if run.window == -1 else run.window, **shared, **options)
    return [eager, eager.replace(folded=True, precision="fp8")] if run.fp8 else [eager]


def configurations(name):
    """The configurations that a tokenizer is measured with: chunked and whole, or untiled, tiled, and other kernels."""
    first = eager_and_fp8(name, batch=run.batch)
    if vl.describe(name).family == "vitok":
        return [*first, first[0].replace(chunk=0)]
    if vl.describe(name).family == "kl":
        kernels = [first[0].replace(attention=kernel) for kernel in run.kernels]
        return [*first, first[0].replace(tiling=True), *kernels]
    return first


# %%
records = [
    measure_memory(configuration, resolution=resolution, **asked)
    for name in run.tokenizers
    for configuration in configurations(name)
    for resolution in run.resolutions
]
records += [
    measure_memory(RunConfig(name=name, strips=True, batch=run.batch, **shared), resolution=resolution, **asked)
    for name in run.strips
    for resolution in run.resolutions
]

# %%
capacities = [
    measure_capacity(configuration, largest=run.largest, limit_gib=limit, time_limit=run.try_seconds, **asked)
    for name in run.limit_tokenizers
    for configuration in eager_and_fp8(name)
    for limit in run.limits
]

# %%
images = vl.open_image_set(run.image_set)
tiles = [  # with released weights in float32: what is compared here is quality
    measure_tiling(
        RunConfig(name=name, device=run.device),
        images=images,
        resolution=run.tiled_resolution,
        samples=run.samples,
        **asked,
    )
    for name in run.tiled
]

# %% [markdown]
# ## Peaks

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["weights", "model_peak", "evaluation_peak", "predicted_peak"])

# %% [markdown]
# ## The largest size that fits

# %%
machine_frame(capacities, ["largest_resolution", "predicted_largest"]) if capacities else None

# %% [markdown]
# ## Tiles and chunks against whole

# %%
wanted = ["untiled_psnr", "tiled_psnr", "tiled_agreement", "seam_error", "max_difference", "chunked_difference"]
machine_frame(tiles, wanted) if tiles else None
