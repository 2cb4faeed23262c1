"""Data parallel training: what differs between one process and the several that torchrun starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bench.errors import UsageError

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Group:
    """The processes of a run and this one's place among them."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process evaluates, writes and talks."""
        return self.rank == 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the processes."""
        if self.size == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)

    def parts(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """This process's part of each batch; ``batch_size`` is a multiple of ``size``.

        All parts of a batch are of one size, so that the mean of their gradients is that of the
        batch: up to ``size - 1`` images of the last batch are left out, and all of it if there are
        less than two images for each process, of which batch normalization can make nothing.
        """
        size = self.size
        *whole, last = order.split(batch_size)
        last = last[: len(last) // size * size]
        batches = [*whole, last] if len(last) >= 2 * size else whole
        return [batch[self.rank :: size] for batch in batches]

    def shared(self, value: Any) -> Any:
        """What the leading process has, in all of them; they wait for each other here."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]

    def leader_first(self, load: Callable[[], Loaded]) -> Loaded:
        """What ``load`` returns in each process, called in the leading one before the others."""
        if self.leads:
            loaded = load()
        self.shared(None)
        return loaded if self.leads else load()


def chosen_device(name: str) -> torch.device:
    """The device "cpu" or "cuda"; "auto" is a GPU if there is one.

    On a GPU cuDNN tries its algorithms and takes the fastest, as the papers' code lets it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no GPU")
    torch.backends.cudnn.benchmark = name == "cuda"
    return torch.device(name)


def use_threads(count: int | None) -> int:
    """Let torch use so many threads on the CPU, or leave it as it is; how many it uses."""
    if count:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def device_name(device: torch.device) -> str:
    """What kind of GPU it is, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that torchrun describes, or this process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Group(device)
        return
    gpu = device.type == "cuda"
    if gpu:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Group(device, dist.get_rank(), dist.get_world_size())
        dist.barrier()  # one that leaves early takes away what the others still talk through
    finally:
        dist.destroy_process_group()


def leave(status: int) -> NoReturn:
    """End the program; one of several processes at once.

    After data parallel training over gloo torch now and then aborts in its own shutdown, which
    torchrun takes for a failure.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
