"""The presets.

"MAE" in the names of normalized losses is 1 - p_y, as in all of the published code: half of `mae`,
which is why the epsilon-softmax has half of its published weight here. That code clips the one-hot
label of RCE at 1e-4, which makes A = log 1e-4, and lets no gradient through the weights of the
focal loss.
"""

from __future__ import annotations

from typing import NamedTuple

from noisykernels.presets.preset import Preset


class _Training(NamedTuple):
    """What all losses are trained with on a data set, unless they bring their own."""

    lr: float
    weight_decay: float
    clip: float | None
    epochs: int
    decay_kind: str = "l2"


_TRAINING = {
    "mnist": _Training(0.01, 1e-2, 5.0, 50),
    "cifar10": _Training(0.01, 1e-4, 5.0, 120),
    "cifar100": _Training(0.1, 1e-5, 5.0, 200),
    "webvision": _Training(0.4, 3e-5, 5.0, 250),
    "clothing1m": _Training(0.005, 1e-3, None, 10),
}

_MA = "Ma et al. 2020, arXiv:2006.13554"
_ZHOU = "Zhou et al. 2021, arXiv:2106.03110"
_YE = "Ye et al. 2023, Active negative loss functions for learning with noisy labels, NeurIPS"
_WANG_2024 = (
    "Wang et al. 2024, ε-softmax: approximating one-hot vectors for mitigating label noise, NeurIPS"
)
_WANG_2025 = "Wang et al. 2025, arXiv:2507.17692"
_SCE = "Wang et al. 2019, arXiv:1908.06112: learning rate of its code, weight decay of its text"

_A = "A=-9.2103"


def _preset(
    name: str,
    dataset: str,
    loss: str,
    source: str,
    *,
    variant: str = "",
    training: _Training | None = None,
) -> Preset:
    training = training or _TRAINING[dataset]
    return Preset(
        name=name,
        dataset=dataset,
        variant=variant,
        loss=loss,
        lr=training.lr,
        weight_decay=training.weight_decay,
        decay_kind=training.decay_kind,
        clip=training.clip,
        epochs=training.epochs,
        source=source,
    )


def _l1(dataset: str, weight_decay: float) -> _Training:
    return _TRAINING[dataset]._replace(weight_decay=weight_decay, decay_kind="l1")


# Weight decay on MNIST is a tenth in the code of the asymmetric losses.
_MNIST_ASYMMETRIC = _TRAINING["mnist"]._replace(weight_decay=1e-3)

