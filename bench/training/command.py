"""What the training programs have in common: options, the runs they stand for, and their order."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from rich.console import Console
from torch import Tensor

from bench.errors import Parser, UsageError
from bench.facts import facts
from bench.options import positive, seconds
from bench.tabulate import spread
from bench.training import dumps, presets, recipes, sweep, transition
from bench.training.criteria import BACKENDS
from bench.training.methods import method
from bench.training.parallel import Group, chosen_device, device_name, joined, use_threads
from bench.training.recipes import Recipe
from bench.training.run import Run
from bench.training.session import Session
from bench.training.sources import Source
from bench.training.trainer import Epoch

LEAST_IMAGES = 20
"""For each process: batch normalization needs two in a batch, and a sweep holds out a tenth."""


class Task(Protocol):
    """Data that have been loaded, with the noise that was asked for."""

    @property
    def data(self) -> str:
        """Name of the data."""

    @property
    def noise(self) -> str:
        """Name of the noise."""

    @property
    def images(self) -> int:
        """Number of training images."""

    @property
    def weights(self) -> Path | None:
        """File of the first weights."""

    def prepare(self, run: Run, device: torch.device) -> tuple[Source, Tensor | None]:
        """What the run trains on, and the true labels of its training images if known."""

    def transition(self, run: Run, predicted: Callable[[], Tensor]) -> Tensor:
        """The true or estimated matrix, as the run has it.

        Args:
            run: With its noise and seed.
            predicted: Trains a network on the noisy labels and returns its probabilities for the
                training images.
        """


def parser(program: str, description: str | None) -> Parser:
    """The options that all training programs share."""
    options = Parser(prog=f"python -m {program}", description=description)
    add = options.add_argument
    known = ", ".join(recipes.names())
    add("--recipe", default="quick", metavar="NAME", help=f"{known} or a FILE.toml; %(default)s")
    add("--loss", metavar="TEXT", help="as nk.loss reads it, d2l or elr; not the recipe's")
    kinds = ", ".join(transition.KINDS)
    help_ = f"what the loss calls T: {kinds} or a FILE.npy"
    add("--transition", type=transition.choice, metavar="T", help=help_)
    add("--preset", metavar="NAME", help="published loss, lr, decay and clip; or NAME:VARIANT")
    add("--backend", choices=BACKENDS, default="fused", help="what computes the loss; %(default)s")
    add("--epochs", type=positive, help="instead of the recipe's")
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other values for the recipe")
    add("--images", type=positive, metavar="N", help="train on the first N images only")
    add("--seeds", type=positive, default=1, metavar="N", help="runs, from seed 0; %(default)s")
    add("--sweep", nargs="+", metavar="KEY", help="first choose: lr,wd or lr=0.1,0.01 wd=1e-4,0")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="%(default)s")
    add("--threads", type=positive, metavar="N", help="of torch on the CPU")
    add("--amp", action="store_true", help="bfloat16 where torch.autocast has it")
    add("--channels-last", action="store_true", help="the other memory format of images")
    add("--compile", action="store_true", help="torch.compile the network")
    add("--output", type=Path, default=Path("runs"), metavar="DIR", help="%(default)s")
    add("--checkpoint-seconds", type=seconds, default=60.0, metavar="S", help="%(default)s")
    add(
        "--dump",
        type=positive,
        nargs="+",
        default=[],
        metavar="EPOCH",
        help="write all outputs then",
    )
    return options


def train(options: argparse.Namespace, table: str, load: Callable[[], Task]) -> None:
    """Carry out the runs that the options stand for.

    Args:
        options: Those of `parser`.
        table: The recipe's table for the data.
        load: Loads the data; the leading process goes first, for it may have to obtain them.
    """
    recipe, loss = _checked(options, table)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {options.output}: {error.strerror}") from None
    threads = use_threads(options.threads)
    with joined(chosen_device(options.device)) as group:
        task = group.leader_first(load)
        _check_sizes(recipe, task, group)
        work = _Work(options, task, loss, _session(options, task, group, threads))
        if options.sweep:
            recipe = work.swept(recipe)
        work.sum_up(recipe, [work.carry_out(recipe, seed) for seed in range(options.seeds)])


def data_name(name: str, images: int, count: int) -> str:
    """A name that says so where only the first images are trained on."""
    return name if images == count else f"{name}-first-{images}"


def _checked(options: argparse.Namespace, table: str) -> tuple[Recipe, str]:
    """Recipe and loss, once all that can be wrong with the options has been looked for."""
    changes = recipes.parse_changes(options.set)
    if options.epochs:
        changes["epochs"] = options.epochs
    loss = options.loss
    if options.preset:
        if loss:
            raise UsageError(f"--preset {options.preset} brings its loss: leave out --loss {loss}")
        loss, values = presets.find(options.preset, table)
        # A recipe that has the preset's values keeps its name, by which the papers' are found.
        changes = recipes.different(values, recipes.load(options.recipe, table, {})) | changes
    recipe = recipes.load(options.recipe, table, changes)
    loss = loss or recipe.loss
    if not loss:
        raise UsageError(f"recipe {recipe.name} names no loss: give --loss or --preset")
    method(loss, options.backend, Group(torch.device("cpu")), T=_example(options.transition, loss))
    if late := [epoch for epoch in options.dump if epoch > recipe.epochs]:
        raise UsageError(f"--dump {late[0]}: there are {recipe.epochs} epochs")
    if options.sweep:
        sweep.candidates(options.sweep, recipe)
    return recipe, loss


def _example(chosen: str | None, loss: str) -> Tensor | None:
    """The matrix of a file, or any in place of one that is not known yet."""
    if chosen is None:
        if transition.named(loss):
            raise UsageError(f"--loss {loss} needs --transition, which says what T is")
        return None
    if not transition.named(loss):
        raise UsageError(f"--transition {chosen}: there is no T in --loss {loss}")
    return torch.eye(2) if chosen in transition.KINDS else transition.read(Path(chosen))


def _check_sizes(recipe: Recipe, task: Task, group: Group) -> None:
    if task.images < (least := LEAST_IMAGES * group.size):
        raise UsageError(f"{task.images} training images are too few: {least} are needed")
    if recipe.batch_size % group.size:
        raise UsageError(
            f"a batch of {recipe.batch_size} cannot be shared evenly by {group.size} processes"
        )


@dataclass(frozen=True)
class _Work:
    """What all runs of a command have in common."""

    options: argparse.Namespace
    task: Task
    loss: str
    session: Session

    def carry_out(self, recipe: Recipe, seed: int, held_out: float = 0.0) -> list[Epoch]:
        """Train once."""
        options, task, session = self.options, self.task, self.session
        run = Run(
            data=task.data,
            images=task.images,
            noise=task.noise,
            loss=self.loss,
            recipe=recipe,
            seed=seed,
            transition=Path(options.transition or "").name,
            backend=options.backend,
            held_out=held_out,
            amp=options.amp,
            channels_last=options.channels_last,
            compiled_model=options.compile,
            weights=task.weights.name if task.weights else "",
            processes=session.group.size,
        )
        if run.transition:
            run = replace(run, T=transition.rows(self._matrix(run)))
        return self._carry_out(run, session)

    def _carry_out(self, run: Run, session: Session) -> list[Epoch]:
        session.console.print(f"{run.loss} on {run.data}, noise {run.noise}, seed {run.seed}")
        session.console.print(f"{run.recipe.name}; {session.folder / run.name}")
        return session.carry_out(run, *self.task.prepare(run, session.group.device))

    def _matrix(self, run: Run) -> Tensor:
        """What the loss of the run calls T."""
        if run.transition in transition.KINDS:
            return self.task.transition(run, lambda: self._predicted(run))
        return transition.read(Path(self.options.transition))

    def _predicted(self, run: Run) -> Tensor:
        """Probabilities of the training images by the network that CE trained."""
        self.session.console.print(f"{run.loss}: T is estimated with the network that follows")
        first = replace(run, loss="ce", transition="")
        last = first.recipe.epochs
        self._carry_out(first, replace(self.session, dumps=[*self.session.dumps, last]))
        group, path = self.session.group, self.session.dump_path(first, last)
        logits = group.shared(dumps.read(path).train_logits if group.leads else None)
        return torch.softmax(logits.double(), 1)

    def swept(self, recipe: Recipe) -> Recipe:
        """The recipe with the values that were best on the held-out noisy labels."""
        accuracy, best = -1.0, recipe
        for candidate in sweep.candidates(self.options.sweep, recipe):
            found = self.carry_out(candidate, 0, sweep.HELD_OUT)[-1].accuracy
            if found > accuracy:
                accuracy, best = found, candidate
        self.session.console.print(f"best on held-out noisy labels, {accuracy:.2f} %: {best.name}")
        return best

    def sum_up(self, recipe: Recipe, histories: Sequence[Sequence[Epoch]]) -> None:
        """Print mean ± sd over the seeds."""
        last = [history[-1].accuracy for history in histories]
        best = [max(epoch.accuracy for epoch in history) for history in histories]
        self.session.console.print(
            f"{self.loss} on {self.task.data}, noise {self.task.noise}, {recipe.name}: "
            f"last epoch {spread(last)} %, best {spread(best)} % (mean ± sd of {len(last)})"
        )


def _session(options: argparse.Namespace, task: Task, group: Group, threads: int) -> Session:
    return Session(
        folder=options.output,
        group=group,
        console=Console(highlight=False, quiet=not group.leads, soft_wrap=True),
        facts={**facts(), "device": device_name(group.device), "threads": threads},
        checkpoint_seconds=options.checkpoint_seconds,
        dumps=options.dump,
        weights=task.weights,
    )
