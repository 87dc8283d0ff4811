"""The command that repeats a measurement, and back: ``parse(command(measurement)) == measurement``.

A command is one of ``vitok``, or of Python where the command line cannot say it. Also read are the forms that records
of 2026 hold, in which a preset was a path and a configuration was spread over arguments.
"""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import NATIVE
from vitok_lib.parameters import as_text
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import LOCAL

FUNCTIONS = {
    "measure_speed": "vitok_lib.measure.speed.benchmark",
    "measure_profile": "vitok_lib.measure.speed.profile",
    "measure_memory": "vitok_lib.measure.memory.peak",
    "measure_capacity": "vitok_lib.measure.memory.max_resolution",
    "measure_tiling": "vitok_lib.measure.studies.tiling",
    "measure_variations": "vitok_lib.measure.studies.variations",
    "measure_drift": "vitok_lib.measure.studies.drift",
    "measure_latents": "vitok_lib.measure.latents.card",
    "measure_text": "vitok_lib.measure.studies.text",
    "measure_rate": "vitok_lib.measure.latents.rate",
    "measure_padding": "vitok_lib.measure.studies.padding",
    "measure_how_many": "vitok_lib.measure.studies.how_many",
    "measure_depth": "vitok_lib.train.grid",
    "measure_preparation": "vitok_lib.measure.studies.preparation",
}
"""What a record's command may call in Python, and the module it is in."""
EVAL, PLAN, SPEED, RUN = "eval", "plan", "speed", "run"
_CONFIG = "vitok_lib.records.config"


def _pixels(text: str) -> int | str:
    """A resolution: pixels, or the native size of each image."""
    return text if text == NATIVE.name else int(text)


_NUMBERS: Mapping[str, Callable[[str], Any]] = {
    "resolution": _pixels,
    **dict.fromkeys(("samples", "subset_seed", "iterations"), int),
    **dict.fromkeys(("seconds", "time_limit"), float),
}
"""Options of the command line that are no text."""
_FLAGS = ("tiling", "strips", "slicing", "folded", "fused", "graphs")
_USUAL = {"study": LOCAL, "benchmark": "speed"}


@dataclass(frozen=True)
class Measurement:
    """``what`` is a command of ``vitok`` or a function of :data:`FUNCTIONS`; ``request`` holds all but the configs.

    The configurations of ``measure_speed`` are those of one run, the first the baseline. The ``request`` of ``eval``
    and ``plan`` holds their options, of ``run`` the notebook and its parameters, of a function its arguments.
    """

    what: str
    configs: tuple[RunConfig, ...]
    request: Mapping[str, Any] = field(default_factory=dict)


def command(measurement: Measurement) -> str:
    """The command line that measures the same again; what is None or the default is left out."""
    if measurement.what == RUN:
        notebook, *parameters = measurement.request.items()
        words = [word for name, value in parameters for word in ("-p", f"{name}={as_text(value)}")]
        return shlex.join(["vitok", RUN, str(notebook[1]), *words])
    request = {
        key: value for key, value in measurement.request.items() if value is not None and _USUAL.get(key) != value
    }
    if measurement.what in (EVAL, PLAN):
        (config,) = measurement.configs
        return shlex.join(["vitok", measurement.what, config.name, *_options(request), *_options(config.options)])
    shared = _as_product(measurement.configs) if measurement.what == "measure_speed" else None
    if shared is not None and not {"sizes", "benchmark"} & set(request):
        names, options = shared
        return shlex.join(["vitok", SPEED, *names, *_options(_of_speed(request) | options)])
    return _in_python(measurement.what, measurement.configs, request)


def parse(text: str) -> Measurement:
    """The measurement that a record's command repeats.

    Raises:
        RequestError: it is none of the forms that a record holds.
    """
    try:
        words = shlex.split(text)
        if words[:2] == ["python", "-c"]:
            return _parse_python(words[2])
        if words[0] == "vitok" and words[1] == RUN:
            pairs = (word.partition("=") for word in words[4::2])
            return Measurement(RUN, (), {"notebook": words[2], **{name: value for name, _, value in pairs}})
        if words[0] == "vitok" and words[1] in (EVAL, PLAN, SPEED):
            names, options = _split(words[2:])
            return _parse_speed(names, options) if words[1] == SPEED else _parse_each(words[1], names, options)
    except (IndexError, KeyError, SyntaxError, TypeError, ValueError) as error:
        raise RequestError(f"command '{text}' cannot be read: {error}") from error
    raise RequestError(f"command '{text}' is none that a record holds")


def _options(named: Mapping[str, Any]) -> Iterator[str]:
    for name, value in named.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{option}" if value else f"--no-{option}"
        else:
            yield from (f"--{option}", str(value))


