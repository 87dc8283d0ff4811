# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: FLOPs and roofline of {tokenizers}
# ---

# %% [markdown]
# # FLOPs and roofline
# The FLOPs of an architecture by formula, and the throughput that the machine reaches on them against the peak rates of
# the same run, at several sizes.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64"  # by commas
resolutions: list[int] = "256,512,1024"  # longest sides in pixels, by commas
preset: str = "fast"  # how they are run; vitok list presets
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

run = checked("work_and_roofline", globals())

# %%
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.config import RunConfig

options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}
asked = {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "work_and_roofline", "parameters": vars(run)}

names = run.tokenizers
options |= {} if run.window == -1 else {"window": run.window}
records = []
for resolution in run.resolutions:
    configurations = [RunConfig(name=name, preset=run.preset, **options) for name in names]
    records += measure_speed(configurations, resolution=resolution, benchmark="roofline", **asked)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(
    records, ["work_linear", "work_attention", "latency", "rate", "ceiling_matmul", "utilisation", "ceiling_copy"]
)
