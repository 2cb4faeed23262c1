"""Noise that depends on what is seen in the image."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from noisykernels.noise.arguments import (
    class_count,
    class_indices,
    finite_features,
    generator,
    share,
)
from noisykernels.noise.draws import choose, draw
from noisykernels.noise.labels import NoisyLabels, corrupted
from noisykernels.validation import choices

METHODS = ("xia", "jal")
DEVIATION = 0.1
"""Standard deviation of the flip rates of single samples in Xia et al. 2020."""


def instance_dependent(
    labels: Any,
    rate: float,
    num_classes: int,
    features: Tensor,
    *,
    method: Literal["xia", "jal"] = "xia",
    seed: int = 0,
) -> NoisyLabels:
    """Instance-dependent noise: which wrong label a sample gets depends on its image.

    For each class y a matrix ``W_y`` of independent standard normal numbers is drawn, of shape
    (features, C). A wrong label of a sample x of class y is drawn from ``softmax(x W_y)`` without
    class y. The methods differ in which labels are wrong:

    - ``"xia"``: sample i is wrong with probability ``q_i``, drawn from the normal distribution of
      mean ``rate`` and standard deviation 0.1, truncated to [0, 1]. Near 0 and 1 the truncation
      shifts the mean: at rate 0 about 8 % of the labels are wrong.
    - ``"jal"``: exactly ``round(rate * N)`` samples, chosen at random, are wrong.

    Args:
        labels: Clean class indices, N integers in [0, num_classes).
        rate: Share of wrong labels, in [0, 1].
        num_classes: Number of classes C, at least 2.
        features: Finite floating point numbers, shape (N, ...): the images as the network sees
            them. Their scale matters: the larger, the surer a sample's wrong label.
        method: ``"xia"`` or ``"jal"``.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), ``features`` does not match the labels or
            is not finite, or another argument is outside its range.

    Source:
        Xia et al. 2020, arXiv:2006.07836; the code of Wang et al. 2025 (JAL), arXiv:2507.17692,
        which takes the images after the augmentation of the training.

    Example:
        >>> import torch
        >>> from noisykernels import noise
        >>> images = torch.randn(100, 3, 32, 32)
        >>> clean = torch.arange(10).repeat(10)
        >>> noisy, _ = noise.instance_dependent(clean, 0.4, 10, images, method="jal")
        >>> int((noisy != clean).sum())
        40
    """
    if method not in METHODS:
        raise ValueError(f"method must be {choices(METHODS)}, got {method!r}")
    num_classes = class_count(num_classes, 2)
    labels = class_indices("labels", labels, num_classes)
    rate = share(rate)
    rows = finite_features("features", features, len(labels)).cpu()
    clean = labels.cpu()
    source = generator(seed)
    if method == "xia":
        wrong = _sample_rates(len(clean), rate, source) > torch.rand(
            len(clean), dtype=torch.float64, generator=source, device="cpu"
        )
    else:
        wrong = torch.zeros(len(clean), dtype=torch.bool, device="cpu")
        wrong[choose(len(clean), rate, source)] = True

    noisy = clean.clone()
    for index in range(num_classes):
        positions = (wrong & (clean == index)).nonzero().squeeze(1)
        # float64, or the order of a sum, which threads change, could change a label.
        weights = torch.randn(
            rows.shape[1], num_classes, dtype=torch.float64, generator=source, device="cpu"
        )
        scores = rows[positions].double() @ weights
        scores[:, index] = -torch.inf
        noisy[positions] = draw(scores.softmax(1), source)
    return corrupted(labels, noisy, num_classes)


def _sample_rates(samples: int, rate: float, source: torch.Generator) -> Tensor:
    rates = torch.empty(samples, dtype=torch.float64, device="cpu")
    return torch.nn.init.trunc_normal_(rates, rate, DEVIATION, 0.0, 1.0, generator=source)
