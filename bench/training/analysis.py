"""What the outputs of a network show of how it learned."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.manifold import TSNE  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from torch import Tensor

import noisykernels.functional as NF
from bench.training.dumps import Dump

EMBEDDED = 2000
"""Test images in an embedding, the first ones: 10,000 would take minutes."""

NEIGHBORS = 30.0
"""scikit-learn's default of t-SNE's perplexity."""


def mislabel_auroc(dump: Dump) -> float | None:
    """How well a small p_y tells wrong training labels from right ones, in percent.

    It is the chance that the network finds the label of a mislabeled image less likely than that of
    a correctly labeled one; None without images of both kinds.
    """
    if dump.train_clean_labels is None:
        return None
    wrong = dump.train_labels != dump.train_clean_labels
    if wrong.all() or not wrong.any():
        return None
    # log p_y, for p_y itself is 1 for many at once.
    _, stats = NF.ce_loss(dump.train_logits, dump.train_labels, return_stats=True)
    return 100 * float(roc_auc_score(wrong.numpy(), -stats.logp_y.numpy()))


def clean_confidence(dump: Dump) -> Tensor:
    """Mean probabilities (C, C) of the correctly labeled training images of each class.

    The row of a class without such images is NaN.
    """
    right = dump.train_labels == dump.train_clean_labels
    rows, classes = dump.train_logits[right].softmax(1), dump.train_labels[right]
    count = rows.shape[1]
    sums = torch.zeros(count, count).index_add_(0, classes, rows)
    return sums / classes.bincount(minlength=count)[:, None]


def predictions(dump: Dump) -> tuple[Tensor, Tensor]:
    """How many training images are predicted as each class, and how many of those are of it."""
    predicted, count = dump.train_logits.argmax(1), dump.train_logits.shape[1]
    right = predicted[predicted == dump.train_clean_labels]
    return predicted.bincount(minlength=count), right.bincount(minlength=count)


def embedding(dump: Dump) -> np.ndarray:
    """t-SNE of the features of the first test images, (N, 2)."""
    features = dump.test_features[:EMBEDDED].numpy()
    perplexity = min(NEIGHBORS, (len(features) - 1) / 3)  # it has to be less than their number
    points: np.ndarray = TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(
        features
    )
    return points
