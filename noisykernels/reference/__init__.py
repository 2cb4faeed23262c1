"""Every loss in plain PyTorch, written from the formula of its paper.

The kernels are tested against this package, and it is the backend where no kernel is available. It
shares no code with them: gradients of every order come from autograd.

Notation: ``z`` logits, ``C`` classes, ``y`` label, ``e`` its one-hot vector, ``p = softmax(z)``.
Every function takes ``input`` of shape (C,), (N, C) or (N, C, d1, ...), ``target`` with class
indices of that shape without the class dimension, then the loss's parameters, and ``weight`` (C,),
``ignore_index`` and ``reduction`` as in :func:`torch.nn.functional.cross_entropy`. A row whose
target is ``ignore_index`` has loss 0 and gradient 0 whatever it holds. Class weights multiply a
row's whole loss by ``w_y``, but smoothed labels bring in each class's own. Half precision is
computed in, and the loss returned as, float32. A parameter that is a number may also be a tensor of
no dimension, and then gets a gradient too.

Two things differ from most published code. Nothing is clamped, but where a paper has it in the
formula: a clamp zeroes the gradient of exactly the rows that are most wrong. And ``p_y``,
``1 - p_y`` and their gradients keep their relative accuracy at both ends, so a float64 result can
serve as the truth at any margin.
"""

from noisykernels.reference.combinations import (
    anl_ce_loss,
    anl_fl_loss,
    jal_ce_loss,
    jal_fl_loss,
    lsr_sce_loss,
    nce_ael_loss,
    nce_agce_loss,
    nce_aul_loss,
    nce_mae_loss,
    nce_rce_loss,
    nfl_mae_loss,
    nfl_rce_loss,
    sce_loss,
)
from noisykernels.reference.cross_entropy import ce_loss, lsr_loss, uniform_ce_loss
from noisykernels.reference.label_probability import (
    ael_loss,
    agce_loss,
    aul_loss,
    eps_softmax_ce_loss,
    focal_loss,
    gce_loss,
    mae_loss,
    rce_loss,
    taylor_ce_loss,
    truncated_gce_loss,
)
from noisykernels.reference.normalized import (
    nce_loss,
    nfl_loss,
    ngce_loss,
    nnce_loss,
    nnfl_loss,
)
from noisykernels.reference.transition import backward_loss, forward_loss, forward_rce_loss
from noisykernels.reference.whole_row import (
    alpha_mae_loss,
    amse_loss,
    bootstrap_hard_loss,
    bootstrap_soft_loss,
    centered_square_loss,
    confidence_penalty_loss,
    entropy_loss,
    muh_loss,
    pnorm_loss,
    sgce_loss,
)

__all__ = [
    "ael_loss",
    "agce_loss",
    "alpha_mae_loss",
    "amse_loss",
    "anl_ce_loss",
    "anl_fl_loss",
    "aul_loss",
    "backward_loss",
    "bootstrap_hard_loss",
    "bootstrap_soft_loss",
    "ce_loss",
    "centered_square_loss",
    "confidence_penalty_loss",
    "entropy_loss",
    "eps_softmax_ce_loss",
    "focal_loss",
    "forward_loss",
    "forward_rce_loss",
    "gce_loss",
    "jal_ce_loss",
    "jal_fl_loss",
    "lsr_loss",
    "lsr_sce_loss",
    "mae_loss",
    "muh_loss",
    "nce_ael_loss",
    "nce_agce_loss",
    "nce_aul_loss",
    "nce_loss",
    "nce_mae_loss",
    "nce_rce_loss",
    "nfl_loss",
    "nfl_mae_loss",
    "nfl_rce_loss",
    "ngce_loss",
    "nnce_loss",
    "nnfl_loss",
    "pnorm_loss",
    "rce_loss",
    "sce_loss",
    "sgce_loss",
    "taylor_ce_loss",
    "truncated_gce_loss",
    "uniform_ce_loss",
]
