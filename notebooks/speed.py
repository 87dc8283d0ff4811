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
# Encoding and decoding of random images: an interleaved benchmark of tokenizers and presets. Each round times every
# configuration once, so that clock drift and background load affect all of them equally. The first configuration is the
# baseline. The machine's peak rates, each configuration's numerical error, and, where an image set is named, the time
# from a file to a metric are measured in the same run.

# %% tags=["parameters"]
tokenizers: list[str] = "nano-f16x64"  # by commas; the first one with the first preset is the baseline
presets: list[str] = "reference,folded,fast"  # by commas; vitok list presets
resolution: int = 512  # longest side in pixels
aspect: float = 1.0  # height over width; 1: a square
also: list[str] = (
    ""  # further sizes HEIGHTxWIDTH by commas, of the last preset, each against its time at the run's size
)
strips: list[str] = ""  # auto-encoders timed strip by strip too, which is exact, by commas; empty: none
window: int = -1  # sliding-window radius in tokens of the ViToks; -1: full attention
image_set: str = ""  # measure the time from file to metrics on this set too; empty: no
metrics: list[str] = "psnr,ssim"  # those metrics, of single images, by commas
weights: str = "released"  # released or random; random weights do not change these costs
device: str = "cpu"  # such as cpu or cuda
dtype: str = "float32"  # of parameters and activations
batch: int = 1  # images that go through together
seconds: float = 2.0  # minimum timing per configuration
iterations: int = 10  # minimum rounds per configuration
again: bool = False  # measure also what is recorded
study: str = "local"  # folder of results that the records go to

# %%
from vitok_lib.parameters import checked

run = checked("speed", globals())

# %%
from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import parse_size
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.config import RunConfig

options = {"device": run.device, "dtype": run.dtype, "weights": run.weights, "batch": run.batch}
asked = {"seconds": run.seconds, "iterations": run.iterations, "again": run.again, "study": run.study}
asked |= {"notebook": "speed", "parameters": vars(run)}

if run.aspect <= 0:
    raise RequestError(f"aspect (={run.aspect}) is height over width and must be above 0; 1: a square")
names = run.tokenizers
presets = run.presets
options |= {} if run.window == -1 else {"window": run.window}
further = [parse_size(size) for size in run.also]
configurations = [RunConfig(name=name, preset=preset, **options) for name in names for preset in presets]
configurations += [RunConfig(name=name, strips=True, **options) for name in run.strips]
sizes = [None for _ in configurations]
for name in names:
    configurations += [RunConfig(name=name, preset=presets[-1], **options) for _ in further]
    sizes += further
records = measure_speed(
    configurations,
    resolution=run.resolution,
    height=min(run.resolution, round(run.resolution * run.aspect)),
    width=min(run.resolution, round(run.resolution / run.aspect)),
    sizes=sizes,
    image_set=run.image_set or None,
    metrics=run.metrics,
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
# Throughput against the machine's peak rates; of compiled presets the number of graphs and the compile time.

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
