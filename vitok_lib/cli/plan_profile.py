"""``vitok plan --profile``: hours and GPU-hours of a whole study on several GPUs, and where it stops scaling."""

from __future__ import annotations

import json
import math
import re

import typer

from vitok_lib.cli.output import log, print_rows
from vitok_lib.cost.scaling import Bound, bound_of, parts, scaling
from vitok_lib.cost.study_time import StudyTime, study_time
from vitok_lib.errors import RequestError
from vitok_lib.records.store import iterate

HOUR = 3600.0
Row = dict[str, str | int]
_WORDS = {
    Bound.GPUS: "GPUs",
    Bound.CORES: "CPU cores",
    Bound.LOADING: "loading of models",
    Bound.LONGEST: "the longest job",
}
ASSUMED = (
    "assumed: square images; nothing in the cache of prepared images; each evaluation in as many shards as GPUs, each "
    "study as one job a tokenizer; the longest job first; weights of 4 bytes a parameter, read at 1 GB/s"
)


def plan_profile(profile: str, gpu: str, gpus: str, cores: float, as_json: bool) -> None:
    """Print what ``profile`` takes on each of the numbers of GPUs ``gpus``, and what is not known of it.

    Raises:
        RequestError: a number is none, the profile or the GPU is not known, or nothing of the profile is known.
    """
    counts = _counts(gpus)
    if not (math.isfinite(cores) and cores > 0):
        raise RequestError(f"CPU cores of each GPU (={cores:g}) must be above 0")
    known = study_time([record for _, record in iterate()], profile, gpu)
    totals, runs = _totals(known, counts, cores), _parts(known)
    if as_json:
        whole = {"profile": profile, "gpu": gpu, "cores_per_gpu": cores, "evidence": _evidence(known), "gpus": totals}
        typer.echo(json.dumps(whole | {"parts": runs, "not_known": known.not_known, "assumed": ASSUMED}, indent=1))
        return
    print_rows(runs, as_json)
    typer.echo()
    print_rows(totals, as_json)
    log(f"for {gpu} with {cores:g} CPU cores each; seconds of the GPU: {_evidence(known)}; not counted are:")
    for sentence in known.not_known:
        log(f"  {sentence}")
    log(ASSUMED)


def _counts(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not re.fullmatch(r"[0-9]{1,6}", word) or int(word) < 1:
            raise RequestError(f"GPUs '{text}' must be whole numbers of 1 or more, several by commas, such as 1,8,64")
    return list(dict.fromkeys(int(word) for word in words))


def _evidence(known: StudyTime) -> str:
    """Which share of the seconds of the GPU rests on what."""
    whole = sum(known.gpu_seconds.values()) or 1.0
    return ", ".join(f"{100 * seconds / whole:.0f} % {level}" for level, seconds in known.gpu_seconds.items())


def _totals(known: StudyTime, counts: list[int], cores: float) -> list[Row]:
    rows: list[Row] = []
    for point in scaling(known, counts, cores):
        found = point.schedule
        rows.append(
            {
                "GPUs": found.places,
                "hours": f"{found.seconds / HOUR:.3g}",
                "GPU-hours": f"{found.whole / HOUR:.3g}",
                "speed-up": f"{point.speedup:.3g}",
                "GPU busy": f"{100 * found.busy / found.whole:.0f} %",
                "costs most": _WORDS[bound_of(found)],
                "longest job": f"{found.longest.name} ({found.longest_seconds / HOUR:.2g} h)",
            }
        )
    return rows


def _parts(known: StudyTime) -> list[Row]:
    return [
        {
            "run": part.output,
            "images": part.images,
            "tokenizers": len(part.lines),
            "GPU-hours": f"{part.gpu / HOUR:.3g}",
            "of these metrics": f"{part.network / HOUR:.3g}",
            "core-hours": f"{part.core / HOUR:.3g}",
            "peak of a model": f"{part.peak:.3g} GiB" if part.peak else "",
            "evidence": str(part.level),
        }
        for part in parts(known)
    ]
