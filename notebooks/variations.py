# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: PSNR of {tokenizer} by {setting} on {image_set}
# ---

# %% [markdown]
# # What a window and fewer blocks cost
# A ViTok with a window, or with the first blocks alone, against itself as it is, on the same images.

# %% tags=["parameters"]
tokenizer: str = "nano-f16x64"  # a ViTok
setting: str = "window"  # what varies: window, or blocks
choices: list[str] = "4,12,40,144,2d:1,2d:2,2d:4,2d:8"  # by commas: radii, or blocks of encoder/decoder such as 2/3
image_set: str = "wallpapers"  # a name (vitok list images), a folder, an archive, or hub:OWNER/NAME
resolutions: list[int] = "512"  # caps of the longest side in pixels, by commas
samples: int = 0  # only the first so many images; 0: all of them
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("variations", globals())

# %%
from vitok_lib.measure.studies.variations import measure_variations
from vitok_lib.records.config import RunConfig

records = [
    measure_variations(
        RunConfig(name=run.tokenizer, device=run.device, dtype=run.dtype),
        setting=run.setting,
        choices=run.choices,
        images=run.image_set,
        resolution=resolution,
        samples=run.samples or None,
        study=run.study,
        notebook="variations",
        parameters=vars(run),
    )
    for resolution in run.resolutions
]

# %% [markdown]
# ## Measured
# PSNR of the whole model, and what each choice adds to it in dB.

# %%
from vitok_lib.report.notebook import quality_frame

quality_frame(records).transpose()
