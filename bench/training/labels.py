"""The noise to train with, from words: `symmetric:0.4`, `human:worse_label`, `none`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from bench.data import Dataset, cifar_n
from bench.data.augment import Normalize
from bench.errors import UsageError
from bench.training import transition
from noisykernels import noise

_SYMMETRIC: dict[str, Callable[..., noise.NoisyLabels]] = {
    "symmetric": noise.symmetric,
    "symmetric-inclusive": partial(noise.symmetric, exclude_true=False),
    "symmetric-per-class": noise.symmetric_per_class,
    "symmetric-per-pair": noise.symmetric_per_pair,
}

_ANY_CLASSES = {**_SYMMETRIC, "pair-flip": noise.pair_flip}

_CIFAR100 = noise.asymmetric_cifar100

_ASYMMETRIC: dict[tuple[str, str], Callable[..., noise.NoisyLabels]] = {
    ("asymmetric", "mnist"): noise.asymmetric_mnist,
    ("asymmetric-sequential", "mnist"): partial(noise.asymmetric_mnist, sequential=True),
    ("asymmetric", "cifar10"): noise.asymmetric_cifar10,
    ("asymmetric-sequential", "cifar10"): partial(noise.asymmetric_cifar10, sequential=True),
    ("asymmetric", "cifar100"): _CIFAR100,
    ("asymmetric-pair", "cifar100"): partial(_CIFAR100, flip="pair"),
    ("asymmetric-index", "cifar100"): partial(_CIFAR100, blocks="index"),
    ("asymmetric-index-pair", "cifar100"): partial(_CIFAR100, blocks="index", flip="pair"),
}

_INSTANCE = ("instance", "instance-jal")

NAMES = (*_ANY_CLASSES, *dict.fromkeys(name for name, _ in _ASYMMETRIC), *_INSTANCE)


def noisy_labels(
    text: str, data: Dataset, normalize: Normalize, seed: int, human: Path | None
) -> noise.NoisyLabels:
    """The training labels with noise, and its transition matrix.

    That of symmetric noise has one number, the share of wrong labels: what was drawn for each of
    the 9,900 pairs of CIFAR-100 would tell which label is wrong. Of all other noise it has the
    shares among the labels of each class.

    Args:
        text: "none", NAME:RATE with a name of `NAMES`, or human:KEY.
        data: The clean data, with all training images.
        normalize: What the network would see of the images; instance-dependent noise follows it.
        seed: Of the draw.
        human: The label file of CIFAR-10N or CIFAR-100N.

    Raises:
        UsageError: If there is no such noise for these data.
        DataError: If the label file is damaged or for other images.
    """
    name, _, value = text.partition(":")
    if text == "none":
        return _compared(data, data.train_labels)
    if name == "human":
        if human is None:
            raise UsageError(f"--noise {text} needs --human FILE with the labels")
        return _compared(data, cifar_n.load(human, data, value).labels)
    if name not in NAMES:
        raise UsageError(
            f"--noise takes none, human:KEY or NAME:RATE with {', '.join(NAMES)}, got {text!r}"
        )
    try:
        rate = float(value)
    except ValueError:
        raise UsageError(f"--noise {name} takes a rate, as in {name}:0.4, got {text!r}") from None
    try:
        found = _model(name, data, normalize)(data.train_labels, rate, seed=seed)
    except ValueError as error:
        raise UsageError(f"--noise {text}: {error}") from None
    if name in _SYMMETRIC:
        wrong = (found.labels != data.train_labels).double().mean().item()
        found = found._replace(transition=transition.uniform(wrong, data.num_classes))
    return found


def _compared(data: Dataset, labels: Tensor) -> noise.NoisyLabels:
    matrix = noise.transition_matrix(data.train_labels, labels, data.num_classes)
    return noise.NoisyLabels(labels, matrix)


def _model(name: str, data: Dataset, normalize: Normalize) -> Callable[..., noise.NoisyLabels]:
    given: dict[str, Any] = {"num_classes": data.num_classes}
    if name in _ANY_CLASSES:
        return partial(_ANY_CLASSES[name], **given)
    if name in _INSTANCE:
        features = normalize(data.train_images)
        method = "jal" if name == "instance-jal" else "xia"
        return partial(noise.instance_dependent, features=features, method=method, **given)
    try:
        return _ASYMMETRIC[name, data.name]
    except KeyError:
        known = ", ".join(dict.fromkeys(d for n, d in _ASYMMETRIC if n == name))
        raise UsageError(f"--noise {name} is defined for {known}, not {data.name}") from None
