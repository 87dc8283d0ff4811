# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Distances by number of images on {image_set} at {resolution} px
# ---

# %% [markdown]
# # Distances by number of images
#
# A Fréchet distance falls as the number of images n grows, and so does its spread; KID keeps its mean. Both are computed
# over random subsets of one image set, at several n. The interval holds 95 % of the subsets.

# %% tags=["parameters"]
image_set: str = "leaves"  # a name (vitok list images), a folder, an archive, or hub:OWNER/NAME
resolution: int = 256  # cap of the longest side in pixels
tokenizers: list[str] = "pca-f16x64,nano-f16x64"  # by commas
extractor: str = "random"  # inception, inception-legacy, dinov2, dinov3 or random
counts: list[int] = "4,8,16,32"  # numbers of images, each at most half of the set
draws: int = 50  # random subsets at each n
draw_seed: int = 0  # of the random subsets
samples: int = 0  # only the first so many images; 0: all of them
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("how_many", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.studies.how_many import measure_how_many

records, refused = measure_each(
    configurations(run.tokenizers, device=run.device, dtype=run.dtype, window=run.window),
    lambda config: measure_how_many(
        config,
        images=run.image_set,
        resolution=run.resolution,
        extractor=run.extractor,
        counts=run.counts,
        draws=run.draws,
        draw_seed=run.draw_seed,
        samples=run.samples or None,
        study=run.study,
        notebook="how_many",
        parameters=vars(run),
    ),
)
for sentence in refused.values():
    display(Markdown(f"Not measured: {sentence}"))

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import rate_frame

rate_frame(records)
