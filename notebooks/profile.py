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
# Time by type of operation from torch's profiler, and the operations that were counted in the same run beside those
# that the formula gives.

# %% tags=["parameters"]
tokenizers: str = "nano-f16x64,nano-kl-f8x16"  # by commas
paths: str = "reference,fast"  # of the ViToks, by commas; vitok list paths
resolution: int = 512  # longest side in pixels
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
weights: str = "released"  # released or random; random ones have true speeds, and no quality
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

records = []
for name in (name.strip() for name in run.tokenizers.split(",")):
    vitok = vl.describe(name).family == "vitok"
    options = {"window": run.window} if vitok and run.window >= 0 else {}
    for path in (path.strip() for path in run.paths.split(",")) if vitok else ("reference",):
        records.append(
            measure_profile(
                name,
                path=path,
                resolution=run.resolution,
                options=options,
                batch=run.batch,
                device=run.device,
                dtype=run.dtype,
                weights=run.weights,
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