def _split(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Arguments and options of a command line, the latter by the names of Python."""
    arguments, options, rest = [], {}, iter(words)
    for word in rest:
        name = word.removeprefix("--").replace("-", "_")
        if not word.startswith("--"):
            arguments.append(word)
        elif name.removeprefix("no_") in _FLAGS:
            options[name.removeprefix("no_")] = not name.startswith("no_")
        else:
            value = next(rest, None)
            if value is None:
                raise ValueError(f"option {word} has no value")
            options["preset" if name == "path" else name] = _NUMBERS.get(name, str)(value)
    return arguments, options


def _take_config(options: dict[str, Any]) -> dict[str, Any]:
    """Those of ``options`` that are fields of a configuration, which they lose."""
    return {name: options.pop(name) for name in list(options) if name in RunConfig.model_fields}


def _parse_each(what: str, names: Sequence[str], options: dict[str, Any]) -> Measurement:
    fields = _take_config(options)
    return Measurement(what, tuple(RunConfig(name=name, **fields) for name in names), options)


def _as_product(configs: Sequence[RunConfig]) -> tuple[list[str], dict[str, Any]] | None:
    """Tokenizers and options of ``vitok speed`` if the configurations are each tokenizer with each preset."""
    names = list(dict.fromkeys(config.name for config in configs))
    presets = list(dict.fromkeys(config.preset for config in configs))
    product = [configs[0].replace(name=name, preset=preset) for name in names for preset in presets]
    if None in presets or product != list(configs):
        return None
    return names, configs[0].options | {"preset": ",".join(str(preset) for preset in presets)}


def _of_speed(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request of ``measure_speed`` as options of ``vitok speed``."""
    options = {key: value for key, value in request.items() if key not in ("height", "width")}
    if "height" in request or "width" in request:
        side = request["resolution"]
        options["size"] = f"{request.get('height', side)}x{request.get('width', side)}"
    if "image_set" in options:
        options["images"] = options.pop("image_set")
    if "metrics" in options:
        options["metrics"] = ",".join(options["metrics"])
    return options


def _parse_speed(names: Sequence[str], options: dict[str, Any]) -> Measurement:
    fields = _take_config(options)
    presets = fields.pop("preset", "reference").split(",")
    configs = tuple(RunConfig(name=name, preset=preset.strip(), **fields) for name in names for preset in presets)
    if "size" in options:
        options["height"], options["width"] = (int(side) for side in options.pop("size").split("x"))
    if "images" in options:
        options["image_set"] = options.pop("images")
    if "metrics" in options:
        options["metrics"] = options["metrics"].split(",")
    return Measurement("measure_speed", configs, options)


def _in_python(function: str, configs: Sequence[RunConfig], request: Mapping[str, Any]) -> str:
    sources = [f"RunConfig({_arguments({'name': config.name, **config.options})})" for config in configs]
    first = f"[{', '.join(sources)}]" if function == "measure_speed" else sources[0]
    call = f"{function}({first}, {_arguments(request)})"
    imports = f"from {_CONFIG} import RunConfig; from {FUNCTIONS[function]} import {function}"
    return shlex.join(["python", "-c", f"{imports}; {call}"])


def _arguments(named: Mapping[str, Any]) -> str:
    """Keyword arguments in Python, with double quotes, which a shell leaves alone within single ones."""
    return ", ".join(
        f"{key}={json.dumps(value) if isinstance(value, str) or _are_texts(value) else repr(value)}"
        for key, value in named.items()
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(element, str) for element in value)


def _parse_python(source: str) -> Measurement:
    """The last call in ``source``, whose arguments are literals and configurations; nothing of it is run."""
    statement = ast.parse(source).body[-1]
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        raise ValueError("it ends in no call")
    call = statement.value
    function = ast.unparse(call.func)
    request = {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}
    options = request.pop("options", {})
    request.pop("end_to_end", None)  # which an image set says
    request.pop("again", None)
    shared = {"preset": request.pop("path")} if "path" in request else {}
    shared |= _take_config(request) | options
    first = _value(call.args[0])
    given = list(first) if isinstance(first, list) else [first]
    sizes = [entry[2] for entry in given if isinstance(entry, tuple)]
    configs = tuple(_configured(entry, shared) for entry in given)
    if any(sizes):
        request["sizes"] = sizes
    usual = {key for key, value in request.items() if _USUAL.get(key, ...) == value}
    if function not in FUNCTIONS:
        raise ValueError(f"{function} is no measurement")
    return Measurement(function, configs, {key: value for key, value in request.items() if key not in usual})


def _configured(given: Any, shared: Mapping[str, Any]) -> RunConfig:
    if isinstance(given, RunConfig):
        return given
    if isinstance(given, str):
        return RunConfig(**{"name": given, **shared})
    (name, preset), options, _ = given
    return RunConfig(**{"name": name, "preset": preset, **shared, **options})


def _value(node: ast.expr) -> Any:
    """A literal, a list, a configuration, or a contender of 2026: its tokenizer and path, its options, its size."""
    if isinstance(node, ast.List):
        return [_value(element) for element in node.elts]
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    keywords = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if ast.unparse(node.func) == "RunConfig":
        return RunConfig(**keywords)
    given = dict(enumerate(_value(argument) for argument in node.args))
    return (given[0], given.get(1, "reference")), given.get(2, {}), keywords.get("size")
