"""The transition matrix of unknown noise, estimated from what is at hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noisykernels.noise.arguments import distributions, real
from noisykernels.noise.labels import pair_counts


def estimate_transition(
    clean: Any, noisy: Any, num_classes: int, *, pseudocount: float = 0.0
) -> Tensor:
    """Transition matrix from samples that carry both a clean and a noisy label.

    ``T_ij = (n_ij + pseudocount) / (n_i + C * pseudocount)``, where ``n_ij`` of the ``n_i`` samples
    of clean class i have noisy label j. A pseudocount above 0 keeps every entry above 0, so that no
    noisy label is impossible to a loss that corrects with T.

    Args:
        clean: Clean class indices, N integers in [0, num_classes).
        noisy: Noisy class indices, same shape.
        num_classes: Number of classes C, at least 1.
        pseudocount: Samples added to each pair of classes, at least 0.

    Returns:
        A float64 tensor (C, C) on the CPU whose rows sum to 1.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), the lengths differ, ``pseudocount`` is
            negative or not finite, or it is 0 and a class has no sample to estimate its row from.

    Source:
        Forward correction on Clothing1M: Patrini et al. 2017, arXiv:1609.03683.

    Example:
        >>> from noisykernels import noise
        >>> noise.estimate_transition(clean=[0, 0, 1], noisy=[0, 1, 1], num_classes=2)
        tensor([[0.5000, 0.5000],
                [0.0000, 1.0000]], dtype=torch.float64)
        >>> noise.estimate_transition([0, 0, 1], [0, 1, 1], num_classes=2, pseudocount=1)
        tensor([[0.5000, 0.5000],
                [0.3333, 0.6667]], dtype=torch.float64)
    """
    pseudocount = real("pseudocount", pseudocount)
    if not 0 <= pseudocount < float("inf"):
        raise ValueError(f"pseudocount must be a finite number from 0, got {pseudocount}")
    counts = pair_counts(clean, noisy, num_classes) + pseudocount
    samples = counts.sum(1, keepdim=True)
    empty = (samples == 0).flatten().nonzero()
    if len(empty):
        raise ValueError(
            f"clean must have a sample of each class where pseudocount is 0, got none of class "
            f"{int(empty[0])}"
        )
    return counts / samples


def estimate_transition_from_anchors(
    probabilities: Any, *, percentile: float | None = 97.0
) -> Tensor:
    """Transition matrix from the predictions of a network that was trained on the noisy labels.

    The anchor of class i is the sample most surely of that class, and row i the distribution that
    is predicted for it. As the surest may be outliers, the anchor is the surest below a percentile
    of the N predicted probabilities of class i; the percentile is a value that occurs, the next
    higher where it falls between two. If all are equal, the first sample is the anchor.

    Args:
        probabilities: Predicted probabilities, shape (N, C), N at least 1, rows sum to 1.
        percentile: In (0, 100]; ``None`` takes the surest of all, as published for CIFAR-100.

    Returns:
        A float64 tensor (C, C) on the CPU whose rows sum to 1.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: ``probabilities`` has no row, or one that is not a distribution, or
            ``percentile`` is outside its range.

    Source:
        Patrini et al. 2017, arXiv:1609.03683. Its code sets the probabilities above the percentile
        to 0 in place, which changes the rows of later anchors; here they stay.

    Example:
        >>> from noisykernels import noise
        >>> predicted = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]
        >>> noise.estimate_transition_from_anchors(predicted, percentile=None)
        tensor([[0.9000, 0.1000],
                [0.3000, 0.7000]], dtype=torch.float64)
        >>> noise.estimate_transition_from_anchors(predicted)
        tensor([[0.8000, 0.2000],
                [0.8000, 0.2000]], dtype=torch.float64)
    """
    rows = distributions("probabilities", probabilities)
    if len(rows) == 0:
        raise ValueError(f"probabilities must have at least one row, got {tuple(rows.shape)}")
    sureness = rows
    if percentile is not None:
        percentile = real("percentile", percentile)
        if not 0 < percentile <= 100:
            raise ValueError(f"percentile must be in (0, 100] or None, got {percentile}")
        # Not torch.quantile: it refuses more than 16 million elements.
        rank = -int(-percentile * (len(rows) - 1) // 100)
        threshold = rows.sort(0).values[rank]
        sureness = torch.where(rows < threshold, rows, -1.0)
    anchors = rows[sureness.argmax(0)]
    return anchors / anchors.sum(1, keepdim=True)
