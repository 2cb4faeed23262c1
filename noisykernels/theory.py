"""What the theory of noise-robust losses says of a loss, as code.

In all formulas z are the logits of a sample, p = softmax(z), y is its label, C the number of
classes and L(z, y) the loss. A `loss` here is any callable that gives one number per sample: a
function called as ``loss(logits, target, reduction="none")``, such as those of
`noisykernels.functional`, `noisykernels.reference` and `torch.nn.functional`, or a module made with
reduction="none". Functions that take a number of classes instead of logits compute in float64, with
the reference backend, and look at one label only: they are about losses that treat all classes
alike, so without class weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import grad, grad_and_value, jacrev, vmap

from noisykernels import backends, validation
from noisykernels.reference._loss import evaluate
from noisykernels.reference._rows import Rows

__all__ = [
    "asymmetry_ratio",
    "bounds",
    "gain",
    "noisy_risk",
    "smoothness",
    "symmetrize",
    "symmetry_gap",
]

PerSampleLoss = Callable[..., Tensor]

_FAR = 1e12
"""Logits at which bounded losses are at their limits, and unbounded ones beyond its root."""


def symmetrize(loss: PerSampleLoss) -> PerSampleLoss:
    """The symmetric part of a loss, ``L(z, y) - mean_k L(z, k)``: its sum over all labels is 0.

    Cross entropy gives `muh_loss`, GCE gives `sgce_loss`; a symmetric loss only loses a constant.
    It evaluates the loss C times, and what is subtracted may be nearly equal: meant for float64 and
    few classes, to be replaced by a formula of its own where it is to be trained with.

    Args:
        loss: A loss as the module describes it.

    Returns:
        A function with the arguments of `muh_loss` but ``quadratic``, and its errors.

    Example:
        >>> import noisykernels.functional as NF
        >>> logits, target = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0])
        >>> symmetrize(NF.ce_loss)(logits, target), NF.muh_loss(logits, target)
        (tensor(-1.3333), tensor(-1.3333))

    Source:
        Lemire Paquin et al. 2026, arXiv:2605.20347.
    """

    def formula(rows: Rows) -> Tensor:
        losses = _every_label(loss, rows.z)
        return rows.label_weight * (rows.at_label(losses) - losses.mean(1, keepdim=True))

    def symmetrized(
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> Tensor:
        validation.check_tensors(input, target, weight)
        validation.reduction_code(reduction)
        ignore_index = validation.integer("ignore_index", ignore_index)
        if input.is_cpu and validation.readable(target):
            validation.check_labels(target, input.shape[input.dim() > 1], ignore_index)
        return evaluate(formula, input, target, weight, ignore_index, reduction)

    return symmetrized


def symmetry_gap(loss: PerSampleLoss, logits: Tensor) -> float:
    """How far a loss is from symmetric: the spread of ``sum_k L(z, k)`` over rows z of logits.

    It is 0, up to rounding, at all logits if and only if the loss is symmetric; then uniform label
    noise does not move the minimum of the risk, see `noisy_risk`.

    Args:
        loss: A loss as the module describes it.
        logits: Rows to look at, shape (N, C).

    Returns:
        The largest sum less the smallest.

    Raises:
        ValueError: If logits are not of shape (N, C), or the loss is reduced.

    Example:
        >>> import noisykernels.functional as NF
        >>> logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
        >>> symmetry_gap(NF.mae_loss, logits) < 1e-12
        True
        >>> round(symmetry_gap(NF.ce_loss, logits), 4)
        0.8676

    Source:
        Ghosh et al. 2017, arXiv:1712.09482.
    """
    sums = _every_label(loss, _rows(logits)).sum(1)
    return float(sums.max() - sums.min())


def noisy_risk(loss: PerSampleLoss, logits: Tensor, target: Tensor, transition: Tensor) -> Tensor:
    """The risk that noisy labels have in expectation, ``mean_i sum_k T[y_i, k] L(z_i, k)``.

    With uniform noise, ``T[y, y] = 1 - eta`` and ``T[y, k] = eta / (C - 1)``, it is

        (1 - eta C / (C - 1)) mean_i L(z_i, y_i) + eta / (C - 1) mean_i sum_k L(z_i, k).

    For a symmetric loss the second mean is a constant, so clean and noisy risk have the same
    minimum as long as eta < 1 - 1/C.

    Args:
        loss: A loss as the module describes it.
        logits: Logits of shape (N, C).
        target: Clean labels of shape (N,).
        transition: T of shape (C, C), its rows sum to 1; `noisykernels.noise` returns one.

    Returns:
        A scalar, differentiable with respect to the logits.

    Raises:
        ValueError: If a shape does not fit, the rows of T do not sum to 1, or the loss is reduced.

    Example:
        >>> import noisykernels.functional as NF
        >>> logits, target = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])
        >>> noisy_risk(NF.mae_loss, logits, target, torch.tensor([[0.6, 0.2, 0.2]] * 3))
        tensor(0.8283)

    Source:
        Ghosh et al. 2017, arXiv:1712.09482, for uniform noise.
    """
    validation.check_tensors(_rows(logits), target, None)
    classes = logits.shape[1]
    if transition.shape != (classes, classes):
        raise ValueError(
            f"transition must have shape ({classes}, {classes}) for logits of shape "
            f"{tuple(logits.shape)}, got shape {tuple(transition.shape)}"
        )
    if not torch.allclose(sums := transition.sum(1), torch.ones_like(sums), atol=1e-5):
        raise ValueError(f"transition must have rows that sum to 1, got sums {sums.tolist()}")
    losses = _every_label(loss, logits)
    return (transition.to(losses)[target.long()] * losses).sum(1).mean()


def bounds(loss: PerSampleLoss, num_classes: int) -> tuple[float, float]:
    """Infimum and supremum of ``L(z, y)`` over all logits, where they are limits included.

    Found numerically: the largest value where the label, one or two of the other classes, and the
    rest have logits of 0 to 1e12 of either sign, then gradient ascent from there. Infinite if a
    value there exceeds 1e6.

    Args:
        loss: A loss as the module describes it.
        num_classes: C, at least 2.

    Returns:
        Infimum and supremum, which may be infinite.

    Raises:
        ValueError: If num_classes is less than 2.

    Example:
        >>> import noisykernels.functional as NF
        >>> bounds(NF.ce_loss, num_classes=10)
        (0.0, inf)
        >>> bounds(NF.mae_loss, num_classes=10)
        (0.0, 2.0)

    Source:
        Ghosh et al. 2017, arXiv:1712.09482, on what boundedness is good for.
    """
    value = _of_label_zero(loss)
    classes = _classes(num_classes)
    least = 0.0 - _supremum(lambda z: -value(z), classes)  # never -0.0
    return least, _supremum(value, classes)


def smoothness(loss: PerSampleLoss, num_classes: int) -> float:
    """The constant beta of a beta-smooth loss: the largest spectral norm of its Hessian in z.

    Gradients at two rows of logits differ by at most beta times their distance. Cross entropy has
    1/2, ``1 - p_y`` has sqrt(3)/9 and `muh_loss` 0, for every C. Found as in `bounds`: a lower
    bound, tight to six digits for the losses here.

    Args:
        loss: A loss as the module describes it, twice differentiable.
        num_classes: C, at least 2.

    Returns:
        beta.

    Raises:
        ValueError: If num_classes is less than 2.

    Example:
        >>> import noisykernels.functional as NF
        >>> round(smoothness(NF.ce_loss, num_classes=3), 6)
        0.5

    Source:
        Lemire Paquin et al. 2026, arXiv:2605.20347, use it; the constants above are derived here.
    """
    curvature = jacrev(grad(_of_label_zero(loss)))

    def spectral_norm(z: Tensor) -> Tensor:
        # In chunks: the Hessians of a hundred classes at all starting points fill gigabytes.
        hessians = vmap(curvature, chunk_size=64)(z)
        norms: Tensor = torch.linalg.eigvalsh(hessians).abs().amax(1)
        return norms

    return _supremum(spectral_norm, _classes(num_classes))


def gain(loss: PerSampleLoss, num_classes: int) -> float:
    """How fast training starts: the norm of the gradient at equal logits over cross entropy's.

    Cross entropy's norm is ``sqrt(1 - 1/C)``. GCE and SGCE have the gain ``C^-q``, alpha-MAE
    ``1/C`` in the form "temperature", MAE ``2/C``, RCE ``-A/C`` and MUH 1: to first order in equal
    logits, a symmetric loss is a constant plus its gain times `muh_loss`.

    Args:
        loss: A loss as the module describes it.
        num_classes: C, at least 2.

    Returns:
        The gain. ``docs/choosing-a-learning-rate.md`` says what to do with it.

    Raises:
        ValueError: If num_classes is less than 2.

    Example:
        >>> import noisykernels.functional as NF
        >>> round(gain(NF.mae_loss, num_classes=10), 12)
        0.2

    Source:
        First-order expansion: Lemire Paquin et al. 2026, arXiv:2605.20347.
    """
    classes = _classes(num_classes)
    gradient = grad(_of_label_zero(loss))(torch.zeros(classes, dtype=torch.float64))
    return float(gradient.norm()) / math.sqrt(1 - 1 / classes)


def asymmetry_ratio(loss: PerSampleLoss) -> float:
    """The asymmetry ratio of a loss ``l(p_y)`` that falls in p_y.

    It is the infimum over ``u, v >= 0, u + v <= 1`` of

        (l(u) - l(u + v)) / (l(0) - l(v)),

    what the likely label gains when it takes the probability v of another one, over what the other
    one loses. So where the clean class is ``w`` times as frequent among noisy labels as any other,
    ``w * ratio >= 1`` makes the noisy risk smallest at the clean label; under uniform noise
    ``w = (1 - eta) (C - 1) / eta``. MAE has 1: any majority is enough. Cross entropy and GCE with
    q < 1 have 0: none is.

    Args:
        loss: A loss as the module describes it.

    Returns:
        The ratio, in [0, 1], to about six digits.

    Raises:
        ValueError: If the loss depends on more of the row than p_y.

    Example:
        >>> import noisykernels.functional as NF
        >>> round(asymmetry_ratio(NF.mae_loss), 6), round(asymmetry_ratio(NF.gce_loss), 6)
        (1.0, 0.0)

    Source:
        Zhou et al. 2021, arXiv:2106.03110, whose sufficient condition this is.
    """
    value = _of_label_zero(loss)
    steps = 256
    p = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    one_other = value(torch.stack([p, 1 - p, 0 * p], 1).log())
    two_others = value(torch.stack([p, (1 - p) / 2, (1 - p) / 2], 1).log())
    if not torch.allclose(one_other, two_others):
        raise ValueError("loss must depend on the probability of the label alone")
    fall = [  # at u = 0 the ratio is 1
        (one_other[1:-v] - one_other[1 + v :]) / (one_other[0] - one_other[v])
        for v in range(1, steps)
    ]

    # v to 0: the slopes dl/dp = dl/dz / (p (1 - p)) over the slope at p = 1e-300. Not nearer to
    # p = 1 than 1e-6, where 1 - p has lost its digits in losses that compute it as a difference.
    z = torch.cat([torch.linspace(-690, -20, steps), torch.linspace(-20, 14, steps)]).double()
    rows = torch.stack([z, torch.zeros_like(z)], 1)
    slope = vmap(grad(value))(rows)[:, 0] / (z.sigmoid() * (-z).sigmoid())
    return min(float(torch.cat(fall).min()), float((slope / slope[0]).min()))


def _every_label(loss: PerSampleLoss, logits: Tensor) -> Tensor:
    """The losses of rows for each label, in the place of the logits: (N, C, ...)."""
    labels = torch.zeros_like(logits[:, 0], dtype=torch.int64)
    return torch.stack([_per_sample(loss, logits, labels + k) for k in range(logits.shape[1])], 1)


def _of_label_zero(loss: PerSampleLoss) -> Callable[[Tensor], Tensor]:
    """The loss of rows (N, C) or (C,) that all have the label 0, by the reference."""

    def value(logits: Tensor) -> Tensor:
        with backends.use("reference"):
            return _per_sample(loss, logits, torch.zeros(logits.shape[:-1], dtype=torch.int64))

    return value


def _per_sample(loss: PerSampleLoss, logits: Tensor, target: Tensor) -> Tensor:
    """One number per sample."""
    options = {} if isinstance(loss, nn.Module) else {"reduction": "none"}
    losses = loss(logits, target, **options)
    if losses.shape != target.shape:
        raise ValueError(
            f"loss must give one number per sample, shape {tuple(target.shape)}, got shape "
            f"{tuple(losses.shape)}; make modules with reduction='none'"
        )
    return losses


def _supremum(objective: Callable[[Tensor], Tensor], num_classes: int) -> float:
    """The largest value of a function of rows (N, C) that tells only class 0 from the others."""
    levels = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 1024.0, _FAR]
    grid = torch.tensor(levels + [-level for level in levels[1:]], dtype=torch.float64)
    # One or two classes stay at 0: losses curve most where two probabilities are alike, and these
    # are the label's and another one's, or two others'.
    starts = torch.zeros(2, len(grid), len(grid), num_classes, dtype=torch.float64)
    starts[..., 0] = grid[:, None]
    starts[0, ..., 2:] = starts[1, ..., 3:] = grid[:, None]
    starts = starts.flatten(1, 2)
    values = objective(starts.flatten(0, 1)).unflatten(0, starts.shape[:2])
    best = float(values.max())
    if best > math.sqrt(_FAR):
        return math.inf

    z = starts[[0, 1], values.argmax(1)]
    ascent = torch.optim.LBFGS(
        [z],
        max_iter=100,
        tolerance_grad=1e-12,  # the losses may be small
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def step() -> float:
        z.grad, value = grad_and_value(lambda z: -objective(z).sum())(z)
        return float(value)

    ascent.step(step)
    return max(best, float(objective(z).max()))


def _rows(logits: Tensor) -> Tensor:
    if logits.dim() != 2:
        raise ValueError(f"logits must have shape (N, C), got shape {tuple(logits.shape)}")
    return logits


def _classes(num_classes: int) -> int:
    classes = validation.integer("num_classes", num_classes)
    if classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    return classes
