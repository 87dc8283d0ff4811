# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Padding and aspect ratio on {image_set} at {resolution} px
# ---

# %% [markdown]
# # Padding and aspect ratio
#
# Each image is reconstructed with sides that are multiples of the stride, with padding instead, on a square of grey, and
# in crops of nearly equal area. Changes of PSNR are paired by image, over the same true pixels.

# %% tags=["parameters"]
image_set: str = "photos"  # a name (vitok list images), a folder, an archive, or hub:OWNER/NAME
resolution: int = 256  # cap of the longest side in pixels
tokenizers: list[str] = "pca-f16x64,nano-f16x64"  # by commas
samples: int = 8  # only the first so many images; 0: all of them
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("padding", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.studies.padding import measure_padding

records, refused = measure_each(
    configurations(run.tokenizers, device=run.device, dtype=run.dtype, window=run.window),
    lambda config: measure_padding(
        config,
        images=run.image_set,
        resolution=run.resolution,
        samples=run.samples or None,
        study=run.study,
        notebook="padding",
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
