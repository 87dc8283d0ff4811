# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Text that survives, at {resolution} px
# ---

# %% [markdown]
# # Text that survives
#
# Lines whose text is known are encoded, decoded and read by a recogniser, in their known boxes. A line counts only
# where it is read rightly in the original. JPEG at falling quality is the yardstick.

# %% tags=["parameters"]
image_set: str = "text"  # a set that knows its lines: text, han (Chinese) or challenge
resolution: int = 512  # side of each image in pixels; lines keep their height, and a larger image has more of them
tokenizers: list[str] = "pca-f16x64,nano-f16x64,jpeg:q=75,jpeg:q=30,jpeg:q=10"  # by commas
samples: int = 0  # only the first so many images; 0: all of them
weights: str = "released"  # released or random
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("text", globals())

# %%
from IPython.display import Markdown, display

from vitok_lib.measure.common.several import configurations, measure_each
from vitok_lib.measure.studies.text import measure_text

records, refused = measure_each(
    configurations(run.tokenizers, device=run.device, dtype=run.dtype, weights=run.weights, window=run.window),
    lambda config: measure_text(
        config,
        images=run.image_set,
        resolution=run.resolution,
        samples=run.samples or None,
        study=run.study,
        notebook="text",
        parameters=vars(run),
    ),
)
for sentence in refused.values():
    display(Markdown(f"Not measured: {sentence}"))

# %% [markdown]
# ## Lines read rightly, by the height of their capitals

# %%
from vitok_lib.report.notebook import machine_frame

quantities = [value.quantity for value in records[0].values]
machine_frame(records, [name for name in quantities if name.startswith("exact-match")])

# %% [markdown]
# ## Normalised edit distance

# %%
machine_frame(records, [name for name in quantities if name.startswith("ned")])
