# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Rate and distortion on {image_set} at {resolution} px
# ---

# %% [markdown]
# # Rate and distortion
#
# What does a latent cost in bits? Each channel is quantised, coded by a range coder with a model fitted on other images,
# written as a stream, read back and decoded. The bits are those of the stream. Codecs at several qualities go through the
# same images.

# %% tags=["parameters"]
image_set: str = "photos"  # a name (vitok list images), a folder, an archive, or hub:OWNER/NAME
resolution: int = 256  # cap of the longest side in pixels
tokenizers: list[str] = "nano-f16x64,nano-f16x32,pca-f16x64,pca-f16x32,pca-f32x64"  # by commas; empty: none
codecs: list[str] = "jpeg,webp,avif,jxl"  # by commas, without a quality; empty: none
quantisers: str = ""  # by commas, of the kinds bits, step and common; empty: twelve
qualities: str = ""  # of the codecs, by commas; empty: six
samples: int = 0  # only the first so many images, at least two; 0: all of them
weights: str = "released"  # released or random
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("rate", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.latents.rate import measure_rate

images = open_image_set(run.image_set)
options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "window": run.window}
records, refused = measure_each(
    configurations([*run.tokenizers, *run.codecs], **options),
    lambda config: measure_rate(
        config,
        images=images,
        resolution=run.resolution,
        samples=run.samples or None,
        points=run.qualities if config.name in run.codecs else run.quantisers,
        study=run.study,
        notebook="rate",
        parameters=vars(run),
    ),
)
for sentence in refused.values():
    display(Markdown(f"Not measured: {sentence}"))

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures.rate_curves import rate_curves
from vitok_lib.report.notebook import rate_frame

rate_frame(records)

# %% [markdown]
# ## Rate–distortion curves

# %%
entries = [entry for entry in load() if entry.study == run.study]
display(rate_curves(entries, [f"rate-{run.resolution}"], "psnr").figure)
