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
# the step of colour from one tile to the next, on the same images.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64,pca-f16x64"  # by commas
tiles: list[str] = "256/0,256/64"  # size and overlap in pixels, by commas
image_set: str = "photos"  # a set, or a folder of images
resolution: int = 512  # longest side in pixels
samples: int = 0  # images of the set; 0: all of them
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("tiling", globals())

# %%
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.common.several import configurations
from vitok_lib.measure.studies.tiling import measure_tiling

images = open_image_set(run.image_set)
records = [
    measure_tiling(
        config.replace(tile=tile),
        images=images,
        resolution=run.resolution,
        samples=run.samples or None,
        study=run.study,
        again=run.again,
        notebook="tiling",
        parameters=vars(run),
    )
    for config in configurations(run.tokenizers, device=run.device, dtype=run.dtype, window=run.window)
    for tile in run.tiles
]

# %% [markdown]
# ## In tiles against whole

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["untiled_psnr", "tiling_change", "seam_error", "tiled_step", "untiled_step"])
