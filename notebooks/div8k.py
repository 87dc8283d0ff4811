# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: DIV8K protocol on {image_set} at {resolution} px
# ---

# %% [markdown]
# # DIV8K protocol
#
# Reconstruction quality of each tokenizer over one image set at one resolution: the longest side is capped by
# Lanczos and never enlarged, every reconstruction is clamped and rounded to 8 bits, and the same images go
# through every tokenizer in the same order. What is already recorded is not measured again.

# %% tags=["parameters"]
image_set: str = "leaves"  # photos, leaves, challenge, or the path of a folder of images
resolution: int = 256  # cap of the longest side in pixels
tokenizers: str = "pca-f16x64,nano-f16x64,nano-f16x32,nano-f32x128,nano-f32x64,nano-kl-f8x16,nano-kl-f8x4"  # by commas
samples: int = 8  # only the first so many images; 0: all of them
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("div8k", globals())

# %%
from IPython.display import Markdown, display

import vitok_lib as vl

images = vl.open_image_set(run.image_set)
names = [name.strip() for name in run.tokenizers.split(",")]
samples = run.samples or None
count = len(images.manifest(run.resolution, samples).entries)
display(Markdown(f"This run used **{images.name}**, {count} images at {run.resolution} px. {images.description}"))

# %%
first_image = images.load(images.names()[0], run.resolution)
records, reconstructions = [], {}
for name in names:
    window = run.window if run.window >= 0 and vl.describe(name).family == "vitok" else None
    tokenizer = vl.load_tokenizer(name, device=run.device, dtype=run.dtype, window=window)
    record = vl.evaluate(
        tokenizer,
        images=images,
        resolution=run.resolution,
        samples=samples,
        study=run.study,
        notebook="div8k",
        parameters=vars(run),
    )
    records.append(record)
    reconstructions[name] = vl.reconstruct_pixels(tokenizer, first_image)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import crops_figure, quality_frame

quality_frame(records)

# %% [markdown]
# ## What it looks like
#
# The set's first image, cut to the square where the first tokenizer errs most; each pixel is shown as it is.

# %%
crops_figure(images.names()[0], first_image, reconstructions)
