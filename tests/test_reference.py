"""The reference losses: against torch, against their papers' formulas in 150 digits, at limits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import mpmath
import pytest
import torch
import torch.nn.functional as F
from mpmath import mpf

from noisykernels import reference

NAN, INF = float("nan"), float("inf")


def p(z: Sequence[mpf], k: int, temperature: float = 1.0) -> mpf:
    """softmax(temperature * z)_k in the current precision."""
    return 1 / mpmath.fsum(mpmath.exp(mpf(temperature) * (x - z[k])) for x in z)


def clipped_one_hot_log(k: int, y: int, A: float) -> mpf:
    return mpf(0) if k == y else mpf(A)


class Case(NamedTuple):
    """A loss with parameters, and the formula of its paper for a row in mpmath numbers."""

    loss: Callable[..., torch.Tensor]
    exact: Callable[[Sequence[mpf], int], mpf]


def exact_ce(z, y, smoothing=0.0):
    e = mpf(smoothing)
    t = [(1 - e) * (k == y) + e / len(z) for k in range(len(z))]
    return -mpmath.fsum(t[k] * mpmath.log(p(z, k)) for k in range(len(z)))


def exact_rce(z, y, A):
    return -mpmath.fsum(p(z, k) * clipped_one_hot_log(k, y, A) for k in range(len(z)))


def exact_mae(z, y):
    return mpmath.fsum(abs(p(z, k) - (k == y)) for k in range(len(z)))


def exact_gce(z, y, q):
    return (1 - p(z, y) ** mpf(q)) / mpf(q)


def exact_muh(z, y, quadratic=0.0):
    return mpmath.fsum(z) / len(z) - z[y] + mpf(quadratic) * mpmath.fsum(x * x for x in z)


def exact_sgce(z, y, q):
    return exact_gce(z, y, q) - mpmath.fsum(exact_gce(z, k, q) for k in range(len(z))) / len(z)


def exact_temperature(z, y, alpha):
    return (1 - p(z, y, alpha)) / mpf(alpha)


def exact_convex(z, y, alpha):
    return mpf(alpha) * (1 - p(z, y)) + (1 - mpf(alpha)) * exact_muh(z, y)


def exact_sce(z, y, alpha, beta, A):
    return mpf(alpha) * exact_ce(z, y) + mpf(beta) * exact_rce(z, y, A)


CASES = {
    "ce": Case(reference.ce_loss, exact_ce),
    "ce-smoothed": Case(
        partial(reference.ce_loss, label_smoothing=0.1), partial(exact_ce, smoothing=0.1)
    ),
    "rce": Case(reference.rce_loss, partial(exact_rce, A=-4.0)),
    "rce-published": Case(partial(reference.rce_loss, A=-9.21), partial(exact_rce, A=-9.21)),
    "mae": Case(reference.mae_loss, exact_mae),
    "gce": Case(reference.gce_loss, partial(exact_gce, q=0.7)),
    "gce-small-q": Case(partial(reference.gce_loss, q=0.01), partial(exact_gce, q=0.01)),
    "muh": Case(reference.muh_loss, exact_muh),
    "muh-quadratic": Case(
        partial(reference.muh_loss, quadratic=0.5), partial(exact_muh, quadratic=0.5)
    ),
    "sgce": Case(reference.sgce_loss, partial(exact_sgce, q=0.7)),
    "sgce-small-q": Case(partial(reference.sgce_loss, q=0.1), partial(exact_sgce, q=0.1)),
    "alpha-mae": Case(reference.alpha_mae_loss, partial(exact_temperature, alpha=0.5)),
    "alpha-mae-steep": Case(
        partial(reference.alpha_mae_loss, alpha=2.0), partial(exact_temperature, alpha=2.0)
    ),
    "alpha-mae-convex": Case(
        partial(reference.alpha_mae_loss, alpha=0.3, form="convex"),
        partial(exact_convex, alpha=0.3),
    ),
    "sce": Case(reference.sce_loss, partial(exact_sce, alpha=0.1, beta=1.0, A=-4.0)),
    "sce-other": Case(
        partial(reference.sce_loss, alpha=6.0, beta=0.1, A=-6.0),
        partial(exact_sce, alpha=6.0, beta=0.1, A=-6.0),
    ),
}


def cases_except(*names: str):
    kept = [pytest.param(case, id=name) for name, case in CASES.items() if name not in names]
    return pytest.mark.parametrize("case", kept)


all_cases = cases_except()


def batch(*shape: int, dtype: torch.dtype = torch.float64):
    """Random logits of the shape, with labels that cover the classes."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, generator=generator, dtype=dtype)
    class_dim = min(1, len(shape) - 1)
    label_shape = shape[:class_dim] + shape[class_dim + 1 :]
    labels = torch.arange(math.prod(label_shape)) % shape[class_dim]
    return logits, labels.reshape(label_shape)


