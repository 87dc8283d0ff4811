# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: Speed of {tokenizers} at {resolution} px
# ---

# %% [markdown]
# # Speed
# Encoding and decoding of random images, tokenizers and paths side by side: each round times every contender once, so
# that a machine that slows down slows all of them. The first contender is what the others are compared to. What the
# machine reaches on large matrices and copies, how far each path is from exact arithmetic, and, where an image set is
# named, the way from a file to a metric are measured in the same run.

# %% tags=["parameters"]
tokenizers: str = "nano-f16x64"  # by commas; the first one's first path is the reference
paths: str = "reference,folded,fast"  # by commas; vitok list paths
resolution: int = 512  # longest side in pixels
aspect: float = 1.0  # height over width; 1: a square
also: str = ""  # further sizes HEIGHTxWIDTH by commas, of the last path, each against its time at the run's size
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
image_set: str = ""  # take images of this set from file to metric too; empty: only random ones
weights: str = "released"  # released or random; random ones have true speeds, and no quality
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
batch: int = 1  # images that go through together
seconds: float = 2.0  # each contender is timed for at least so long
iterations: int = 10  # and at least so often
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("speed", globals())

# %%
from vitok_lib.images.prepare import parse_size
from vitok_lib.measure.speed.benchmark import Contender, measure_speed

asked = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}
asked |= {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "speed", "parameters": vars(run)}

names = [name.strip() for name in run.tokenizers.split(",")]
ways = [path.strip() for path in run.paths.split(",")]
options = {} if run.window < 0 else {"window": run.window}
sizes = [parse_size(size) for size in run.also.split(",") if size.strip()]
contenders = [Contender(name, path, options) for name in names for path in ways]
contenders += [Contender(name, ways[-1], options, size=size) for name in names for size in sizes]
records = measure_speed(
    contenders,
    resolution=run.resolution,
    height=min(run.resolution, round(run.resolution * run.aspect)),
    width=min(run.resolution, round(run.resolution / run.aspect)),
    end_to_end=bool(run.image_set),
    image_set=run.image_set or None,
    **asked,
)

# %% [markdown]
# ## Measured

# %%
from vitok_lib.report.notebook import machine_frame

times = ["latency", "latency_p95", "throughput", "speedup", "relative_time"]
machine_frame(records, [*times, "error", "error_reference", "error_reference_last", "peak_memory"])

# %% [markdown]
# ## How it was run
#
# Latency against what the machine reaches; compiled paths tell how many graphs they run as and how long compiling
# took.

# %%
machine_frame(
    records,
    [
        "work",
        "rate",
        "utilisation",
        "ceiling_matmul",
        "ceiling_attention",
        "ceiling_copy",
        "graphs",
        "compile_time",
        "recompilations",
    ],
)

# %%
machine_frame(
    records,
    [
        "device_latency",
        "stage_load",
        "stage_copy",
        "stage_encode",
        "stage_decode",
        "stage_metric",
        "end_to_end_throughput",
    ],
)
