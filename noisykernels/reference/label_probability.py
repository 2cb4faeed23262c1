"""Losses that are functions of the label's probability ``p_y`` alone."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, one_minus_exp, times
from noisykernels.reference.cross_entropy import ce


def rce(rows: Rows, A: float = -4.0) -> Tensor:
    """Reverse cross entropy, ``-sum_k p_k log t_k = -A (1 - p_y)``: ``t`` one-hot, ``log 0 = A``.

    Source: Wang et al. 2019, arXiv:1908.06112, with ``A = -4`` in its main results. Published code
    clips ``t`` at 1e-4, which makes ``A = ln 1e-4 = -9.21``, and clips ``p`` at 1e-7, which zeroes
    the gradient through smaller ``p_k``.
    """
    return -A * rows.miss


def mae(rows: Rows) -> Tensor:
    """Mean absolute error, ``sum_k |p_k - t_k| = 2 (1 - p_y)`` for one-hot ``t``.

    Source: Ghosh et al. 2017, arXiv:1712.09482. Much published code drops the factor 2.
    """
    return 2 * rows.miss


def gce(rows: Rows, q: float = 0.7) -> Tensor:
    """Generalized cross entropy, ``(1 - p_y^q) / q``: CE for q -> 0, ``1 - p_y`` at q = 1.

    Source: Zhang & Sabuncu 2018, arXiv:1805.07836, without its truncation. Published code either
    raises the softmax to the power ``q``, whose gradient is NaN where ``p_y`` underflows, or clips
    ``p`` at 1e-7, below which the gradient is 0 although ``p_y^q`` is not small.
    """
    return one_minus_exp(times(q, rows.log_p_y)) / q


def truncated_gce(rows: Rows, q: float = 0.7, k: float = 0.5) -> Tensor:
    """Truncated GCE, ``(1 - p_y^q) / q`` if ``p_y > k``, else the constant ``(1 - k^q) / q``.

    Source: Zhang & Sabuncu 2018, arXiv:1805.07836. Published code decides which rows to keep once
    in ten epochs, from an extra pass over the data.
    """
    return torch.where(rows.p_y > k, gce(rows, q), (1 - k**q) / q)


def taylor_ce(rows: Rows, order: int = 2) -> Tensor:
    """Taylor cross entropy, the series of ``-log p_y`` at 1: ``sum_{i<=order} (1 - p_y)^i / i``.

    ``1 - p_y`` at order 1, CE for order -> infinity. Source: Feng et al. 2020, "Can cross entropy
    loss be robust to label noise?", IJCAI. It is not the Taylor softmax, which expands ``exp z``.
    """
    series = miss = rows.miss
    for i in range(2, int(order) + 1):
        series = series + miss**i / i
    return series


def focal(rows: Rows, gamma: float = 0.5, detach: bool = False) -> Tensor:
    """Focal loss, ``-(1 - p_y)^gamma log p_y``: CE at gamma = 0.

    Source: Lin et al. 2017, arXiv:1708.02002. With ``detach`` no gradient flows through
    ``(1 - p_y)^gamma``, as in the published code of losses for noisy labels: the gradient is CE's
    times that weight. Other published code is NaN at ``p_y = 1`` if ``gamma < 1``.
    """
    log_miss = rows.log_miss.detach() if detach else rows.log_miss
    # At p = 0 it is 0 without a slope: that times the infinite logarithm would be NaN.
    log_miss = torch.where(rows.p_y > 0, log_miss, 0.0)
    return torch.exp(gamma * log_miss) * ce(rows)


def agce(rows: Rows, a: float = 0.6, q: float = 0.6) -> Tensor:
    """Asymmetric generalized cross entropy, ``((a + 1)^q - (a + p_y)^q) / q``.

    Source: Zhou et al. 2021, arXiv:2106.03110.
    """
    # (a + 1) / (a + p) is 1 + (1 - p) / (a + p): nothing cancels at either end.
    log_ratio = torch.log1p(rows.miss / (a + rows.p_y))
    scale: float = (a + 1) ** q / q
    return scale * one_minus_exp(-q * log_ratio)


def aul(rows: Rows, a: float = 5.5, q: float = 3.0) -> Tensor:
    """Asymmetric unhinged loss, ``((a - p_y)^q - (a - 1)^q) / q`` with ``a > 1``.

    Source: Zhou et al. 2021, arXiv:2106.03110; its code calls it AUE.
    """
    # (a - p) / (a - 1) is 1 + (1 - p) / (a - 1).
    log_ratio = torch.log1p(rows.miss / (a - 1))
    scale: float = (a - 1) ** q / q
    return scale * torch.expm1(q * log_ratio)


def ael(rows: Rows, a: float = 2.5) -> Tensor:
    """Asymmetric exponential loss, ``exp(-p_y / a)``.

    Source: Zhou et al. 2021, arXiv:2106.03110.
    """
    return torch.exp(-rows.p_y / a)


def eps_softmax_ce(rows: Rows, m: float = 1e5) -> Tensor:
    """Cross entropy of the eps-softmax, ``-log((p_y + m hit) / (m + 1))``: CE at m = 0.

    ``hit`` is 1 where no logit of the row is larger than the label's, and has no gradient. Source:
    Wang et al. 2024, "Epsilon-softmax: approximating one-hot vectors for mitigating label noise",
    NeurIPS.
    """
    hit = rows.at_label(rows.z) == rows.z.amax(1, keepdim=True)
    # Where it is no hit, 1 - p_y is kept away from the logarithm's infinite slope.
    of_hit = -torch.log1p(-torch.where(hit, rows.miss, 0.0) / (m + 1))
    log_m_1 = torch.log1p(torch.as_tensor(m, dtype=rows.z.dtype, device=rows.z.device))
    return torch.where(hit, of_hit, ce(rows) + log_m_1)


rce_loss = loss(rce)
mae_loss = loss(mae)
gce_loss = loss(gce)
truncated_gce_loss = loss(truncated_gce)
taylor_ce_loss = loss(taylor_ce)
focal_loss = loss(focal)
agce_loss = loss(agce)
aul_loss = loss(aul)
ael_loss = loss(ael)
eps_softmax_ce_loss = loss(eps_softmax_ce)
