# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Challenge images at {resolution} px
# ---

# %% [markdown]
# # Challenge images
#
# Five images that the project draws itself, each hard in its own way: small text, fine foliage, woven texture,
# smooth gradients with faint noise, and a zone plate with thin lines. The mean over five such images says
# little; the values of each image and the pictures say more.

# %% tags=["parameters"]
resolution: int = 384  # side of each image in pixels
tokenizers: list[str] = "pca-f16x64,nano-f16x64,nano-f16x32,nano-f32x128"  # by commas
pictures: int = 4  # how many of the tokenizers, from the first, are shown; 0: none
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("challenge", globals())

# %%
from IPython.display import display

import vitok_lib as vl

images = vl.open_image_set("challenge")
originals = {image: images.load(image, run.resolution) for image in images.names()}
records = []
reconstructions = {image: {} for image in originals}
for index, name in enumerate(run.tokenizers):
    tokenizer = vl.load_tokenizer(name, device=run.device, dtype=run.dtype)
    record = vl.evaluate(
        tokenizer,
        images=images,
        resolution=run.resolution,
        study=run.study,
        notebook="challenge",
        parameters=vars(run),
    )
    records.append(record)
    for image, pixels in originals.items() if index < run.pictures else ():
        reconstructions[image][name] = vl.reconstruct_pixels(tokenizer, pixels)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import crops_figure, quality_frame, values_by_image

quality_frame(records)

# %% [markdown]
# ## PSNR of each image, dB

# %%
values_by_image(records, "psnr", run.study)

# %% [markdown]
# ## What it looks like
#
# Each image, cut to the square where the first tokenizer errs most; each pixel is shown as it is.

# %%
for image, pixels in originals.items() if run.pictures > 0 else ():
    display(crops_figure(image, pixels, reconstructions[image]))