PUBLISHED = (
    *(
        _preset(name, dataset, loss, _WANG_2025 if dataset == "clothing1m" else _MA)
        for name, loss in (("ce", "ce"), ("focal", "focal(gamma=0.5, detach=True)"))
        for dataset in _TRAINING
    ),
    _preset("gce", "mnist", "gce(q=0.7)", _MA),
    _preset("gce", "cifar10", "gce(q=0.7)", _MA),
    _preset("gce", "cifar100", "gce(q=0.7)", _MA),
    _preset("gce", "webvision", "gce(q=0.7)", _MA),
    _preset("gce", "clothing1m", "gce(q=0.6)", _WANG_2025),
    _preset("sce", "mnist", f"sce(alpha=0.01, beta=1, {_A})", _MA),
    _preset("sce", "cifar10", f"sce(alpha=0.1, beta=1, {_A})", _MA),
    _preset("sce", "cifar100", f"sce(alpha=6, beta=0.1, {_A})", _MA),
    _preset("sce", "webvision", f"sce(alpha=10, beta=1, {_A})", _MA),
    _preset("sce", "clothing1m", f"sce(alpha=10, beta=1, {_A})", _WANG_2025),
    _preset(
        *("sce", "cifar10", f"sce(alpha=0.1, beta=5, {_A})", _SCE),
        variant="asymmetric 0.4",
        training=_Training(0.01, 5e-3, None, 120),
    ),
    _preset(
        *("sce", "cifar100", f"sce(alpha=2, beta=0.1, {_A})", _SCE),
        variant="asymmetric 0.4",
        training=_Training(0.1, 5e-3, None, 150),
    ),
    _preset("nce_mae", "mnist", "nce_mae(alpha=1, beta=10)", _MA),
    _preset("nce_mae", "cifar10", "nce_mae(alpha=1, beta=1)", _MA),
    _preset("nce_mae", "cifar100", "nce_mae(alpha=10, beta=1)", _MA),
    _preset("nce_mae", "webvision", "nce_mae(alpha=50, beta=1)", _MA),
    _preset("nce_rce", "mnist", f"nce_rce(alpha=1, beta=10, {_A})", _MA),
    _preset("nce_rce", "cifar10", f"nce_rce(alpha=1, beta=1, {_A})", _MA),
    _preset("nce_rce", "cifar100", f"nce_rce(alpha=10, beta=0.1, {_A})", _MA),
    _preset("nce_rce", "webvision", f"nce_rce(alpha=50, beta=0.1, {_A})", _MA),
    _preset("nce_rce", "clothing1m", f"nce_rce(alpha=10, beta=1, {_A})", _WANG_2025),
    _preset("nfl_mae", "mnist", "nfl_mae(alpha=1, beta=10)", _MA),
    _preset("nfl_mae", "cifar10", "nfl_mae(alpha=1, beta=1)", _MA),
    _preset("nfl_mae", "cifar100", "nfl_mae(alpha=10, beta=1)", _MA),
    _preset("nfl_mae", "webvision", "nfl_mae(alpha=50, beta=1)", _MA),
    _preset("nfl_rce", "mnist", f"nfl_rce(alpha=1, beta=10, {_A})", _MA),
    _preset("nfl_rce", "cifar10", f"nfl_rce(alpha=1, beta=1, {_A})", _MA),
    _preset("nfl_rce", "cifar100", f"nfl_rce(alpha=10, beta=0.1, {_A})", _MA),
    _preset("nfl_rce", "webvision", f"nfl_rce(alpha=50, beta=0.1, {_A})", _MA),
    _preset("ngce", "mnist", "ngce(q=0.1)", _MA),
    _preset("ngce", "cifar10", "ngce(q=0.1)", _MA),
    _preset("ngce", "cifar100", "ngce(q=0.7)", _MA),
    _preset("agce", "mnist", "agce(a=4, q=0.2)", _ZHOU, training=_MNIST_ASYMMETRIC),
    _preset("agce", "cifar10", "agce(a=0.6, q=0.6)", _ZHOU),
    _preset("agce", "cifar100", "agce(a=0.6, q=0.6)", _ZHOU),
    _preset("agce", "webvision", "agce(a=1e-5, q=0.5)", _ZHOU),
    _preset("agce", "clothing1m", "agce(a=1e-5, q=0.5)", _WANG_2025),
    _preset("aul", "mnist", "aul(a=3, q=0.1)", _ZHOU, training=_MNIST_ASYMMETRIC),
    _preset("aul", "cifar10", "aul(a=5.5, q=3)", _ZHOU),
    _preset("aul", "cifar100", "aul(a=5.5, q=3)", _ZHOU),
    _preset("ael", "mnist", "ael(a=3.5)", _ZHOU, training=_MNIST_ASYMMETRIC),
    _preset("ael", "cifar10", "ael(a=2.5)", _ZHOU),
    _preset("ael", "cifar100", "ael(a=2.5)", _ZHOU),
    _preset("nce_agce", "cifar10", "nce_agce(alpha=1, beta=4, a=6, q=1.5)", _ZHOU),
    _preset("nce_agce", "cifar100", "nce_agce(alpha=10, beta=0.1, a=1.8, q=3)", _ZHOU),
    _preset("nce_agce", "webvision", "nce_agce(alpha=50, beta=0.1, a=2.5, q=3)", _ZHOU),
    _preset("nce_agce", "clothing1m", "nce_agce(alpha=50, beta=0.1, a=2.5, q=3)", _WANG_2025),
    _preset("nce_aul", "cifar10", "nce_aul(alpha=1, beta=4, a=6.3, q=1.5)", _ZHOU),
    _preset("nce_aul", "cifar100", "nce_aul(alpha=10, beta=0.015, a=6, q=3)", _ZHOU),
    _preset("nce_ael", "cifar10", "nce_ael(alpha=1, beta=4, a=5)", _ZHOU),
    _preset("nce_ael", "cifar100", "nce_ael(alpha=10, beta=0.1, a=1.5)", _ZHOU),
    *(
        _preset(name, dataset, f"{name}({parameters})", source, training=training)
        for name in ("anl_ce", "anl_fl")
        for dataset, parameters, source, training in (
            ("mnist", "alpha=1, beta=1", _YE, _l1("mnist", 1e-6)),
            ("cifar10", "alpha=5, beta=5", _YE, _l1("cifar10", 5e-5)),
            ("cifar100", "alpha=10, beta=1", _YE, _l1("cifar100", 5e-7)),
            ("webvision", "alpha=20, beta=1", _YE, _l1("webvision", 5e-6)),
            ("clothing1m", "alpha=5, beta=0.1", _WANG_2025, None),
        )
    ),
    *(
        _preset(name, dataset, f"{name}({parameters})", _WANG_2025, training=training)
        for name in ("jal_ce", "jal_fl")
        for dataset, parameters, training in (
            ("cifar10", "alpha=1, beta=1, a=30", _l1("cifar10", 5e-5)),
            ("cifar100", "alpha=5, beta=1, a=20", _l1("cifar100", 5e-6)),
            ("webvision", "alpha=50, beta=1, a=30", None),
            ("clothing1m", "alpha=5, beta=0.1, a=5", None),
        )
    ),
    *(
        _preset("eps_softmax_ce", dataset, f"{loss} + {half_mae}", _WANG_2024, variant=variant)
        for dataset, variant, loss, half_mae in (
            ("cifar10", "symmetric", "0.01*eps_softmax_ce(m=1e5)", "5*mae/2"),
            ("cifar10", "asymmetric", "0.02*eps_softmax_ce(m=1e3)", "5*mae/2"),
            ("cifar10", "instance-dependent", "0.045*eps_softmax_ce(m=1e5)", "10*mae/2"),
            ("webvision", "", "0.015*eps_softmax_ce(m=1e3)", "0.3*mae/2"),
            ("clothing1m", "", "0.012*eps_softmax_ce(m=1e3)", "0.1*mae/2"),
        )
    ),
)
