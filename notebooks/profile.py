# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Where the time of {tokenizers} goes at {resolution} px
# ---

# %% [markdown]
# # Where the time goes
# Time by type of operation from torch's profiler, and the FLOPs that were counted in the same run next to those of the
# formula.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64,nano-kl-f8x16"  # by commas
presets: list[str] = "reference,fast"  # of the ViToks, by commas; vitok list presets
resolution: int = 512  # longest side in pixels
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
weights: str = "released"  # released or random; random weights do not change these costs
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
batch: int = 1  # images that go through together
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("profile", globals())

# %%
import vitok_lib as vl
from vitok_lib.measure.speed.profile import measure_profile
from vitok_lib.records.config import RunConfig

options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}

records = []
for name in run.tokenizers:
    vitok = vl.describe(name).family == "vitok"
    window = run.window if vitok and run.window != -1 else None
    for preset in run.presets if vitok else ("reference",):
        records.append(
            measure_profile(
                RunConfig(name=name, preset=preset, window=window, **options),
                resolution=run.resolution,
                study=run.study,
                again=run.again,
                notebook="profile",
                parameters=vars(run),
            )
        )

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import machine_frame

times = ["time_linear", "time_attention", "time_convolution", "time_elementwise", "time_copy", "time_other"]
machine_frame(records, [*times, "work_linear", "counted_linear", "work_attention", "counted_attention"])
