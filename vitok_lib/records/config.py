"""How a tokenizer is run: the configuration that was asked for, and the weights and settings that it came to.

The configuration is one object from the command line to the record. It names what differs from the default in a
record's file name and in the command that measures the same again.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vitok_lib.errors import RequestError

RELEASED, RANDOM = "released", "random"
_DIGEST_IN_NAME = 8  # hex digits
_LARGEST_BATCH = 2**16  # far beyond any memory, and bytes still count in 64 bits
_LARGEST_SEED = 2**63 - 1  # of torch's generators
_IN_NAME = (
    *("preset", "window", "blocks", "dtype", "device", "batch", "precision", "compile", "attention", "folded", "chunk"),
    *("fused", "graphs", "posterior", "revision", "tiling", "tile", "strips", "slicing", "seed", "bytes", "weights"),
)
"""The order of fields in a file name."""
_SPELT = ("window", "blocks", "tile")
"""Fields whose grammar gives no two values one file name."""
_WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
_SQUARE = re.compile(r"2d:(0|[1-9]\d{0,8})")
_BLOCKS = re.compile(r"(0|[1-9]\d{0,3})/(0|[1-9]\d{0,3})")


class Strict(BaseModel):
    """Data that cannot be changed and has no field but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Weights(Strict):
    """Identity of a tokenizer's weights.

    ``source`` is ``shipped``, ``released``, ``file``, ``trained`` (for the record, and not kept), ``random:<seed>``,
    ``none`` (nothing is learned, or nothing was loaded) or ``unknown`` (a published figure that names no weights);
    ``files`` maps file names to their sha256, those of an auto-encoder's configuration and, as ``code:<module>``, of a
    plug-in's source among them.
    """

    source: str
    repository: str | None = None
    revision: str | None = None
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A digest of the files' content, whatever their names."""
        return hashlib.sha256("".join(sorted(self.files.values())).encode()).hexdigest()

    def same_content(self, other: Weights) -> bool:
        """Whether both are the same weights, wherever their files lie."""
        one, two = (weights.model_copy(update={"files": {}}) for weights in (self, other))
        return one == two and self.digest == other.digest


class Settings(Strict):
    """How a tokenizer was run; None where a setting does not apply, is the default, or is not known.

    ``window`` is a radius in tokens, or in rows and columns of tokens as in ``2d:8``; ``preset`` names a configuration
    of a ViTok, such as ``reference`` or ``fp8``, which the other fields spell out:
    ``blocks`` is how many of the encoder's and of the decoder's blocks, the first ones, were kept, such as ``2/3``;
    ``attention`` is the kernel, ``folded`` says whether norms and layer scale were folded into the matrices, ``chunk``
    how many tokens went through a block's matrices at a time (0: all), ``fused`` whether Triton kernels of this project
    ran between them, ``graphs`` whether CUDA graphs were replayed
    where launches bound. ``posterior`` is ``mode`` or ``sample`` (of a KL auto-encoder's latent), ``seed`` that of the
    sample; ``tiling`` and ``slicing`` are those of diffusers: overlapping tiles of an image, one image of a batch at a
    time; ``tile`` are those of this project, size and overlap in pixels; ``strips`` says whether layers went strip by
    strip, at equal results. ``memory_limit_gib`` is the cap that emulated a smaller GPU.
    """

    device: str | None = None
    dtype: str | None = None
    window: int | str | None = None
    blocks: str | None = None
    precision: str | None = None
    compile: str | None = None
    batch: int | None = None
    tiling: bool | None = None
    tile: str | None = None
    strips: bool | None = None
    slicing: bool | None = None
    posterior: str | None = None
    seed: int | None = None
    # Records of 2026 and before call it "path".
    preset: str | None = Field(default=None, validation_alias=AliasChoices("preset", "path"))
    attention: str | None = None
    folded: bool | None = None
    chunk: int | None = None
    fused: bool | None = None
    graphs: bool | None = None
    memory_limit_gib: float | None = None


