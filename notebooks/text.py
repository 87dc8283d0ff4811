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
# where it is read rightly in the original. JPEG at falling quality is the yardstick. Image set `text` is in Latin letters,
# `han` in Chinese characters.

# %% tags=["parameters"]
image_sets: list[str] = "text,han"  # sets that know their lines: text, han (Chinese) or challenge; by commas
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

configs = configurations(run.tokenizers, device=run.device, dtype=run.dtype, weights=run.weights, window=run.window)
measured = {}
for image_set in run.image_sets:
    measured[image_set], refused = measure_each(
        configs,
        lambda config, image_set=image_set: measure_text(
            config,
            images=image_set,
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
# ## Lines read rightly, and the normalised edit distance, by the height of the lines

# %%
from vitok_lib.report.notebook import machine_frame

for image_set, records in measured.items():
    quantities = dict.fromkeys(value.quantity for record in records for value in record.values)
    display(Markdown(f"Image set `{image_set}`:"))
    for score in ("exact-match", "ned"):
        display(machine_frame(records, [name for name in quantities if name.startswith(score)]))
