# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Reconstruction quality on {image_set} at {resolution} px
# ---

# %% [markdown]
# # Reconstruction quality
#
# The protocol of DIV8K, on any image set: the same images go through every tokenizer in the same order, every
# reconstruction is clamped and rounded to 8 bits before any metric, and the result of each image is kept as it
# comes. What is already recorded is not measured again, and a run that was interrupted goes on where it stopped.

# %% tags=["parameters"]
image_set: str = "leaves"  # a name (vitok list images), a folder, an archive, or hub:OWNER/NAME
resolution: str = "256"  # pixels of the longest side, or of both where the rule is centre-crop; native: no resizing
rule: str = ""  # how images get their size: cap or centre-crop; empty: the set's own
tokenizers: list[str] = "pca-f16x64,nano-f16x64,nano-f16x32,nano-f32x128"  # by commas
metrics: list[str] = "psnr,ssim"  # by commas; vitok list metrics
samples: int = 8  # only the first so many images; 0: all of them
subset_seed: int = -1  # take them in a seeded order; -1: the set's own
weights: str = "released"  # released or random
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
batch: int = 1  # images of one size that go through together
on_oom: list[str] = ""  # what may change after running out of memory: batch, tiling, or both by commas
time_limit: float = 0.0  # seconds for each tokenizer; 0: none
shard: str = ""  # only a part of the images, such as 3/16, while others measure the rest; empty: all
cluster: str = ""  # a Ray cluster that measures: its address, or local for processes of this machine; empty: none
gpus: int = 0  # of the cluster; 0: all of them
workers: int = 0  # processes of the cluster; 0: one for each GPU, or for each machine without
retry: bool = False  # go on with what was recorded with another outcome than ok
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("div8k", globals())

# %%
from IPython.display import Markdown, display

import vitok_lib as vl
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import sized
from vitok_lib.measure.cluster.connection import leave
from vitok_lib.measure.cluster.engine import NotLoadedError
from vitok_lib.measure.common.several import configurations
from vitok_lib.tokenizers.load import load

rule = run.rule or None
opened = vl.open_image_set(run.image_set, rule=rule, subset_seed=None if run.subset_seed == -1 else run.subset_seed)
images, side = sized(opened, run.resolution, rule)
cluster = vl.Cluster(run.cluster, run.gpus or None, run.workers or None) if run.cluster else None
where = ("shard", "cluster", "gpus", "workers")  # what says nothing of the result
options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "window": run.window}
configs = configurations(run.tokenizers, **options)
samples = run.samples or None
count = len(images.manifest(side, samples).entries)
display(Markdown(f"This run used **{images.name}**, {count} images at {side} px. {images.description}"))


def readable():
    """The images that can be read, by name; that one cannot is an outcome, which the records tell."""
    for name in images.names():
        try:
            yield name, images.load(name, side)
        except ImageError:
            continue


# %%
shown, first_image = next(readable(), (None, None))
records, reconstructions, refused = [], {}, {}
for config in configs:
    try:
        tokenizer = None if cluster else load(config)
    except vl.RequestError as error:  # weights that cannot be had here keep no other tokenizer from being measured
        refused[config.name] = str(error)
        continue
    try:
        record = vl.evaluate(
            tokenizer or config,
            images=images,
            resolution=side,
            samples=samples,
            metrics=run.metrics,
            batch=run.batch,
            on_oom=run.on_oom,
            time_limit=run.time_limit or None,
            retry=run.retry,
            shard=run.shard or None,
            cluster=cluster,
            study=run.study,
            notebook="div8k",
            parameters={name: value for name, value in vars(run).items() if name not in where},
        )
    except NotLoadedError as error:  # the same, of a worker
        refused[config.name] = str(error)
        continue
    records.append(record)
    if (
        record.outcome.status == "ok" and shown and run.cluster in ("", "local")
    ):  # elsewhere this machine may have no such device
        reconstructions[config.name] = vl.reconstruct_pixels(tokenizer or load(config), first_image)
leave()  # a kernel is given few seconds to end, and a cluster of its own takes longer
if not records:
    raise vl.RequestError("; ".join(refused.values()) or "tokenizers is empty; name at least one")
for sentence in refused.values():
    display(Markdown(f"Not measured: {sentence}"))

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
crops_figure(shown, first_image, reconstructions) if reconstructions else None
