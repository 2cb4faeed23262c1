"""Weighted sums of losses that have a name of their own.

"MAE" in the names of normalized losses is ``1 - p_y``, as in all their published code: half of
:func:`mae_loss`.
"""

from __future__ import annotations

from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.reference.cross_entropy import ce, lsr
from noisykernels.reference.label_probability import ael, agce, aul, rce
from noisykernels.reference.normalized import nce, nfl, nnce, nnfl
from noisykernels.reference.whole_row import amse


def sce(rows: Rows, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0) -> Tensor:
    """Symmetric cross entropy, ``alpha CE + beta RCE(A)``.

    Source: Wang et al. 2019, arXiv:1908.06112. Published code clips as :func:`rce_loss` describes.
    """
    return alpha * ce(rows) + beta * rce(rows, A)


def lsr_sce(
    rows: Rows, epsilon: float = 0.1, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> Tensor:
    """Symmetric cross entropy with smoothed labels, ``alpha LSR(epsilon) + beta RCE(A)``.

    RCE compares with the one-hot label. The source, Wang et al. 2019, arXiv:1908.06112, calls it
    LSR + SL and does not say whether RCE compares with that or with the smoothed one.
    """
    return alpha * lsr(rows, epsilon) + beta * rows.label_weight * rce(rows, A)


def nce_mae(rows: Rows, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """``alpha NCE + beta (1 - p_y)``. Source: Ma et al. 2020, arXiv:2006.13554."""
    return alpha * nce(rows) + beta * rows.miss


def nce_rce(rows: Rows, alpha: float = 1.0, beta: float = 1.0, A: float = -4.0) -> Tensor:
    """``alpha NCE + beta RCE(A)``. Source: Ma et al. 2020, arXiv:2006.13554, with A = ln 1e-4."""
    return alpha * nce(rows) + beta * rce(rows, A)


def nfl_mae(rows: Rows, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5) -> Tensor:
    """``alpha NFL(gamma) + beta (1 - p_y)``. Source: Ma et al. 2020, arXiv:2006.13554."""
    return alpha * nfl(rows, gamma) + beta * rows.miss


def nfl_rce(
    rows: Rows, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5, A: float = -4.0
) -> Tensor:
    """``alpha NFL(gamma) + beta RCE(A)``. Source: as :func:`nce_rce`."""
    return alpha * nfl(rows, gamma) + beta * rce(rows, A)


def nce_agce(
    rows: Rows, alpha: float = 1.0, beta: float = 4.0, a: float = 6.0, q: float = 1.5
) -> Tensor:
    """``alpha NCE + beta AGCE(a, q)``. Source: Zhou et al. 2021, arXiv:2106.03110."""
    return alpha * nce(rows) + beta * agce(rows, a, q)


def nce_aul(
    rows: Rows, alpha: float = 1.0, beta: float = 4.0, a: float = 6.3, q: float = 1.5
) -> Tensor:
    """``alpha NCE + beta AUL(a, q)``. Source: Zhou et al. 2021, arXiv:2106.03110."""
    return alpha * nce(rows) + beta * aul(rows, a, q)


def nce_ael(rows: Rows, alpha: float = 1.0, beta: float = 4.0, a: float = 5.0) -> Tensor:
    """``alpha NCE + beta AEL(a)``. Source: Zhou et al. 2021, arXiv:2106.03110."""
    return alpha * nce(rows) + beta * ael(rows, a)


def anl_ce(rows: Rows, alpha: float = 5.0, beta: float = 5.0, p_min: float = 1e-7) -> Tensor:
    """Active negative loss, ``alpha NCE + beta NNCE(p_min)``, without its L1 norm of all weights.

    Source: Ye et al. 2023, "Active negative loss functions for learning with noisy labels".
    """
    return alpha * nce(rows) + beta * nnce(rows, p_min)


def anl_fl(
    rows: Rows, alpha: float = 5.0, beta: float = 5.0, gamma: float = 0.5, p_min: float = 1e-7
) -> Tensor:
    """Active negative loss, ``alpha NFL(gamma) + beta NNFL(gamma, p_min)``, see :func:`anl_ce`."""
    return alpha * nfl(rows, gamma) + beta * nnfl(rows, gamma, p_min)


def jal_ce(rows: Rows, alpha: float = 1.0, beta: float = 1.0, a: float = 30.0) -> Tensor:
    """Joint asymmetric loss, ``alpha NCE + beta AMSE(a)``.

    Source: Wang et al. 2025, arXiv:2507.17692, which adds the L1 norm of all weights on CIFAR.
    """
    return alpha * nce(rows) + beta * amse(rows, a)


def jal_fl(
    rows: Rows, alpha: float = 1.0, beta: float = 1.0, a: float = 30.0, gamma: float = 0.5
) -> Tensor:
    """Joint asymmetric loss, ``alpha NFL(gamma) + beta AMSE(a)``, see :func:`jal_ce`."""
    return alpha * nfl(rows, gamma) + beta * amse(rows, a)


sce_loss = loss(sce)
lsr_sce_loss = loss(lsr_sce, by_label_weight=False)
nce_mae_loss = loss(nce_mae)
nce_rce_loss = loss(nce_rce)
nfl_mae_loss = loss(nfl_mae)
nfl_rce_loss = loss(nfl_rce)
nce_agce_loss = loss(nce_agce)
nce_aul_loss = loss(nce_aul)
nce_ael_loss = loss(nce_ael)
anl_ce_loss = loss(anl_ce)
anl_fl_loss = loss(anl_fl)
jal_ce_loss = loss(jal_ce)
jal_fl_loss = loss(jal_fl)
