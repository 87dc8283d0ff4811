# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Tiles of {tokenizers} on {image_set} at {resolution} px
# ---

# %% [markdown]
# # Tiles
# Tiles with overlap against the whole image, for any tokenizer with a latent grid: PSNR, the error where tiles meet, and
# the step of colour from one tile to the next, on the same images; and the time and memory that either takes.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64,pca-f16x64"  # by commas
tiles: list[str] = "256/0,256/64"  # size and overlap in pixels, by commas
image_set: str = "photos"  # a set, or a folder of images
resolution: int = 512  # longest side in pixels
samples: int = 0  # images of the set; 0: all of them
peaks: bool = False  # measure peak memory too, on a square of the resolution
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("tiling", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.studies.tiling import measure_tiling

images = open_image_set(run.image_set)
asked = configurations(run.tokenizers, device=run.device, dtype=run.dtype, window=run.window)
records, refused = measure_each(
    [config.replace(tile=tile) for config in asked for tile in run.tiles],
    lambda config: measure_tiling(
        config,
        images=images,
        resolution=run.resolution,
        samples=run.samples or None,
        peaks=run.peaks,
        study=run.study,
        again=run.again,
        notebook="tiling",
        parameters=vars(run),
    ),
)
for sentence in refused.values():
    display(Markdown(f"Not measured: {sentence}"))

# %% [markdown]
# ## In tiles against whole

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["untiled_psnr", "tiling_change", "seam_error", "tiled_step", "untiled_step"])

# %%
machine_frame(records, ["whole_time", "parts_time", "parts_slowdown", "whole_peak", "parts_peak"])
