# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Sliding window of {tokenizer} up to {resolution} px
# ---

# %% [markdown]
# # Sliding window
# A window lets each token see only those within a radius, in the raster order of tokens. Its time is measured by
# radius at one size, and over the size at one radius, next to a dense mask of all pairs.

# %% tags=["parameters"]
tokenizer: str = "nano-f16x64"  # a ViTok
resolution: int = 1024  # longest side in pixels of the comparison of radii
windows: list[int] = "1024,512,256,64"  # radii in tokens, by commas; the first is the baseline
preset: str = "folded"  # how the radii are run; vitok list presets
growth: list[int] = "512,1024"  # sizes at which the reference and the dense mask are compared, by commas; empty: none
growth_window: int = 1024  # the radius there
weights: str = "released"  # released or random; random weights do not change these costs
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
batch: int = 1  # images that go through together
seconds: float = 2.0  # minimum timing per configuration
iterations: int = 10  # minimum rounds per configuration
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("sliding_window", globals())

# %%
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.config import RunConfig

options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}
asked = {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "sliding_window", "parameters": vars(run)}

radii = run.windows
by_radius = measure_speed(
    [RunConfig(name=run.tokenizer, preset=run.preset, window=radius, **options) for radius in radii],
    resolution=run.resolution,
    benchmark="sliding-window",
    **asked,
)

# %%
options |= {"window": run.growth_window}
by_size = []
for size in run.growth:
    records = measure_speed(
        [RunConfig(name=run.tokenizer, preset=preset, **options) for preset in ("dense", "reference")],
        resolution=size,
        benchmark="sliding-window",
        **asked,
    )
    by_size += records

# %% [markdown]
# ## By radius

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(by_radius, ["latency", "speedup", "work", "work_attention", "error", "peak_memory"])

# %% [markdown]
# ## By size, next to the dense mask

# %%
machine_frame(by_size, ["latency", "speedup", "error_reference", "peak_memory"]) if by_size else None