def value_and_grad(loss, logits, *args, **kwargs):
    """The loss and its gradient at an upstream gradient that is not all ones."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, *args, **kwargs)
    upstream = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    (grad,) = torch.autograd.grad(value, logits, upstream)
    return value.detach(), grad


# Cross entropy is torch's own.

SHAPES = [
    pytest.param((4,), id="one-row"),
    pytest.param((7, 4), id="rows"),
    pytest.param((3, 4, 5), id="sequence"),
    pytest.param((2, 4, 3, 2), id="image"),
    pytest.param((5, 1), id="one-class"),
    pytest.param((0, 4), id="no-row"),
    pytest.param((2, 4, 0), id="empty-sequence"),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ce_is_torch_cross_entropy(shape, dtype):
    logits, target = batch(*shape, dtype=dtype)
    classes = logits.shape[min(1, logits.dim() - 1)]
    weights = torch.linspace(2.0, 0.0, classes, dtype=dtype)  # the last of several weighs 0
    for weight, ignore_index, smoothing, reduction in itertools.product(
        (None, weights), (-100, 0), (0.0, 0.2, 1.0), ("none", "mean", "sum")
    ):
        arguments = {
            "weight": weight,
            "ignore_index": ignore_index,
            "label_smoothing": smoothing,
            "reduction": reduction,
        }
        ours = value_and_grad(reference.ce_loss, logits, target, **arguments)
        torchs = value_and_grad(F.cross_entropy, logits, target, **arguments)
        torch.testing.assert_close(
            ours, torchs, equal_nan=True, msg=lambda m, a=arguments: f"{a}\n{m}"
        )


@pytest.mark.parametrize(
    ("row", "label"),
    [
        pytest.param([0.0, -INF, 1.0], 0, id="masked-class"),
        pytest.param([0.0, -INF, 1.0], 1, id="masked-label"),
        pytest.param([0.0, -INF, -INF], 0, id="only-the-label"),
        pytest.param([-INF, -INF, -INF], 0, id="nothing"),
        pytest.param([0.0, INF, 1.0], 1, id="inf-label"),
        pytest.param([0.0, INF, 1.0], 0, id="inf-class"),
        pytest.param([0.0, NAN, 1.0], 0, id="nan"),
        pytest.param([1e30, -1e30, 0.0], 2, id="huge"),
    ],
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ce_of_non_finite_rows_is_torch_cross_entropy(row, label, smoothing):
    logits = torch.tensor([row, [0.5, -1.0, 2.0]])
    target = torch.tensor([label, 2])
    for reduction in ("none", "mean"):
        arguments = {"label_smoothing": smoothing, "reduction": reduction}
        torch.testing.assert_close(
            value_and_grad(reference.ce_loss, logits, target, **arguments),
            value_and_grad(F.cross_entropy, logits, target, **arguments),
            equal_nan=True,
        )


# Every loss is its paper's formula.


@all_cases
@pytest.mark.parametrize(
    "row",
    [
        pytest.param([0.3, -1.2, 2.5, 0.0], id="ordinary"),
        pytest.param([1.5, 1.5, 1.5], id="ties"),
        pytest.param([1e4 + 1, 1e4 - 2, 1e4], id="offset"),
        pytest.param([-200.0, 1.0, 0.5, -1.0], id="hopeless"),
        pytest.param([-20.0, 1.0, 0.5, -1.0], id="wrong"),
        pytest.param([40.0, 1.0, 0.5, -1.0], id="confident"),
        pytest.param([80.0, 1.0, 0.5, -1.0], id="certain"),
    ],
)
def test_value_and_gradient_to_the_last_digits(case, row):
    """Errors relative to the largest gradient in the row; the label is the first class."""
    value, grad = value_and_grad(case.loss, torch.tensor(row, dtype=torch.float64), torch.tensor(0))
    upstream = 0.5
    # p_y is down to e^-200, so its derivative takes more digits than the value.
    with mpmath.workdps(150):
        z = [mpf(x) for x in row]
        exact_grad = [
            upstream
            * mpmath.diff(lambda x, k=k: case.exact([*z[:k], x, *z[k + 1 :]], 0), z[k], h=1e-50)
            for k in range(len(z))
        ]
        exact_value = case.exact(z, 0)
    scale = max(abs(g) for g in exact_grad)
    assert abs(value.item() - exact_value) <= 1e-13 * max(abs(exact_value), scale)
    for ours, exact in zip(grad.tolist(), exact_grad, strict=True):
        assert abs(ours - exact) <= 2e-13 * scale


def losses_of_all_labels(loss, logits):
    """The losses (C, N) of all rows under each of the labels."""
    labels = torch.arange(logits.shape[1])
    return torch.stack([loss(logits, y.expand(len(logits)), reduction="none") for y in labels])


@pytest.mark.parametrize(
    ("name", "constant"),
    [  # the constant for C = 5
        ("rce", 16.0),
        ("mae", 8.0),
        ("muh", 0.0),
        ("sgce", 0.0),
        ("alpha-mae", 8.0),
        ("alpha-mae-convex", 1.2),
    ],
)
def test_symmetric_losses_sum_to_a_constant_over_labels(name, constant):
    logits, _ = batch(6, 5)
    total = losses_of_all_labels(CASES[name].loss, logits).sum(0)
    torch.testing.assert_close(total, torch.full_like(total, constant), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["ce", "gce", "sce"])
def test_other_losses_are_not_symmetric(name):
    logits, _ = batch(6, 5)
    assert losses_of_all_labels(CASES[name].loss, logits).sum(0).std() > 0.1


@pytest.mark.parametrize(
    ("loss", "limit", "tolerance"),
    [
        pytest.param(
            partial(reference.gce_loss, q=1e-7), reference.ce_loss, 1e-5, id="gce-q-0-is-ce"
        ),
        pytest.param(
            partial(reference.gce_loss, q=1.0),
            lambda *a, **k: reference.mae_loss(*a, **k) / 2,
            1e-14,
            id="gce-q-1-is-half-mae",
        ),
        pytest.param(
            partial(reference.sgce_loss, q=1e-7), reference.muh_loss, 1e-5, id="sgce-q-0-is-muh"
        ),
        pytest.param(
            partial(reference.sgce_loss, q=1.0),
            lambda z, y, reduction: 1 / z.shape[1] - z.softmax(1).gather(1, y[:, None])[:, 0],
            1e-14,
            id="sgce-q-1",
        ),
        pytest.param(
            partial(reference.alpha_mae_loss, alpha=1.0),
            lambda z, y, reduction: 1 - z.softmax(1).gather(1, y[:, None])[:, 0],
            1e-14,
            id="alpha-mae-1",
        ),
        pytest.param(
            partial(reference.alpha_mae_loss, alpha=1.0, form="convex"),
            lambda z, y, reduction: 1 - z.softmax(1).gather(1, y[:, None])[:, 0],
            1e-14,
            id="alpha-mae-convex-1",
        ),
        pytest.param(
            partial(reference.alpha_mae_loss, alpha=0.0, form="convex"),
            reference.muh_loss,
            1e-14,
            id="alpha-mae-convex-0-is-muh",
        ),
        pytest.param(
            partial(reference.rce_loss, A=-2.0), reference.mae_loss, 1e-14, id="rce-a-2-is-mae"
        ),
    ],
)
def test_limits(loss, limit, tolerance):
    logits, target = batch(20, 5)
    torch.testing.assert_close(
        loss(logits, target, reduction="none"),
        limit(logits, target, reduction="none"),
        rtol=tolerance,
        atol=tolerance,
    )


def test_alpha_mae_without_its_constant_tends_to_muh_over_classes():
    logits, target = batch(20, 5)
    alpha = 1e-7
    loss = reference.alpha_mae_loss(logits, target, alpha, reduction="none") - (1 - 1 / 5) / alpha
    muh = reference.muh_loss(logits, target, reduction="none")
    torch.testing.assert_close(loss, muh / 5, rtol=1e-5, atol=1e-5)


# Every loss shares the driver: derivatives, shapes, weights, reductions, ignored rows.


@all_cases
def test_first_and_second_derivatives(case):
    logits, target = batch(4, 3)
    target[1] = -100
    weight = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    loss = partial(case.loss, target=target, weight=weight, reduction="none")
    logits.requires_grad_()
    assert torch.autograd.gradcheck(loss, logits)
    assert torch.autograd.gradgradcheck(loss, logits)


@all_cases
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 4, 3, 2)])
def test_further_dimensions_are_rows(case, shape):
    logits, target = batch(*shape)
    rows, labels = logits.movedim(1, -1).reshape(-1, 4), target.reshape(-1)
    loss = case.loss(logits, target, reduction="none")
    assert loss.shape == target.shape
    expected = torch.stack([case.loss(row, y) for row, y in zip(rows, labels, strict=True)])
    torch.testing.assert_close(loss.reshape(-1), expected)


@cases_except("ce-smoothed")  # smoothing weighs each class, not the row: torch's rule, tested above
def test_class_weights_multiply_rows(case):
    logits, target = batch(9, 4)
    weight = torch.tensor([0.0, 5.0, 1.0, 2.0], dtype=torch.float64)
    rows = case.loss(logits, target, reduction="none")
    weighted = case.loss(logits, target, weight=weight, reduction="none")
    torch.testing.assert_close(weighted, weight[target] * rows)


@all_cases
def test_weighted_mean_divides_by_the_weights_of_kept_rows(case):
    logits, target = batch(9, 4)
    weight = torch.tensor([0.5, 5.0, 1.0, 2.0], dtype=torch.float64)
    loss = partial(case.loss, logits, target, weight=weight, ignore_index=1)
    kept = target != 1
    assert 0 < kept.sum() < 9
    rows = loss(reduction="none")
    assert rows[~kept].eq(0).all()
    torch.testing.assert_close(loss(reduction="sum"), rows.sum())
    torch.testing.assert_close(loss(reduction="mean"), rows.sum() / weight[target[kept]].sum())


@all_cases
@pytest.mark.parametrize("poison", [NAN, INF, -INF])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_ignored_rows_leave_no_trace(case, poison, ignore_index):
    logits, target = batch(6, 3, dtype=torch.float32)
    target[:] = torch.tensor([0, 1, 0, 1, 1, 0])
    target[[1, 4]] = ignore_index
    kept = target != ignore_index
    poisoned = logits.clone()
    poisoned[1] = poison
    poisoned[4, 0] = poison
    for reduction in ("none", "mean"):
        arguments = {"ignore_index": ignore_index, "reduction": reduction}
        value, grad = value_and_grad(case.loss, poisoned, target, **arguments)
        assert grad[~kept].eq(0).all()
        torch.testing.assert_close(
            (value, grad), value_and_grad(case.loss, logits, target, **arguments)
        )
    without = case.loss(logits[kept], target[kept])
    torch.testing.assert_close(case.loss(poisoned, target, ignore_index=ignore_index), without)


@all_cases
def test_nothing_kept(case):
    logits, target = batch(3, 4)
    ignored = torch.full_like(target, -100)
    for z, y in [(logits, ignored), (logits[:0], target[:0])]:
        assert case.loss(z, y).isnan()
        assert case.loss(z, y, reduction="sum") == 0
        torch.testing.assert_close(case.loss(z, y, reduction="none"), torch.zeros(len(y)).double())


@cases_except("muh-quadratic")  # its regularizer sees the one class too
def test_one_class_has_nothing_to_learn(case):
    logits, target = batch(3, 1)
    value, grad = value_and_grad(case.loss, logits, target, reduction="none")
    assert value.eq(0).all()
    assert grad.eq(0).all()


@cases_except("ce-smoothed", "muh", "muh-quadratic", "alpha-mae-convex")  # these are -inf or inf
@pytest.mark.parametrize("label", [0, 1])
def test_classes_masked_with_minus_inf_get_no_gradient(case, label):
    """Also where the label is the only class left, or is masked itself."""
    logits = torch.tensor([[0.5, -INF, 1.0], [0.5, -INF, -INF]])
    target = torch.full((2,), label)
    _, grad = value_and_grad(case.loss, logits, target, reduction="none")
    others = torch.arange(3) != label
    assert grad.isfinite().all()
    assert grad[logits.isinf() & others].eq(0).all()


@all_cases
@pytest.mark.parametrize("margin", [-200.0, -100.0, 100.0, 200.0])
def test_extreme_rows_have_finite_derivatives_in_float32(case, margin):
    """p_y is 0 or 1 to rounding: the powers and logarithms of it have no slope there."""
    logits = torch.tensor([[margin, 0.0, -1.0]])
    loss = partial(case.loss, target=torch.tensor([0]))
    assert torch.autograd.functional.jacobian(loss, logits).isfinite().all()
    assert torch.autograd.functional.hessian(loss, logits).isfinite().all()


@all_cases
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(case, dtype):
    logits, target = batch(8, 5, dtype=dtype)
    weight = torch.linspace(0.5, 2, 5)
    value, grad = value_and_grad(case.loss, logits, target, weight=weight.to(dtype))
    expected, expected_grad = value_and_grad(
        case.loss, logits.float(), target, weight=weight.to(dtype).float()
    )
    assert value.dtype == torch.float32
    assert grad.dtype == dtype
    assert torch.equal(value, expected)
    assert torch.equal(grad, expected_grad.to(dtype))


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_integer_types_of_labels(dtype):
    logits, target = batch(6, 4)
    assert torch.equal(
        reference.gce_loss(logits, target.to(dtype)), reference.gce_loss(logits, target)
    )


def test_non_contiguous_logits_give_the_same():
    logits, target = batch(6, 4)
    strided = torch.stack([logits, logits + 1], dim=-1)[..., 0]
    assert not strided.is_contiguous()
    torch.testing.assert_close(
        value_and_grad(reference.sgce_loss, strided, target),
        value_and_grad(reference.sgce_loss, logits, target),
    )


@all_cases
def test_per_sample_gradients_with_torch_func(case):
    logits, target = batch(5, 4)
    per_sample = torch.func.vmap(torch.func.grad(case.loss))(logits, target)
    _, grad = value_and_grad(lambda z: case.loss(z, target, reduction="none"), logits)
    upstream = torch.linspace(0.5, 2, 5, dtype=torch.float64)[:, None]
    torch.testing.assert_close(upstream * per_sample, grad)


@pytest.mark.parametrize("name", ["ce-smoothed", "sgce"])
def test_compiles_to_one_graph(name):
    """Through AOTAutograd: generating and compiling C++ would test inductor."""
    loss = CASES[name].loss
    logits, target = batch(5, 4, dtype=torch.float32)
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0])
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(
        value_and_grad(compiled, logits, target, weight=weight, ignore_index=1),
        value_and_grad(loss, logits, target, weight=weight, ignore_index=1),
    )


@pytest.mark.parametrize("name", reference.__all__)
def test_a_label_out_of_range_is_refused(name):
    logits, _ = batch(2, 4)
    for label in (4, -1):
        with pytest.raises((IndexError, RuntimeError)):
            getattr(reference, name)(logits, torch.tensor([0, label]))
