"""A module for each registered loss: `noisykernels.modules` says what they have in common."""

from __future__ import annotations

from noisykernels import functional
from noisykernels.modules import RegisteredLoss


class CELoss(RegisteredLoss, function=functional.ce_loss):
    """Cross entropy, see `noisykernels.functional.ce_loss`."""


class LSRLoss(RegisteredLoss, function=functional.lsr_loss):
    """Label smoothing regularization, see `noisykernels.functional.lsr_loss`."""


class UniformCELoss(RegisteredLoss, function=functional.uniform_ce_loss):
    """Cross entropy against uniform labels, see `noisykernels.functional.uniform_ce_loss`."""


class RCELoss(RegisteredLoss, function=functional.rce_loss):
    """Reverse cross entropy, see `noisykernels.functional.rce_loss`."""


class MAELoss(RegisteredLoss, function=functional.mae_loss):
    """Mean absolute error, see `noisykernels.functional.mae_loss`."""


class GCELoss(RegisteredLoss, function=functional.gce_loss):
    """Generalized cross entropy, see `noisykernels.functional.gce_loss`."""


class TruncatedGCELoss(RegisteredLoss, function=functional.truncated_gce_loss):
    """Truncated generalized cross entropy, see `noisykernels.functional.truncated_gce_loss`."""


class TaylorCELoss(RegisteredLoss, function=functional.taylor_ce_loss):
    """Taylor cross entropy, see `noisykernels.functional.taylor_ce_loss`."""


class FocalLoss(RegisteredLoss, function=functional.focal_loss):
    """Focal loss, see `noisykernels.functional.focal_loss`."""


class AGCELoss(RegisteredLoss, function=functional.agce_loss):
    """Asymmetric generalized cross entropy, see `noisykernels.functional.agce_loss`."""


class AULLoss(RegisteredLoss, function=functional.aul_loss):
    """Asymmetric unhinged loss, see `noisykernels.functional.aul_loss`."""


class AELLoss(RegisteredLoss, function=functional.ael_loss):
    """Asymmetric exponential loss, see `noisykernels.functional.ael_loss`."""


class EpsSoftmaxCELoss(RegisteredLoss, function=functional.eps_softmax_ce_loss):
    """Cross entropy of the ε-softmax, see `noisykernels.functional.eps_softmax_ce_loss`."""


class NCELoss(RegisteredLoss, function=functional.nce_loss):
    """Normalized cross entropy, see `noisykernels.functional.nce_loss`."""


class NFLLoss(RegisteredLoss, function=functional.nfl_loss):
    """Normalized focal loss, see `noisykernels.functional.nfl_loss`."""


class NGCELoss(RegisteredLoss, function=functional.ngce_loss):
    """Normalized generalized cross entropy, see `noisykernels.functional.ngce_loss`."""


class NNCELoss(RegisteredLoss, function=functional.nnce_loss):
    """Normalized negative cross entropy, see `noisykernels.functional.nnce_loss`."""


class NNFLLoss(RegisteredLoss, function=functional.nnfl_loss):
    """Normalized negative focal loss, see `noisykernels.functional.nnfl_loss`."""


class MUHLoss(RegisteredLoss, function=functional.muh_loss):
    """Multiclass unhinged, see `noisykernels.functional.muh_loss`."""


class CenteredSquareLoss(RegisteredLoss, function=functional.centered_square_loss):
    """Square loss against centered labels, see `noisykernels.functional.centered_square_loss`."""


class SGCELoss(RegisteredLoss, function=functional.sgce_loss):
    """Symmetrized generalized cross entropy, see `noisykernels.functional.sgce_loss`."""


class AlphaMAELoss(RegisteredLoss, function=functional.alpha_mae_loss):
    """alpha-MAE, see `noisykernels.functional.alpha_mae_loss`."""


class AMSELoss(RegisteredLoss, function=functional.amse_loss):
    """Asymmetric mean square error, see `noisykernels.functional.amse_loss`."""


