"""Wrong arguments: an error that names the argument, what it takes and what it got."""

from __future__ import annotations

from math import inf, nan
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import noisykernels as nk
from noisykernels import backends, validation
from noisykernels import functional as NF
from noisykernels.registry import LOSSES, Range, RangeBy

LOGITS = torch.linspace(-1, 1, 12).reshape(4, 3)
TARGET = torch.tensor([0, 2, 1, 2])
USABLE = [name for name, state in backends.available().items() if state is True]
# GPU kernels, interpreted ones too, make the row NaN: raising would have to wait for the device.
RAISING = [name for name in USABLE if name != "triton"]

WRONG_CALLS = {
    "input list": ("input", LOGITS.tolist(), TypeError, "must be a tensor, got an object"),
    "input None": ("input", None, TypeError, "input must be a tensor, got None"),
    "input array": ("input", LOGITS.numpy(), TypeError, "input must be a tensor, .* ndarray"),
    "input int": ("input", LOGITS.long(), TypeError, "input must be .*, got a int64 tensor"),
    "input bool": ("input", LOGITS > 0, TypeError, "input must be .*, got a bool tensor"),
    "input complex": ("input", LOGITS + 0j, TypeError, "input must be .*, got a complex64"),
    "input sparse": ("input", LOGITS.to_sparse(), TypeError, "input must be a dense tensor"),
    "input 0-d": ("input", LOGITS[0, 0], ValueError, r"input must have shape \(C,\), \(N, C\)"),
    "no classes": ("input", LOGITS[:, :0], ValueError, r"at least one class, got shape \(4, 0\)"),
    "target list": ("target", TARGET.tolist(), TypeError, "target must be a tensor, got an object"),
    "target sparse": ("target", TARGET.to_sparse(), TypeError, "target must be a dense tensor"),
    "target bool": ("target", TARGET > 0, TypeError, r"class indices \(int32, int64, uint8\)"),
    "target complex": ("target", TARGET + 0j, TypeError, "target must be class indices"),
    "target float": ("target", TARGET.float(), TypeError, "target must be .*, got a float32"),
    "probabilities": ("target", LOGITS.softmax(1), TypeError, r"lam \* loss\(input, target_a\)"),
    "target short": ("target", TARGET[:3], ValueError, r"shape \(4,\), .* got \(3,\) .* \(4, 3\)"),
    "target 0-d": ("target", TARGET[0], ValueError, r"target must have shape \(4,\), .* got \(\)"),
    "target 2-d": ("target", TARGET[:, None], ValueError, r"shape \(4,\), .* got \(4, 1\)"),
    "one row": ("input", LOGITS[0], ValueError, r"shape \(\), .* for input of shape \(3,\)"),
    "image": ("input", LOGITS.reshape(2, 3, 2), ValueError, r"shape \(2, 2\), .* got \(4,\)"),
    "target meta": ("target", TARGET.to("meta"), RuntimeError, "device of input, cpu, got meta"),
    "weight list": ("weight", [1.0] * 3, TypeError, "weight must be a tensor, got an object"),
    "weight int": ("weight", torch.ones(3).int(), TypeError, "weight must be .*, got a int32"),
    "weight short": ("weight", torch.ones(2), ValueError, r"shape \(3,\), .* got shape \(2,\)"),
    "weight 2-d": ("weight", torch.ones(1, 3), ValueError, r"shape \(C,\), .* got shape \(1, 3\)"),
    "weight meta": ("weight", torch.ones(3, device="meta"), RuntimeError, "weight must be on"),
    "weight grad": ("weight", torch.ones(3, requires_grad=True), RuntimeError, "not require grad"),
    "ignore_index float": ("ignore_index", 1.0, TypeError, "ignore_index must be an int, got 1.0"),
    "ignore_index bool": ("ignore_index", True, TypeError, "ignore_index must be an int, got True"),
    "ignore_index None": ("ignore_index", None, TypeError, "ignore_index must be an int, got None"),
    "ignore_index huge": ("ignore_index", 2**63, ValueError, "ignore_index must fit in 64 bits"),
    "reduction avg": ("reduction", "avg", ValueError, "'none', 'mean' or 'sum', got 'avg'"),
    "reduction None": ("reduction", None, ValueError, "'none', 'mean' or 'sum', got None"),
    "reduction list": ("reduction", ["sum"], ValueError, r"'none', 'mean' or 'sum', got \['sum'\]"),
}  # fmt: skip

