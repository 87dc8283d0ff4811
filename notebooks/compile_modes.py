# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Compile modes of {tokenizer} at {resolution} px
# ---

# %% [markdown]
# # Compile modes
# The same tokenizer eager and in each mode of torch.compile, in one run. That the compiled model really runs is seen
# in the graphs that torch counts; a compiled model of which another method is called counts none. Compile time and
# recompilations are recorded apart from the speed.

# %% tags=["parameters"]
tokenizer: str = "nano-f16x64"  # a ViTok
resolution: int = 512  # longest side in pixels
modes: list[str] = "default"  # of torch.compile, by commas: default, reduce-overhead, max-autotune
window: int = -1  # sliding-window radius in tokens; -1: full attention
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

run = checked("compile_modes", globals())

# %%
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.config import RunConfig

options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}
asked = {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "compile_modes", "parameters": vars(run)}

options |= {} if run.window == -1 else {"window": run.window}
modes = run.modes
configurations = [
    RunConfig(name=run.tokenizer, preset=preset, compile=mode, **options)
    for mode in (None, *modes)
    for preset in ("reference", "folded")
]
records = measure_speed(configurations, resolution=run.resolution, benchmark="compile-modes", **asked)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["latency", "speedup", "graphs", "compile_time", "recompilations", "error"])