class EntropyLoss(RegisteredLoss, function=functional.entropy_loss):
    """Entropy of the predictions, see `noisykernels.functional.entropy_loss`."""


class ConfidencePenaltyLoss(RegisteredLoss, function=functional.confidence_penalty_loss):
    """Confidence penalty, see `noisykernels.functional.confidence_penalty_loss`."""


class BootstrapSoftLoss(RegisteredLoss, function=functional.bootstrap_soft_loss):
    """Soft bootstrapping, see `noisykernels.functional.bootstrap_soft_loss`."""


class BootstrapHardLoss(RegisteredLoss, function=functional.bootstrap_hard_loss):
    """Hard bootstrapping, see `noisykernels.functional.bootstrap_hard_loss`."""


class PNormLoss(RegisteredLoss, function=functional.pnorm_loss):
    """Sparsity of the predictions, see `noisykernels.functional.pnorm_loss`."""


class SCELoss(RegisteredLoss, function=functional.sce_loss):
    """Symmetric cross entropy, see `noisykernels.functional.sce_loss`."""


class LSRSCELoss(RegisteredLoss, function=functional.lsr_sce_loss):
    """Symmetric cross entropy with smoothed labels, see `noisykernels.functional.lsr_sce_loss`."""


class NCEMAELoss(RegisteredLoss, function=functional.nce_mae_loss):
    """Normalized cross entropy and MAE, see `noisykernels.functional.nce_mae_loss`."""


class NCERCELoss(RegisteredLoss, function=functional.nce_rce_loss):
    """Normalized cross entropy and RCE, see `noisykernels.functional.nce_rce_loss`."""


class NFLMAELoss(RegisteredLoss, function=functional.nfl_mae_loss):
    """Normalized focal loss and MAE, see `noisykernels.functional.nfl_mae_loss`."""


class NFLRCELoss(RegisteredLoss, function=functional.nfl_rce_loss):
    """Normalized focal loss and RCE, see `noisykernels.functional.nfl_rce_loss`."""


class NCEAGCELoss(RegisteredLoss, function=functional.nce_agce_loss):
    """Normalized cross entropy and AGCE, see `noisykernels.functional.nce_agce_loss`."""


class NCEAULLoss(RegisteredLoss, function=functional.nce_aul_loss):
    """Normalized cross entropy and AUL, see `noisykernels.functional.nce_aul_loss`."""


class NCEAELLoss(RegisteredLoss, function=functional.nce_ael_loss):
    """Normalized cross entropy and AEL, see `noisykernels.functional.nce_ael_loss`."""


class ANLCELoss(RegisteredLoss, function=functional.anl_ce_loss):
    """Active negative loss of cross entropy, see `noisykernels.functional.anl_ce_loss`."""


class ANLFLLoss(RegisteredLoss, function=functional.anl_fl_loss):
    """Active negative loss of focal loss, see `noisykernels.functional.anl_fl_loss`."""


class JALCELoss(RegisteredLoss, function=functional.jal_ce_loss):
    """Joint asymmetric loss of cross entropy, see `noisykernels.functional.jal_ce_loss`."""


class JALFLLoss(RegisteredLoss, function=functional.jal_fl_loss):
    """Joint asymmetric loss of focal loss, see `noisykernels.functional.jal_fl_loss`."""


class ForwardLoss(RegisteredLoss, function=functional.forward_loss):
    """Forward correction, see `noisykernels.functional.forward_loss`."""


class BackwardLoss(RegisteredLoss, function=functional.backward_loss):
    """Backward correction, see `noisykernels.functional.backward_loss`."""


class ForwardRCELoss(RegisteredLoss, function=functional.forward_rce_loss):
    """Forward correction and RCE, see `noisykernels.functional.forward_rce_loss`."""


MODULES: dict[str, type[RegisteredLoss]] = {
    cls._name: cls for cls in RegisteredLoss.__subclasses__()
}
"""The module of each loss by its short name."""
