"""Losses in more than one process: distributed training, forks, workers that load data.

Every program runs in an interpreter of its own and has a minute before it counts as hung.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 60

STEP = """
import multiprocessing, os, torch, zlib
import noisykernels as nk

LOSS = 0.1 * nk.CELoss() + nk.SGCELoss()

def batch(rows):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 50, generator=generator)
    return x, torch.randint(50, (rows,), generator=generator)

def step(_=None):
    # rows enough for several threads
    x, y = batch(4096)
    loss, stats = LOSS(x.requires_grad_(), y, return_stats=True)
    loss.backward()
    # Not a sum of torch's: its bits depend on the number of threads.
    return loss.item(), zlib.crc32(x.grad.numpy().tobytes()), int(stats.hit.sum())

torch.set_num_threads(2)
alone = step()
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group, so that children of one that hangs end with it
    )


def finish(processes: list[subprocess.Popen[str]]) -> None:
    """Wait for all of them; what goes wrong in one is shown."""
    try:
        for process in processes:
            _, errors = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.communicate()


# Threads of OpenMP do not survive a fork: neither F.cross_entropy nor these losses may use several
# in a child of a process that has. Workers of DataLoader are set to one by torch.
CHILDREN = {
    "os.fork": """
reader, writer = os.pipe()
if os.fork() == 0:
    torch.set_num_threads(1)
    os.write(writer, repr(step()).encode())
    os._exit(0)
os.close(writer)
with os.fdopen(reader) as pipe:
    assert pipe.read() == repr(alone)
assert os.wait()[1] == 0
""",
    "a pool of forks": """
context = multiprocessing.get_context("fork")
with context.Pool(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
    assert pool.map(step, range(4)) == [alone] * 4
""",
    "workers of a DataLoader": """
class Steps(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return torch.tensor(step(), dtype=torch.float64), batch(100)
options = {"num_workers": 2, "batch_size": None, "multiprocessing_context": "fork"}
for found, (x, y) in torch.utils.data.DataLoader(Steps(), **options):
    assert found.tolist() == list(alone)
    assert torch.equal(LOSS(x, y), LOSS(*batch(100)))
""",
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_children_of_a_process_that_has_used_threads(kind: str) -> None:
    finish([start(STEP + CHILDREN[kind] + "\nassert step() == alone\n")])


DISTRIBUTED = """
import copy, os, sys, torch, torch.distributed as dist
import noisykernels as nk

rank, file = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
torch.manual_seed(0)
half = slice(6 * rank, 6 * rank + 6)

class Model(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.layer, q = torch.nn.Linear(8, 5), torch.nn.Parameter(torch.tensor(0.5))
        self.loss = nk.GCELoss(q, **options) + nk.CELoss(**options)
    def forward(self, x, y, s):
        return self.loss(self.layer(x), y, sample_weight=s)

for reduction in "mean", "sum":
    x, y, s = torch.randn(12, 8), torch.randint(5, (12,)), None
    options = {"reduction": reduction}
    if reduction == "sum":  # a mean is that of both only where both count as many
        y[::4], s, options["weight"] = -100, torch.rand(12), torch.rand(5)
    model = Model(**options)
    alone = copy.deepcopy(model)
    distributed = torch.nn.parallel.DistributedDataParallel(model)
    distributed(x[half], y[half], None if s is None else s[half]).backward()
    alone(x, y, s).backward()
    processes = 2 if reduction == "sum" else 1  # which DDP divides by
    for mine, other in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(processes * mine.grad, other.grad, rtol=1e-5, atol=1e-6)
dist.barrier()
dist.destroy_process_group()
os._exit(0)  # torch now and then aborts in its own shutdown after DDP over gloo
"""


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    """Those of the model and of the loss's own parameter."""
    finish([start(DISTRIBUTED, rank, tmp_path / "meeting") for rank in range(2)])


def test_a_child_that_is_spawned_gets_the_loss() -> None:
    """Its plan is made anew there, see Loss.__getstate__."""
    finish(
        [
            start(
                "import multiprocessing, torch, noisykernels as nk\n"
                "loss = 0.1 * nk.CELoss(weight=torch.ones(3)) + nk.SGCELoss(weight=torch.ones(3))\n"
                "x, y = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])\n"
                "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
                "    assert torch.equal(pool.apply(loss, (x, y)), loss(x, y))\n"
            )
        ]
    )