class RunConfig(Strict):
    """A tokenizer and how it is run; None leaves a setting to the ``preset``, or to an automatic choice.

    The fields are the arguments of :func:`vitok_lib.tokenizers.load.load_tokenizer`, which says what each does, and
    ``batch``: images that go through together. ``weights`` is ``released``, ``random`` or the path of a file or folder.
    ``bytes`` is, of a folder of reconstructions, the folder with the streams that they were decoded from.

    Raises:
        RequestError: a field is not known, is of another type, or out of its range.
    """

    name: str
    weights: str = RELEASED
    revision: str | None = None
    preset: str | None = None
    device: str = "cpu"
    dtype: str = "float32"
    window: int | str | None = None
    blocks: str | None = None
    precision: str | None = None
    compile: str | None = None
    attention: str | None = None
    folded: bool | None = None
    chunk: int | None = None
    fused: bool | None = None
    graphs: bool | None = None
    batch: int = 1
    tiling: bool = False
    tile: str | None = None
    strips: bool = False
    slicing: bool = False
    posterior: str = "mode"
    seed: int = 0
    bytes: str | None = None

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            cause = first.get("ctx", {}).get("error")
            if isinstance(cause, RequestError):
                raise cause from error
            field = ".".join(str(part) for part in first["loc"])
            raise RequestError(f"{field} (={first['input']!r}) is no setting of a run: {first['msg']}") from error

    @field_validator("window", mode="before")
    @classmethod
    def _as_number(cls, window: object) -> object:
        """A command line gives a radius as text."""
        return int(window) if isinstance(window, str) and _WHOLE_NUMBER.fullmatch(window) else window

    @model_validator(mode="after")
    def _is_in_range(self) -> RunConfig:
        for field in RunConfig.model_fields:
            if getattr(self, field) == "":
                raise RequestError(f"{field} (='') is empty; give a value, or leave it out")
        if not 1 <= self.batch <= _LARGEST_BATCH:
            raise RequestError(f"batch (={self.batch}) must be at least 1 image, and at most {_LARGEST_BATCH:,}")
        check_window(self.window)
        if self.blocks is not None:
            block_counts(self.blocks)
        if self.chunk is not None and self.chunk < 0:
            raise RequestError(f"chunk (={self.chunk}) must be 1 or more tokens, 0 for all, or None for automatic")
        if self.tile is not None:
            tile_of(self.tile)
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise RequestError(f"seed (={self.seed}) must be 0 or more, and below 2^63")
        for field, path in {"weights": self.weights, "bytes": self.bytes or ""}.items():
            if any("\ud800" <= letter <= "\udfff" for letter in path):  # bytes that are no UTF-8
                raise RequestError(f"{field} (={path!a}) is no UTF-8 and cannot be recorded; rename it")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The fields that differ from the default, beside the name."""
        fields = RunConfig.model_fields
        return {field: value for field in _IN_NAME if (value := getattr(self, field)) != fields[field].default}

    @property
    def settings(self) -> Settings:
        """What is asked for, as a record's settings say it."""
        sampled = self.posterior == "sample"
        named = {field: getattr(self, field) for field in Settings.model_fields if field in RunConfig.model_fields}
        return Settings(
            **named
            | {flag: getattr(self, flag) or None for flag in ("tiling", "strips", "slicing", "fused", "graphs")}
            | {"posterior": "sample" if sampled else None, "seed": self.seed if sampled else None}
        )

    def replace(self, **fields: Any) -> RunConfig:
        """This configuration with other ``fields``, checked as any."""
        return RunConfig(**(self.model_dump() | fields))

    @property
    def anywhere(self) -> RunConfig:
        """This configuration without the places of files, whose content is in the identity of the weights."""
        return self.model_copy(update={"weights": "", "bytes": None})

    def is_same_run(self, other: RunConfig) -> bool:
        """Whether both ask for the same, wherever the weights lie; whether those are the same their content says."""
        return self.anywhere == other.anywhere

    def suffix(self, weights: Weights, **others: object) -> str:
        """What differs from the default, for a record's file name.

        Args:
            weights: those that were loaded, since files are named by their content.
            others: what is unusual in the measurement, such as the size of its images; None: left out.
        """
        named = self.options
        if self.weights == RANDOM:
            named |= {"weights": f"{RANDOM}{self.seed}"}
            named.pop("seed", None)
        elif self.weights != RELEASED:
            named |= {"weights": weights.digest[:_DIGEST_IN_NAME]}
        if self.bytes is not None:
            named["bytes"] = True  # whose content is in the digest of the weights
        named |= {key: value for key, value in others.items() if value is not None}
        return ",".join(_part(key, value) for key, value in named.items())


def attention_choice(tokens: int, window: object) -> str:
    """Under which name a record's choices say which kernel attention of an image took; ``window`` None: full."""
    return f"attention of {tokens:,} tokens, {'full attention' if window is None else f'window {window}'}"


def square_radius(window: int | str | None) -> int | None:
    """The radius in rows and in columns of a two-dimensional window, 8 of ``2d:8``; None of any other window."""
    found = _SQUARE.fullmatch(window) if isinstance(window, str) else None
    return int(found[1]) if found else None


def check_window(window: int | str | None) -> None:
    """Raise a RequestError where ``window`` is neither a radius in tokens nor one in rows and columns."""
    if window is None or square_radius(window) is not None or (isinstance(window, int) and window >= 0):
        return
    raise RequestError(
        f"window (={window!r}) must be 0 or more tokens in row order, '2d:R' for R rows and columns of tokens, or None "
        "for full attention"
    )


def block_counts(blocks: str) -> tuple[int, int]:
    """How many of the encoder's and of the decoder's blocks a text such as ``2/3`` keeps.

    Raises:
        RequestError: it is no such text.
    """
    found = _BLOCKS.fullmatch(blocks)
    if found is None:
        raise RequestError(
            f"blocks (={blocks!r}) must be those to keep of the encoder and of the decoder, such as '2/3', "
            "or None for all"
        )
    return int(found[1]), int(found[2])


def tile_of(text: str) -> tuple[int, int]:
    """The size of a tile and the overlap of two in pixels, of a text such as ``512/64``.

    Raises:
        RequestError: it is no such text, or the overlap is not below the size.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})/([0-9]{1,6})", text)
    if match is None:
        raise RequestError(f"tile (={text!r}) is size and overlap in pixels, such as 512/64")
    size, overlap = int(match[1]), int(match[2])
    if text != f"{size}/{overlap}":  # one spelling, so that one configuration has one record
        raise RequestError(f"tile (={text!r}) must be written {size}/{overlap}")
    if overlap >= size:
        raise RequestError(f"tile (={text!r}) overlaps by {overlap} px, which must be below its {size} px")
    return size, overlap


def _part(key: str, value: object) -> str:
    if isinstance(value, bool):
        return key if value else f"no-{key}"
    text = str(value)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", text)
    if plain != text and key not in _SPELT:  # two texts that read alike as file names must not share a file
        plain += f"-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_IN_NAME]}"
    return f"{key}={plain}"
