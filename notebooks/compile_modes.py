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
modes: str = "default"  # of torch.compile, by commas: default, reduce-overhead, max-autotune
window: int = -1  # sliding-window radius in tokens; -1: full attention
weights: str = "released"  # released or random; random ones have true speeds, and no quality
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
batch: int = 1  # images that go through together
seconds: float = 2.0  # each contender is timed for at least so long
iterations: int = 10  # and at least so often
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("compile_modes", globals())

# %%
from vitok_lib.measure.speed.benchmark import Contender, measure_speed

asked = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}
asked |= {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "compile_modes", "parameters": vars(run)}

options = {} if run.window < 0 else {"window": run.window}
modes = [mode.strip() for mode in run.modes.split(",")]
ways = ("reference", "folded")
contenders = [Contender(run.tokenizer, path, options) for path in ways]
contenders += [Contender(run.tokenizer, path, options | {"compile": mode}) for mode in modes for path in ways]
records = measure_speed(contenders, resolution=run.resolution, benchmark="compile-modes", **asked)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["latency", "speedup", "graphs", "compile_time", "recompilations", "error"])
