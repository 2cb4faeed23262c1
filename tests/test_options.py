"""What every function takes beside logits, labels and parameters: sample weights and statistics."""

from __future__ import annotations

import pytest
import torch
from cases import Case, each_loss
from torch import Tensor

pytestmark = pytest.mark.usefixtures("backend")

LABELS = torch.tensor([1, 0, -100, 3])
WEIGHT = torch.tensor([0.5, 2.0, 0.25, 1.0, 0.0], dtype=torch.float64)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@each_loss
def test_sample_weights_multiply_losses_and_count_in_the_mean(
    case: Case, weight: Tensor | None
) -> None:
    x = torch.randn(4, 5, dtype=torch.float64)
    s = torch.tensor([0.3, 0.0, 7.0, 2.0], dtype=torch.float64)
    each = s * case(x, LABELS, weight=weight, reduction="none")
    kept = LABELS >= 0
    divisor = (s if weight is None else s * weight[LABELS.clamp(min=0)])[kept].sum()
    for reduction, expected in {
        "none": each,
        "sum": each.sum(),
        "mean": each.sum() / divisor,
    }.items():
        found = case(x, LABELS, weight=weight, sample_weight=s, reduction=reduction)
        torch.testing.assert_close(found, expected)


@each_loss
def test_sample_weights_learn(case: Case) -> None:
    x = torch.randn(4, 5, dtype=torch.float64)
    s = torch.ones(4, dtype=torch.float64, requires_grad=True)
    case(x, LABELS, sample_weight=s, reduction="sum").backward()
    torch.testing.assert_close(s.grad, case(x, LABELS, reduction="none"))


@each_loss
def test_statistics_come_beside_the_same_loss(case: Case) -> None:
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    loss, stats = case(x, LABELS, return_stats=True)
    # The softmax, where it is there for the statistics alone, moves the point that is subtracted.
    torch.testing.assert_close(loss, case(x, LABELS), rtol=1e-14, atol=0)
    p = x.detach().softmax(1)
    torch.testing.assert_close(stats.p_y[[0, 1, 3]], p[[0, 1, 3], [1, 0, 3]])
    assert stats.predicted.tolist()[:2] == p.argmax(1).tolist()[:2]
    assert not any(part.requires_grad for part in stats)
