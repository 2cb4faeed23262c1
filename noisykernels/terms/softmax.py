"""Terms that need more of the softmax than the label's probability."""

from __future__ import annotations

import torch

from noisykernels.terms.row import Coefficients, Need, Row, term


@term(Need.SOFTMAX | Need.POWER)
def sgce(row: Row, q: float, _: float) -> Coefficients:
    """(mean_k p_k^q - p_y^q) / q."""
    classes, p_q, others = row.classes, (q * row.log_p).exp(), row.others(q)
    return Coefficients(
        value=(others - (classes - 1) * p_q) / (classes * q),
        label=-p_q * row.miss * (1 - 1 / classes) - others * row.p / classes,
        powers=((1.0, p_q - (p_q + others) / classes), (q, 1 / classes)),
    )


@term(Need.POWER)
def alpha_mae(row: Row, alpha: float, _: float) -> Coefficients:
    """(1 - s_y) / alpha with s = softmax(alpha z)."""
    log_s = torch.log_softmax(alpha * row.logits, -1)
    s = row.at_label(log_s).exp()
    miss = row.elsewhere(log_s.exp())
    # s_k = p_k^alpha / sum_j p_j^alpha, so the power's coefficient is s_y over that sum.
    power_sum = row.others(alpha) + (alpha * row.log_p).exp()
    return Coefficients(value=miss / alpha, label=-s * miss, powers=((alpha, s / power_sum),))


@term(Need.SOFTMAX | Need.WEIGHTED, by_label_weight=False)
def smoothing(row: Row, _: float, __: float) -> Coefficients:
    """-(1/C) sum_k w_k log p_k: what label smoothing adds, not weighted by w_y."""
    weight, classes = row.class_weight, row.classes
    total = weight.sum()
    return Coefficients(
        value=-(weight * row.log_probs).sum(-1) / classes,
        label=(total * row.p - row.label_weight) / classes,
        powers=((1.0, total / classes),),
        class_weight=-1 / classes,
    )


@term(Need.SOFTMAX | Need.LINEAR)
def nce(row: Row, _: float, __: float) -> Coefficients:
    """Log p_y / sum_k log p_k."""
    total = -row.log_probs.sum(-1)
    value = -row.log_p / total
    return Coefficients(
        value=value,
        label=-(row.miss + value * (row.classes * row.p - 1)) / total,
        powers=((1.0, (1 - row.classes * value) / total),),
        constant=value / total,
    )


@term(Need.SOFTMAX | Need.POWER)
def ngce(row: Row, q: float, _: float) -> Coefficients:
    """(1 - p_y^q) / sum_k (1 - p_k^q)."""
    p_q, others = (q * row.log_p).exp(), row.others(q)
    total = row.classes - (p_q + others)
    value = -torch.expm1(q * row.log_p) / total
    return Coefficients(
        value=value,
        label=-q * (p_q * row.miss * (1 - value) + value * others * row.p) / total,
        powers=((1.0, q * (p_q - value * (p_q + others)) / total), (q, q * value / total)),
    )


@term(Need.SOFTMAX | Need.POWER)
def amse(row: Row, square: float, a: float) -> Coefficients:
    """||p - a onehot||^2 / C; the power it sums is the square."""
    scale, others, rest = 1 / row.classes, row.others(square), (a - 1) + row.miss
    return Coefficients(
        value=scale * (others + rest.square()),
        label=-2 * scale * row.p * (row.miss * rest + others),
        powers=(
            (1.0, 2 * scale * ((a - 1) * row.p + row.p * row.miss - others)),
            (square, 2 * scale),
        ),
    )


@term(Need.SOFTMAX | Need.POWER)
def power_sum(row: Row, s: float, _: float) -> Coefficients:
    """sum_k p_k^s."""
    p_s, others = (s * row.log_p).exp(), row.others(s)
    return Coefficients(
        value=p_s + others,
        label=s * (p_s * row.miss - others * row.p),
        powers=((1.0, -s * (p_s + others)), (s, s)),
    )


@term(Need.SOFTMAX | Need.ENTROPY)
def entropy(row: Row, _: float, __: float) -> Coefficients:
    """-sum_k p_k log p_k."""
    p = row.log_probs.exp()
    value = -torch.where(p > 0, p * row.log_probs, 0.0).sum(-1)
    at_label = torch.where(row.p > 0, row.p * row.log_p, 0.0)
    return Coefficients(
        value=value, label=-at_label - row.p * value, powers=((1.0, -value),), entropy=-1.0
    )


@term(Need.SOFTMAX | Need.TOP)
def top_ce(row: Row, _: float, __: float) -> Coefficients:
    """-log max_k p_k: cross entropy with the class that the model prefers."""
    label_is_top = (row.is_top & row.is_label).any(-1)
    return Coefficients(
        value=-torch.where(row.is_top, row.log_probs, 0.0).sum(-1),
        label=torch.where(label_is_top, -row.miss, row.p),
        powers=((1.0, 1.0),),
        top=-1.0,
    )
