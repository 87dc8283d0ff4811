# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Precision of {tokenizers} at {resolution} px
# ---

# %% [markdown]
# # Precision
# Numerical error and speed of each preset in each dtype: the error against exact arithmetic
# on a small image whose tokens no chunk divides, over the last row of tokens apart, where a count that overflows
# would show.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64"  # ViToks, by commas
resolution: int = 256  # longest side in pixels
dtypes: list[str] = "float32,bfloat16"  # of parameters and activations, by commas
presets: list[str] = "reference,folded,fp8"  # by commas; vitok list presets
window: int = -1  # sliding-window radius in tokens; -1: full attention
weights: str = "released"  # released or random; random ones have outliers and a layer scale that lets errors show
device: str = "cpu"  # such as cpu or cuda
batch: int = 1  # images that go through together
seconds: float = 2.0  # minimum timing per configuration
iterations: int = 10  # minimum rounds per configuration
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("precision", globals())

# %%
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.config import RunConfig

options = {"device": run.device, "weights": run.weights, "batch": run.batch}
asked = {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "precision", "parameters": vars(run)}

options |= {} if run.window == -1 else {"window": run.window}
records = []
for name in run.tokenizers:
    configurations = [
        RunConfig(name=name, preset=preset, dtype=dtype, **options) for dtype in run.dtypes for preset in run.presets
    ]
    records += measure_speed(configurations, resolution=run.resolution, benchmark="precision", **asked)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["error", "error_last", "error_reference", "error_reference_last", "latency", "speedup"])
