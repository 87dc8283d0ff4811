# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Repeated passes on {image_set} at {resolution} px
# ---

# %% [markdown]
# # Repeated passes
#
# An image that is edited in latent space is encoded and decoded again and again. Each pass encodes, decodes, clamps and
# rounds to 8 bits; the result is compared with the original after 1, 2, 4 and 8 passes.

# %% tags=["parameters"]
image_set: str = "leaves"  # a name (vitok list images), a folder, an archive, or hub:OWNER/NAME
resolution: int = 256  # cap of the longest side in pixels
tokenizers: list[str] = "pca-f16x64,nano-f16x64,jpeg:q=75"  # by commas
samples: int = 8  # only the first so many images; 0: all of them
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("drift", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.studies.drift import measure_drift

records, refused = measure_each(
    configurations(run.tokenizers, device=run.device, dtype=run.dtype, window=run.window),
    lambda config: measure_drift(
        config,
        images=run.image_set,
        resolution=run.resolution,
        samples=run.samples or None,
        study=run.study,
        notebook="drift",
        parameters=vars(run),
    ),
)
for sentence in refused.values():
    display(Markdown(f"Not measured: {sentence}"))

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import quality_frame

quality_frame(records)
