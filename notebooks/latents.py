# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Latents on {image_set} at {resolution} px
# ---

# %% [markdown]
# # The latent card
#
# What the values of a latent are like over an image set: their moments, the channels they use, their frequencies, and
# what a decoder makes of a latent that is shifted, scaled, turned, noisy, or halfway between two images. Nothing here is
# a quality, and nothing ranks tokenizers.

# %% tags=["parameters"]
image_set: str = "photos"  # see: vitok list images; or a folder
resolution: int = 256  # cap of the longest side in pixels
samples: int = 8  # how many images, from the first; 0: all
tokenizers: list[str] = "pca-f16x64,nano-f16x64,nano-f16x32"  # by commas
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("latents", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.latents.card import measure_latents

records, refused = measure_each(
    configurations(run.tokenizers, device=run.device, dtype=run.dtype),
    lambda config: measure_latents(
        config,
        images=run.image_set,
        resolution=run.resolution,
        samples=run.samples or None,
        study=run.study,
        notebook="latents",
        parameters=vars(run),
    ),
)
for sentence in refused.values():
    display(Markdown(f"No card: {sentence}"))

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import quality_frame

display(quality_frame(records).T)
