# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Pictures of {cases}
# ---

# %% [markdown]
# # Pictures for the viewer
#
# The first images of each set go through every tokenizer, and what comes back is kept without loss for the report's
# viewer. An image of up to 1024 pixels is kept whole; of a larger one an overview is kept, and squares of 512 pixels
# at their own size: where the tokenizers err most, where they differ most, and the middle. Measuring is the other
# notebooks' work: the viewer shows the values of their records beside the pictures.

# %% tags=["parameters"]
cases: list[str] = (
    "challenge-384"  # by commas: a set (vitok list images) or a folder, a dash, the cap of its longest side
)
count: int = 1  # so many images of each, from the first
tokenizers: list[str] = "pca-f16x64,nano-f16x64,nano-f16x32,nano-f32x128,jpeg:q=75,webp:q=80,avif:q=60"  # by commas
weights: str = "released"  # released or random
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the pictures go to

# %%
from vitok_lib.parameters import checked

run = checked("viewer", globals())

# %%
import pandas as pd
from IPython.display import Markdown, display

import vitok_lib as vl
from vitok_lib.measure.common.several import configurations
from vitok_lib.measure.pictures.visuals import make_visuals
from vitok_lib.tokenizers.load import load

options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "window": run.window}
configs = configurations(run.tokenizers, **options)
refused = {}


def loaded():
    for config in configs:
        try:
            yield load(config)
        except vl.RequestError as error:  # weights that cannot be had here keep no other tokenizer from its pictures
            refused[config.name] = str(error)
    if len(refused) == len(configs):
        raise vl.RequestError("; ".join(dict.fromkeys(refused.values())))


visuals = []
for case in run.cases:
    images, _, resolution = case.rpartition("-")
    if not images or not resolution.isdecimal():
        raise vl.RequestError(f"case '{case}' must be an image set, a dash and a resolution, such as photos-512")
    visuals += make_visuals(
        loaded(),
        images=images,
        resolution=int(resolution),
        count=run.count,
        study=run.study,
        parameters=vars(run),
    )
for sentence in refused.values():
    display(Markdown(f"No pictures: {sentence}"))

# %% [markdown]
# ## Made
#
# Each image with its views; `PSNR, dB` is of the whole image.

# %%
rows = [
    {"case": visual.case, "image": visual.image, "tokenizer": made.tokenizer.name, "PSNR, dB": made.values.get("psnr")}
    | {"views": ", ".join(view.rule.value for view in visual.views)}
    for visual in visuals
    for made in visual.reconstructions
]
pd.DataFrame(rows).set_index(["case", "image", "tokenizer"]).round(2)
