"""Loss functions with the interface of `torch.nn.functional.cross_entropy`.

In all formulas z are the logits of a sample, p = softmax(z), y is its label and C the number of
classes. A loss is symmetric if its sum over all labels is the same for all logits: then uniform
label noise does not move its minimum.
"""

from noisykernels.functional.combinations import (
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
from noisykernels.functional.cross_entropy import ce_loss, lsr_loss, uniform_ce_loss
from noisykernels.functional.label_probability import (
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
from noisykernels.functional.normalized import (
    nce_loss,
    nfl_loss,
    ngce_loss,
    nnce_loss,
    nnfl_loss,
)
from noisykernels.functional.transition import backward_loss, forward_loss, forward_rce_loss
from noisykernels.functional.whole_row import (
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
