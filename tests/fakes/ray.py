"""A cluster in this process: what is sent to it is done at once, and processes die where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from vitok_lib.images.manifest import ManifestEntry

Dies = Callable[[Sequence[str]], Exception | None]


@dataclass(eq=False)
class _Ref:
    """What a call gave, or the exception that fetching it raises."""

    value: Any = None
    error: Exception | None = None


@dataclass
class FakeRay:
    """The functions of Ray that an evaluation calls.

    ``dies`` is asked before each call of a worker, with the names of the images, and ``lost`` after each task that
    prepares one: an exception takes the place of the result, as Ray raises it for a process that died. ``refused`` is
    why no worker can load the tokenizer.
    """

    exceptions: Any
    dies: Dies = lambda names: None
    lost: Dies = lambda names: None
    refused: Exception | None = None
    cores: list[float] = field(default_factory=lambda: [2.0])
    measured: list[list[str]] = field(default_factory=list)
    started: int = 0

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": cores}} for cores in self.cores]

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **resources: Any) -> Callable[[Any], Any]:
        return lambda thing: SimpleNamespace(
            remote=self._actor(thing) if isinstance(thing, type) else self._task(thing)
        )

    def wait(self, pending: list[_Ref], num_returns: int, timeout: float) -> tuple[list[_Ref], list[_Ref]]:
        return pending[:num_returns], pending[num_returns:]

    def get(self, ref: _Ref) -> Any:
        if ref.error is not None:
            raise ref.error
        return ref.value

    def kill(self, actor: Any) -> None:
        pass

    def _task(self, prepare: Callable[..., Any]) -> Callable[..., _Ref]:
        def remote(image_set: Any, entry: ManifestEntry, resolution: int) -> _Ref:
            error = self.lost([entry.name])
            return _Ref(error=error) if error else _Ref(prepare(image_set, entry, resolution))

        return remote

    def _actor(self, kind: type) -> Callable[..., Any]:
        def remote(*given: Any) -> Any:
            self.started += 1
            worker = kind(*given)
            dead: list[Exception] = []

            def measure(entries: Sequence[ManifestEntry], *pixels: _Ref) -> _Ref:
                lost = dead or [ref.error for ref in pixels if ref.error]
                if lost:
                    return _Ref(error=lost[0])
                names = [entry.name for entry in entries]
                self.measured.append(names)
                error = self.dies(names)
                if error is not None:
                    dead.append(error)
                    return _Ref(error=error)
                return _Ref(worker.measure(entries, *(ref.value for ref in pixels)))

            load = SimpleNamespace(remote=lambda: _Ref(error=self.refused) if self.refused else _Ref(worker.load()))
            return SimpleNamespace(load=load, measure=SimpleNamespace(remote=measure))

        return remote
