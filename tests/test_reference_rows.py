"""What all reference losses share: derivatives, shapes, weights, reductions, ignored rows."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from reference_cases import (
    CASES,
    DETACHED,
    NORMALIZED,
    SMOOTHED,
    all_cases,
    batch,
    cases_except,
    transition_matrix,
    value_and_grad,
)

from noisykernels import reference

NAN, INF = float("nan"), float("inf")


@cases_except(*DETACHED)
def test_first_and_second_derivatives(case):
    logits, target = batch(4, 3)
    target[1] = -100
    weight = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    loss = partial(case, target=target, weight=weight, reduction="none")
    logits.requires_grad_()
    assert torch.autograd.gradcheck(loss, logits)
    assert torch.autograd.gradgradcheck(loss, logits)


@all_cases
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 4, 3, 2)])
def test_further_dimensions_are_rows(case, shape):
    logits, target = batch(*shape)
    rows, labels = logits.movedim(1, -1).reshape(-1, 4), target.reshape(-1)
    loss = case(logits, target, reduction="none")
    assert loss.shape == target.shape
    expected = torch.stack([case(row, y) for row, y in zip(rows, labels, strict=True)])
    torch.testing.assert_close(loss.reshape(-1), expected)


@cases_except(*SMOOTHED)
def test_class_weights_multiply_rows(case):
    logits, target = batch(9, 4)
    weight = torch.tensor([0.0, 5.0, 1.0, 2.0], dtype=torch.float64)
    rows = case(logits, target, reduction="none")
    weighted = case(logits, target, weight=weight, reduction="none")
    torch.testing.assert_close(weighted, weight[target] * rows)


@all_cases
def test_weighted_mean_divides_by_the_weights_of_kept_rows(case):
    logits, target = batch(9, 4)
    weight = torch.tensor([0.5, 5.0, 1.0, 2.0], dtype=torch.float64)
    loss = partial(case, logits, target, weight=weight, ignore_index=1)
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
        value, grad = value_and_grad(case, poisoned, target, **arguments)
        assert grad[~kept].eq(0).all()
        torch.testing.assert_close((value, grad), value_and_grad(case, logits, target, **arguments))
    without = case(logits[kept], target[kept])
    torch.testing.assert_close(case(poisoned, target, ignore_index=ignore_index), without)


@all_cases
def test_nothing_kept(case):
    logits, target = batch(3, 4)
    ignored = torch.full_like(target, -100)
    for z, y in [(logits, ignored), (logits[:0], target[:0])]:
        assert case(z, y).isnan()
        assert case(z, y, reduction="sum") == 0
        torch.testing.assert_close(case(z, y, reduction="none"), torch.zeros(len(y)).double())


# The squares of logits see the one class too.
@cases_except("muh-quadratic", "centered_square", *NORMALIZED)
def test_one_class_has_nothing_to_learn(case):
    logits, target = batch(3, 1)
    value, grad = value_and_grad(case, logits, target, reduction="none")
    assert value.eq(value[0]).all()
    assert grad.eq(0).all()


# These are -inf or inf.
UNBOUNDED = {*SMOOTHED, "muh", "muh-quadratic", "alpha_mae-convex", "centered_square", "backward"}


def of_masked_rows(case, label):
    """The losses, and the gradients of the masked classes that are not the label."""
    logits = torch.tensor([[0.5, -INF, 1.0], [0.5, -INF, -INF]])
    value, grad = value_and_grad(case, logits, torch.full((2,), label), reduction="none")
    assert grad.isfinite().all()
    others = torch.arange(3) != label
    return value, grad[logits.isinf() & others]


@cases_except(*UNBOUNDED)
def test_classes_masked_with_minus_inf_get_no_gradient(case):
    """Also where the label is the only class left."""
    value, grad = of_masked_rows(case, label=0)
    assert value.isfinite().all()
    assert grad.eq(0).all()


@cases_except(*UNBOUNDED, *NORMALIZED, "forward-one-way")  # whose label then is impossible
def test_a_masked_label_leaves_the_gradient_finite(case):
    _, grad = of_masked_rows(case, label=1)
    assert grad.eq(0).all()


@all_cases
@pytest.mark.parametrize("margin", [-200.0, -100.0, 100.0, 200.0])
def test_extreme_rows_have_finite_derivatives_in_float32(case, margin):
    """p_y is 0 or 1 to rounding: the powers and logarithms of it have no slope there."""
    logits = torch.tensor([[margin, 0.0, -1.0]])
    loss = partial(case, target=torch.tensor([0]))
    assert torch.autograd.functional.jacobian(loss, logits).isfinite().all()
    assert torch.autograd.functional.hessian(loss, logits).isfinite().all()


@all_cases
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(case, dtype):
    logits, target = batch(8, 5, dtype=dtype)
    weight = torch.linspace(0.5, 2, 5)
    value, grad = value_and_grad(case, logits, target, weight=weight.to(dtype))
    expected, expected_grad = value_and_grad(
        case, logits.float(), target, weight=weight.to(dtype).float()
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
    per_sample = torch.func.vmap(torch.func.grad(case))(logits, target)
    _, grad = value_and_grad(lambda z: case(z, target, reduction="none"), logits)
    upstream = torch.linspace(0.5, 2, 5, dtype=torch.float64)[:, None]
    torch.testing.assert_close(upstream * per_sample, grad)


@pytest.mark.parametrize("name", ["ce-smoothed", "sgce", "focal", "anl_fl", "forward"])
def test_compiles_to_one_graph(name):
    """Through AOTAutograd: generating and compiling C++ would test inductor."""
    loss = CASES[name]
    logits, target = batch(5, 4, dtype=torch.float32)
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0])
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(
        value_and_grad(compiled, logits, target, weight=weight, ignore_index=1),
        value_and_grad(loss, logits, target, weight=weight, ignore_index=1),
    )


@all_cases
def test_a_label_out_of_range_is_refused(case):
    logits, _ = batch(2, 4)
    for label in (4, -1):
        with pytest.raises((IndexError, RuntimeError)):
            case(logits, torch.tensor([0, label]))


# Parameters may be tensors, and then learn.


def numbers(case):
    """The names of a case's parameters that are numbers, without those whose part is left out."""
    parameters = case.parameters(classes=4)
    left_out = {"label_smoothing", "quadratic"}
    return [
        name
        for name, value in parameters.items()
        if isinstance(value, float) and not (name in left_out and value == 0)
    ]


@pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case, name, id=f"{label}-{name}")
        for label, case in CASES.items()
        for name in numbers(case)
    ],
)
def test_gradients_of_parameters(case, name):
    logits, target = batch(6, 4)
    start = torch.tensor(case.parameters(4)[name], dtype=torch.float64, requires_grad=True)
    # Some numbers are near the edge of their range or far from 1.
    step = 1e-6 * start.item() if start else 1e-6

    def loss(parameter):
        return case(logits, target, **{name: parameter})

    (slope,) = torch.autograd.grad(loss(start), start)
    difference = (loss(start + step) - loss(start - step)) / (2 * step)
    torch.testing.assert_close(slope, difference.detach(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["forward", "backward", "forward_rce"])
def test_gradients_of_the_transition_matrix(name):
    logits, target = batch(6, 4)
    T = transition_matrix(4).requires_grad_()
    assert torch.autograd.gradcheck(lambda T: CASES[name](logits, target, T=T), T)


@pytest.mark.parametrize("name", ["gce", "sgce", "ngce", "agce", "pnorm", "focal", "alpha_mae"])
def test_gradients_of_exponents_are_finite_where_classes_are_masked(name):
    logits = torch.tensor([[0.5, -INF, 1.0], [0.5, -INF, -INF]])
    (exponent,) = {"q", "s", "gamma", "alpha"} & set(CASES[name].parameters(3))
    power = torch.tensor(0.5, requires_grad=True)
    CASES[name](logits, torch.tensor([2, 0]), **{exponent: power}).backward()
    assert power.grad.isfinite()
