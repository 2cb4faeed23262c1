"""The networks: their sizes are the published ones, and torchvision's weights fit ResNet-50."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.errors import UsageError
from bench.models import MODELS
from bench.models.imagenet_resnet import load_weights
from bench.training.evaluation import outputs

SIZES = [
    # 32-64 convolutions and a dense layer of 128, counted by hand: with their biases and batch
    # normalizations 384 + 18,624 + 401,536 + 256, and 1,290 of the last layer.
    ("cnn4", (1, 28, 28), 10, 320 + 64 + 18_496 + 128 + 401_536 + 256 + 1_290),
    # 64-64, 128-128, 196-196 convolutions and a dense layer of 256.
    ("cnn8", (3, 32, 32), 10, 38_976 + 221_952 + 572_712 + 803_072 + 512 + 2_570),
    # He et al. 2016, table 6: 0.66 million.
    ("resnet44", (3, 32, 32), 10, 658_586),
    ("resnet44", (3, 32, 32), 100, 658_586 + 90 * 65),
    # torchvision's ResNet-34 has 21,284,672 without its last layer, 9,408 of them in the 7x7
    # convolution that is 3x3 here.
    ("resnet34", (3, 32, 32), 100, 21_284_672 - 9_408 + 1_728 + 100 * 513),
    # torchvision's ResNet-50.
    ("resnet50", (3, 224, 224), 1000, 25_557_032),
    ("resnet50", (3, 224, 224), 14, 25_557_032 - 986 * 2049),
]


@pytest.mark.parametrize(("name", "image", "classes", "parameters"), SIZES)
def test_size(name, image, classes, parameters):
    with torch.device("meta"):
        model = MODELS[name](classes)
        assert model(torch.empty(2, *image)).shape == (2, classes)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize("name", MODELS)
def test_last_layer_is_linear_and_its_input_are_the_features(name):
    image = {"mlp": (1, 8, 8), "cnn4": (1, 28, 28)}.get(name, (3, 32, 32))

    class OneBatch:
        num_classes = 10

        def plain_batches(self, split):
            yield torch.randn(3, *image), torch.tensor([0, 1, 2])

    model = MODELS[name](10)
    found = outputs(model, OneBatch(), "test")
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    torch.testing.assert_close(last(found.features), found.logits)


def test_weights_with_another_last_layer_load(tmp_path):
    torch.manual_seed(1)
    given = MODELS["resnet50"](1000).state_dict()
    torch.save(given, tmp_path / "resnet50.pth")
    model = MODELS["resnet50"](14)
    drawn = model.fc.weight.clone()
    load_weights(model, tmp_path / "resnet50.pth")
    assert torch.equal(
        model.state_dict()["layer3.5.bn2.running_mean"], given["layer3.5.bn2.running_mean"]
    )
    assert torch.equal(model.layer4[2].conv3.weight, given["layer4.2.conv3.weight"])
    assert torch.equal(model.fc.weight, drawn)


def test_names_are_those_of_torchvision():
    with torch.device("meta"):
        names = list(MODELS["resnet50"](14).state_dict())
    assert len(names) == 320
    for name in ("conv1.weight", "layer1.0.downsample.1.num_batches_tracked", "layer4.2.bn3.bias"):
        assert name in names


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no file"),
        (b"PK damaged", "is not a file of weights"),
        ([1.0], "does not hold a state dict"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, r"bn1.bias is absent there, \(64,\) here"),
        ({"a.weight": torch.zeros(1)}, r"a.weight is \(1,\) there, absent here"),
        ({"bn1.bias": torch.zeros(3)}, r"bn1.bias is \(3,\) there, \(64,\) here"),
    ],
    ids=["missing", "damaged", "list", "incomplete", "other", "shape"],
)
def test_other_weights_are_refused(tmp_path, content, complaint):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with torch.device("meta"):
        model = MODELS["resnet50"](14)
    with pytest.raises(UsageError, match=complaint):
        load_weights(model, path)  # refused before it could notice that the model has no memory