WRONG_NUMBERS = {
    "bool": (True, TypeError, "must be a real number, got True"),
    "str": ("0.5", TypeError, "must be a real number, got '0.5'"),
    "None": (None, TypeError, "must be a real number, got None"),
    "complex": (0.5j, TypeError, "must be a real number, got 0.5j"),
    "list": ([0.5], TypeError, "must be a real number, got an object of type list"),
    "NaN": (nan, ValueError, "must be a finite number, got nan"),
    "inf": (inf, ValueError, "must be a finite number, got inf"),
    "huge int": (10**400, ValueError, "must be a finite number"),
    "tensor": (torch.ones(3), TypeError, r"got a float32 tensor of shape \(3,\); .* weight="),
    "bool tensor": (torch.tensor(True), TypeError, "must be a real number, got a bool tensor"),
}

NUMBERS = [
    (name, parameter)
    for name in nk.losses()
    for parameter, domain in LOSSES[name].parameters.items()
    if isinstance(domain, Range | RangeBy)
]


@pytest.mark.parametrize(
    ("argument", "value", "error", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS
)
def test_wrong_call(argument, value, error, message):
    right = {"input": LOGITS, "target": TARGET}
    with pytest.raises(error, match=message):
        NF.gce_loss(**{**right, argument: value})
    assert NF.gce_loss(**right).isfinite()  # the next call is right


@pytest.mark.parametrize(("value", "error", "message"), WRONG_NUMBERS.values(), ids=WRONG_NUMBERS)
@pytest.mark.parametrize(("name", "parameter"), NUMBERS)
def test_wrong_parameter(name, parameter, value, error, message):
    matrices = LOSSES[name].matrices(torch.eye(3))
    with pytest.raises(error, match=f"{parameter} {message}" if "must" in message else message):
        getattr(NF, f"{name}_loss")(LOGITS, TARGET, **matrices, **{parameter: value})


@pytest.mark.parametrize(
    ("function", "wrong", "message"),
    [
        (
            NF.ce_loss,
            {"label_smoothing": 1.1},
            "label_smoothing must satisfy 0 <= .* <= 1, got 1.1",
        ),
        (NF.rce_loss, {"A": 0.0}, "A must satisfy A < 0, got 0.0"),
        (NF.gce_loss, {"q": 0.0}, "q must satisfy 0 < q <= 1, got 0.0"),
        (NF.gce_loss, {"q": 2}, "q must satisfy 0 < q <= 1, got 2"),
        (NF.muh_loss, {"quadratic": -0.1}, "quadratic must satisfy quadratic >= 0, got -0.1"),
        (NF.sgce_loss, {"q": 1.5}, "q must satisfy 0 < q <= 1, got 1.5"),
        (NF.alpha_mae_loss, {"alpha": 0.0}, "alpha must satisfy alpha > 0, got 0.0"),
        (NF.alpha_mae_loss, {"alpha": 2.0, "form": "convex"}, "0 <= alpha <= 1, got 2.0"),
        (NF.alpha_mae_loss, {"form": "linear"}, "'temperature' or 'convex', got 'linear'"),
        (NF.sce_loss, {"alpha": -1.0}, "alpha must satisfy alpha >= 0, got -1.0"),
        (NF.sce_loss, {"beta": -1.0}, "beta must satisfy beta >= 0, got -1.0"),
        (NF.sce_loss, {"A": 4.0}, "A must satisfy A < 0, got 4.0"),
        (NF.truncated_gce_loss, {"k": 1.0}, "k must satisfy 0 < k < 1, got 1.0"),
        (NF.taylor_ce_loss, {"order": 17}, "order must be a whole number from 1 to 16, got 17"),
        (NF.focal_loss, {"gamma": -1.0}, "gamma must satisfy gamma >= 0, got -1.0"),
        (NF.agce_loss, {"a": 0.0}, "a must satisfy a > 0, got 0.0"),
        (NF.aul_loss, {"a": 1.0}, "a must satisfy a > 1, got 1.0"),
        (NF.nnce_loss, {"p_min": 0.0}, "p_min must satisfy 0 < p_min < 1, got 0.0"),
        (NF.amse_loss, {"a": 0.5}, "a must satisfy a >= 1, got 0.5"),
        (NF.bootstrap_soft_loss, {"beta": 1.5}, "beta must satisfy 0 <= beta <= 1, got 1.5"),
        (NF.pnorm_loss, {"s": 0.0}, "s must satisfy s > 0, got 0.0"),
        (
            NF.forward_loss,
            {"T": torch.eye(4)},
            r"T must have shape \(3, 3\) for input of shape \(4, 3\), got shape \(4, 4\)",
        ),
    ],
)
def test_parameter_out_of_range(function, wrong, message):
    with pytest.raises(ValueError, match=message):
        function(LOGITS, TARGET, **wrong)


@pytest.mark.parametrize("options", [{}, {"return_stats": True}])
def test_a_matrix_elsewhere_is_refused(options):
    T = torch.eye(3, device="meta")
    with pytest.raises(RuntimeError, match="T must be on the device of input, cpu, got meta"):
        NF.forward_loss(LOGITS, TARGET, T, **options)


def test_class_weights_in_place_of_a_parameter_are_pointed_to_weight():
    with pytest.raises(TypeError, match="weight="):
        NF.gce_loss(LOGITS, TARGET, torch.ones(3))


@pytest.mark.parametrize(
    "q", [1, np.float32(0.5), np.float64(0.5), torch.tensor(0.5), torch.tensor([0.5]).half()]
)
def test_numbers_of_other_types_are_taken(q):
    assert torch.equal(NF.gce_loss(LOGITS, TARGET, q), NF.gce_loss(LOGITS, TARGET, float(q)))


def test_a_tensor_parameter_is_read_at_every_call():
    q = torch.tensor(0.5)
    before = NF.gce_loss(LOGITS, TARGET, q)
    q.fill_(1.0)
    assert not torch.equal(NF.gce_loss(LOGITS, TARGET, q), before)


def test_true_is_not_the_cached_one():
    NF.gce_loss(LOGITS, TARGET, 1.0)
    with pytest.raises(TypeError, match="got True"):
        NF.gce_loss(LOGITS, TARGET, True)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
@pytest.mark.parametrize("backend", USABLE)
def test_target_dtypes(backend, dtype):
    # Modulo 256 the label 156 would be the default ignore_index, -100.
    logits, target = torch.linspace(-1, 1, 400).reshape(2, 200), torch.tensor([0, 156])
    with backends.use(backend):
        expected = NF.ce_loss(logits, target, reduction="none")
        assert torch.equal(NF.ce_loss(logits, target.to(dtype), reduction="none"), expected)
    assert (expected != 0).all()


@pytest.mark.parametrize("backend", RAISING)
@pytest.mark.parametrize(
    ("shape", "position", "message"),
    [
        ((3,), (), r"target is 7, expected 0 <= target < 3 or ignore_index=-100"),
        ((5, 3), (3,), r"target\[3\] is 7, expected 0 <= target < 3 or ignore_index=-100"),
        ((2, 3, 4), (1, 2), r"target\[1, 2\] is 7, expected 0 <= target < 3"),
    ],
)
def test_label_out_of_range(backend, shape, position, message):
    target = torch.zeros(shape[: len(shape) > 1] + shape[2:], dtype=torch.int64)
    target[position] = 7
    with backends.use(backend):
        with pytest.raises(IndexError, match=message):
            NF.gce_loss(torch.zeros(shape), target)
        assert NF.gce_loss(torch.zeros(shape), target, ignore_index=7) is not None


@pytest.mark.parametrize("backend", RAISING)
@pytest.mark.parametrize("label", [torch.tensor([-1]), torch.tensor([156], dtype=torch.uint8)])
def test_label_that_is_almost_ignored(backend, label):
    """-1 is not ignore_index, and 156 is -100 only modulo 256."""
    message = rf"target\[0\] is {int(label)}, expected"
    with backends.use(backend), pytest.raises(IndexError, match=message):
        NF.mae_loss(LOGITS[:1], label)


def test_weight_that_requires_grad_is_fine_where_nothing_is_differentiated():
    weight = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        assert NF.mae_loss(LOGITS, TARGET, weight=weight).isfinite()


def test_dtensor_is_refused_by_name():
    class DTensor(torch.Tensor):
        pass

    with pytest.raises(RuntimeError, match=r"input must not be a DTensor.*full_tensor"):
        NF.mae_loss(LOGITS.as_subclass(DTensor), TARGET)


def test_other_tensor_classes_are_taken():
    class Named(torch.Tensor):
        pass

    parameter = torch.nn.Parameter(LOGITS)
    expected = NF.mae_loss(LOGITS, TARGET)
    assert torch.equal(NF.mae_loss(parameter, TARGET), expected)
    assert torch.equal(NF.mae_loss(LOGITS.as_subclass(Named), TARGET), expected)


@pytest.mark.parametrize("value", [SimpleNamespace(), {}, np.ones(2)])
def test_describe_never_prints_the_contents_of_an_object(value):
    assert validation.describe(value) == f"an object of type {type(value).__name__}"
