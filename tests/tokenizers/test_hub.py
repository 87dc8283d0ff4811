"""Released weights from the hub, offline, out of a cache that the test lays out as the hub does."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import filter_repo_objects
from safetensors.torch import save_file

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers import registry
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import Entry
from vitok_lib.tokenizers.vitok.checkpoint import ViTok

VARIANT = "w16_d1_h2/8x4"
MAIN, PINNED = "a" * 40, "b" * 40
SEEDS = {MAIN: 1, PINNED: 2}
IMAGE = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)


def _seeded(seed: int) -> ViTok:
    tokenizer = load_tokenizer(VARIANT, weights="random", seed=seed)
    assert isinstance(tokenizer, ViTok)
    return tokenizer


def _write(repository: Path, revision: str) -> None:
    folder = repository / "snapshots" / revision
    folder.mkdir(parents=True)
    tokenizer = _seeded(SEEDS[revision])
    for side in ("encoder", "decoder"):
        save_file(getattr(tokenizer, side).state_dict(), folder / f"{side}.safetensors")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two revisions of ``someone/tiny`` in a hub cache, and no network."""
    repository = tmp_path / "hub" / "models--someone--tiny"
    for revision in SEEDS:
        _write(repository, revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(MAIN)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("tiny", "gone"):
        monkeypatch.setitem(registry.REGISTRY, name, Entry(name, "vitok", VARIANT, "test", f"someone/{name}", "main"))
    return repository


def test_the_registrys_revision_is_taken_and_its_commit_recorded() -> None:
    tokenizer = load_tokenizer("tiny")
    assert torch.equal(tokenizer.reconstruct(IMAGE), _seeded(SEEDS[MAIN]).reconstruct(IMAGE))
    identity = tokenizer.weights
    assert (identity.source, identity.repository, identity.revision) == ("released", "someone/tiny", MAIN)
    assert set(identity.files) == {"encoder.safetensors", "decoder.safetensors"}


def test_a_pinned_revision_is_taken_and_recorded() -> None:
    tokenizer = load_tokenizer("tiny", revision=PINNED)
    assert torch.equal(tokenizer.reconstruct(IMAGE), _seeded(SEEDS[PINNED]).reconstruct(IMAGE))
    assert tokenizer.weights.revision == PINNED


def test_one_side_of_a_repository_loads_alone(cache: Path) -> None:
    (cache / "snapshots" / MAIN / "decoder.safetensors").unlink()
    tokenizer = load_tokenizer("tiny", part="encoder")
    assert torch.equal(tokenizer.encode(IMAGE).values, _seeded(SEEDS[MAIN]).encode(IMAGE).values)
    assert set(tokenizer.weights.files) == {"encoder.safetensors"}


@pytest.mark.parametrize(
    ("name", "revision"), [("gone", None), ("tiny", "c" * 40)], ids=["absent-repository", "absent-revision"]
)
def test_what_cannot_be_fetched_is_one_sentence_with_a_way_out(name: str, revision: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        load_tokenizer(name, revision=revision)
    message = str(caught.value)
    assert f"cannot fetch 'someone/{name}' at revision '{revision or 'main'}' from the hub" in message
    assert "HF_TOKEN" in message
    assert "'random'" in message
    assert "\n" not in message


def test_a_hub_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RequestError, match="cannot fetch 'someone/gone' at revision 'main' from the hub") as caught:
        load_tokenizer("gone")
    assert "\n" not in str(caught.value)


class _Gate(BaseHTTPRequestHandler):
    """Answers as the hub does where a licence was not accepted."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to this model is restricted.")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub of this machine that asks for a licence before it gives anything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gate) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("gate")
@pytest.mark.parametrize("name", ["flux", "flux2", "gone"])
def test_a_gated_repository_says_which_licence_to_accept(name: str) -> None:
    repository = registry.REGISTRY[name].repository
    with pytest.raises(RequestError) as caught:
        load_tokenizer(name)
    message = str(caught.value)
    assert f"'{repository}' is gated on the hub" in message
    assert f"accept the licence at https://huggingface.co/{repository} and set HF_TOKEN" in message
    assert "\n" not in message


def test_a_gated_repository_that_cannot_be_reached_names_the_licence_too() -> None:
    with pytest.raises(
        RequestError, match=r"accept the licence at https://huggingface\.co/black-forest-labs/FLUX\.1-dev"
    ):
        load_tokenizer("flux")


@pytest.mark.parametrize(
    ("name", "prefix"), [("flux", "vae/"), ("diffusers:someone/sharded", "")], ids=["subfolder", "top-level"]
)
def test_nothing_is_fetched_but_the_auto_encoders_configuration_and_weights(
    name: str, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = [
        f"{prefix}config.json",
        f"{prefix}diffusion_pytorch_model.safetensors",
        f"{prefix}diffusion_pytorch_model.safetensors.index.json",
        f"{prefix}diffusion_pytorch_model-00001-of-00002.safetensors",
    ]
    others = [
        "README.md",
        "ae.safetensors",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model-00001-of-00003.safetensors",
        f"{prefix}diffusion_pytorch_model.bin",
        f"{prefix}diffusion_pytorch_model.fp16.safetensors",
        f"{prefix}code.py",
    ]
    fetched: list[str] = []

    def fetch(repository: str, revision: str, allow_patterns: list[str]) -> str:
        fetched.extend(filter_repo_objects([*wanted, *others], allow_patterns=allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    with pytest.raises(RequestError, match=r"config\.json' cannot be read"):
        load_tokenizer(name)
    assert fetched == wanted


@pytest.mark.parametrize(
    ("name", "weights"),
    [("nano-f32x64", "released"), ("5B-f16x64", "random")],
    ids=["shipped", "random"],
)
def test_a_revision_of_weights_that_the_hub_does_not_hold_is_refused(name: str, weights: str) -> None:
    with pytest.raises(RequestError, match="applies to weights from the hub"):
        load_tokenizer(name, weights=weights, revision="main")
