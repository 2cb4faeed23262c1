"""The loop: a run from wherever it is to its end, one step after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.models import MODELS
from bench.models.imagenet_resnet import load_weights
from bench.training.evaluation import Accuracy, accuracy
from bench.training.methods import method
from bench.training.parallel import Group
from bench.training.recipes import Recipe
from bench.training.run import Run
from bench.training.sources import Seeds, Source
from bench.training.step import take_step
from bench.training.tally import Tally, Totals


@dataclass(frozen=True)
class Epoch:
    """What an epoch showed, in percent and seconds."""

    epoch: int
    """From 1."""
    lr: float
    """At the epoch's end."""
    train_loss: float
    """Mean over the batches, as the weights were at each; of the leading process."""
    train_accuracy: float
    """On the training labels, which may be wrong."""
    accuracy: float
    """On the test images or what is held out."""
    per_class: list[float]
    seconds: float
    """Of the steps, batches included, without the evaluation."""
    images_per_second: float
    """Over all processes."""
    loss_share: float
    """Share of forward and backward of the loss in a step, in percent; loading is no part of it."""


class Trainer:
    """A run under way: the network, its optimizer, and where in which epoch it is.

    After each step nothing but `state` decides what follows: the learning rate follows from the
    position, and the random numbers of a step from the seed and the position.
    """

    def __init__(self, run: Run, source: Source, group: Group, weights: Path | None = None) -> None:
        self.run, self._source, self._group = run, source, group
        recipe = run.recipe
        _check_fit(run, source)
        torch.manual_seed(run.seed)
        self.model = MODELS[recipe.model](source.num_classes)
        if weights is not None:
            load_weights(self.model, weights)
        self.model.to(group.device)
        self._format = torch.contiguous_format
        if run.channels_last:
            self._format = torch.channels_last
            self.model.to(memory_format=self._format)  # type: ignore[call-overload]
        self._optimizer = torch.optim.SGD(
            _parameter_groups(self.model, recipe),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
        )
        forward = group.parallel(self.model)
        self._forward = torch.compile(forward) if run.compiled_model else forward
        self._method = method(
            run.loss,
            run.backend,
            group,
            epochs=recipe.epochs,
            images=len(source),
            classes=source.num_classes,
            T=torch.tensor(run.T, device=group.device) if run.T else None,
        )
        self.epoch = self.step = 0
        """How many epochs are complete, and how many steps of the next one."""
        self.history: list[Epoch] = []
        self._tally = Tally(group.device)

    @property
    def totals(self) -> Totals:
        """Of the epoch so far. To ask for them costs a wait for the GPU."""
        return self._tally.totals

    @property
    def complete(self) -> bool:
        return self.epoch == self.run.recipe.epochs

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return len(self._parts())

    def images_per_second(self, totals: Totals) -> float:
        """Over all processes, which are as fast as this one."""
        return self._group.size * totals.images / totals.seconds

    def state(self) -> dict[str, Any]:
        """All that decides how the run goes on, as torch.save keeps it and loads it safely."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "method": self._method.state(),
            "epoch": self.epoch,
            "step": self.step,
            "history": [asdict(epoch) for epoch in self.history],
            "totals": asdict(self.totals),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._method.restore(state["method"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self._tally = Tally(self._group.device, Totals(**state["totals"]))

    def run_epoch(self) -> Iterator[None]:
        """Take the steps that the epoch still lacks, pausing after each, then evaluate."""
        seeds, parts = self._seeds(), self._parts()
        self.model.train()
        self._tally.start()
        for images, labels in self._source.batches(parts, seeds, self.step):
            torch.manual_seed(seeds.at(self.step))  # for what the network itself may draw
            self._set_learning_rate(len(parts))
            value, logits = take_step(
                self._forward,
                self._method.of(parts[self.step]),
                self._optimizer,
                images.contiguous(memory_format=self._format),
                labels,
                mark=self._tally.clock.mark,
                precision=self._precision(),
                bound=self._bound_gradients,
            )
            self._tally.add(value, logits, labels)
            self.step += 1
            yield
        self._finish_epoch(self.totals)

    def _seeds(self) -> Seeds:
        return Seeds(self.run.seed, self.epoch, self._group.rank)

    def _parts(self) -> list[Tensor]:
        order = self._seeds().order(len(self._source))
        return self._group.parts(order, self.run.recipe.batch_size)

    def _bound_gradients(self) -> None:
        recipe, parameters = self.run.recipe, list(self.model.parameters())
        if recipe.l1:
            gradients = [parameter.grad for parameter in parameters]
            signs = torch._foreach_sign([parameter.detach() for parameter in parameters])
            torch._foreach_add_(gradients, signs, alpha=recipe.l1)
        if recipe.clip < math.inf:
            nn.utils.clip_grad_norm_(parameters, recipe.clip)

    def _set_learning_rate(self, steps: int) -> None:
        rate = self.run.recipe.learning_rate(self.epoch, self.step, steps)
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = rate

    def _finish_epoch(self, totals: Totals) -> None:
        result = None
        if self._group.leads:
            with self._precision():
                self._method.end_epoch(self.model, self._source)
                result = accuracy(self.model, self._source)
        found: Accuracy
        found, state = self._group.shared((result, self._method.state()))
        self._method.restore(state)
        self.history.append(
            Epoch(
                epoch=self.epoch + 1,
                lr=self._optimizer.param_groups[0]["lr"],
                train_loss=totals.loss / totals.steps,
                train_accuracy=100 * totals.correct / totals.images,
                accuracy=found.overall,
                per_class=found.per_class,
                seconds=totals.seconds,
                images_per_second=self.images_per_second(totals),
                loss_share=100 * totals.loss_seconds / totals.step_seconds,
            )
        )
        self.epoch, self.step, self._tally = self.epoch + 1, 0, Tally(self._group.device)

    def _precision(self) -> torch.autocast:
        kind = self._group.device.type
        return torch.autocast(kind, torch.bfloat16, enabled=self.run.amp)


def _check_fit(run: Run, source: Source) -> None:
    """Refuse a network or a matrix that does not fit the images, before anything is written."""
    recipe, classes = run.recipe, source.num_classes
    if run.T and len(run.T) != classes:
        size = f"{len(run.T)} x {len(run.T)}"
        raise UsageError(f"--transition {run.transition}: {size}, for {classes} classes")
    try:
        with torch.device("meta"):
            MODELS[recipe.model](classes)(torch.empty(2, *source.image_shape))
    except RuntimeError:
        shape = "x".join(map(str, source.image_shape))
        raise UsageError(
            f"recipe {recipe.name}: {recipe.model} does not take images of {shape}"
        ) from None


def _parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The parameters by their weight decay."""
    special = recipe.weight_decay_of
    names = [name for name, _ in model.named_parameters()]
    for start in special:
        if not any(name.startswith(start) for name in names):
            raise UsageError(f"recipe {recipe.name}: {recipe.model} has no parameters of {start}")
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        matching = [decay for start, decay in special.items() if name.startswith(start)]
        decay = matching[0] if matching else recipe.weight_decay
        groups.setdefault(decay, []).append(parameter)
    return [{"params": group, "weight_decay": decay} for decay, group in groups.items()]
