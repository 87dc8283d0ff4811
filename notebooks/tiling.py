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
import vitok_lib as vl
from vitok_lib.measure.studies.tiling import measure_tiling
from vitok_lib.records.config import RunConfig

images = vl.open_image_set(run.image_set)


def configuration(name, tile):
    """A tokenizer in tiles; a window is a setting of ViToks alone."""
    radius = run.window if run.window >= 0 and vl.describe(name).family == "vitok" else None
    return RunConfig(name=name, tile=tile, window=radius, device=run.device, dtype=run.dtype)


records = [
    measure_tiling(
        configuration(name, tile),
        images=images,
        resolution=run.resolution,
        samples=run.samples or None,
        study=run.study,
        again=run.again,
        notebook="tiling",
        parameters=vars(run),
    )
    for name in run.tokenizers
    for tile in run.tiles
]

# %% [markdown]
# ## In tiles against whole

# %%
from vitok_lib.report.notebook import machine_frame

machine_frame(records, ["untiled_psnr", "tiling_change", "seam_error", "tiled_step", "untiled_step"])
