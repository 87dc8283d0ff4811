"""Run by test_inception.py in a process of its own: torch-fidelity's network beside ours, on random weights.

torch-fidelity imports torchvision, of which its Inception network uses nothing: a stub stands in for it here, and must
not be seen by other tests. Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from pathlib import Path
from unittest.mock import MagicMock, patch

sys.path.insert(0, sys.argv[1])
for stub in ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional"):
    sys.modules[stub] = MagicMock()

import torch  # noqa: E402
from torch_fidelity import FeatureExtractorInceptionV3  # noqa: E402
from torch_fidelity.interpolate_compat_tensorflow import (  # noqa: E402
    interpolate_bilinear_2d_like_tensorflow1x as tensorflow_1,
)

from vitok_lib.metrics.networks import inception  # noqa: E402
from vitok_lib.metrics.networks.features import load_extractor, resized_as_tensorflow_1  # noqa: E402


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def save_random_weights(file: Path) -> FeatureExtractorInceptionV3:
    torch.manual_seed(0)
    source = "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url"
    with patch(source), patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        network = FeatureExtractorInceptionV3("inception", ["2048"])
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), file)
    return network


def use(file: Path) -> None:
    """Take ``file`` for the weights that are asked for."""
    os.environ[inception.VARIABLE] = str(file)
    inception.SHA256 = hashlib.sha256(file.read_bytes()).hexdigest()


def main(folder: Path) -> dict[str, object]:
    torch.set_num_threads(1)
    file = folder / "random.pth"
    theirs = save_random_weights(file)
    use(file)
    ours = load_extractor("inception", "cpu")
    images = torch.randint(0, 256, (2, 3, 299, 299), dtype=torch.uint8)
    expected = theirs(images)[0].numpy()
    found = ours.features(images)
    alone = ours.features(images[1:2])

    legacy = load_extractor("inception-legacy", "cpu")
    larger = torch.randint(0, 256, (2, 3, 340, 211), dtype=torch.uint8)
    resized = {}
    for size in ((299, 299), (300, 298), (512, 384), (64, 50), (1, 9), (1000, 299)):
        image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
        correct = tensorflow_1(image.float(), size=(299, 299), align_corners=False)
        resized[str(size)] = float((resized_as_tensorflow_1(image, 299) - correct).abs().max())

    evil = folder / "evil.pth"
    evil.write_bytes(pickle.dumps({"fc.bias": Evil(folder / "opened")}))
    use(evil)
    try:
        load_extractor("inception", "cpu")
        refused = False
    except pickle.UnpicklingError:
        refused = True
    return {
        "shape": list(found.shape),
        "scale": float(abs(expected).mean()),
        "spread": float(expected.std(0).mean()),
        "difference": float(abs(found - expected).max()),
        "legacy": float(abs(legacy.features(larger) - theirs(larger)[0].numpy()).max()),
        "antialiased": float(abs(ours.features(larger) - theirs(larger)[0].numpy()).max()),
        "resized": resized,
        "batch": float(abs(found[1:2] - alone).max()),
        "weights": ours.weights.files,
        "refused": refused,
        "opened": (folder / "opened").exists(),
    }


print(json.dumps(main(Path(sys.argv[2]))))
