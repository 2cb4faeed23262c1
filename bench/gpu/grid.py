"""Every regime of the kernels once, on few rows, for a sanitizer to watch.

    compute-sanitizer --tool racecheck python -m bench.gpu.grid

Whether the results are right is asked elsewhere: here memory comes and goes as in a training step.
"""

from __future__ import annotations

import sys

import torch

import noisykernels as nk
from bench.gpu.losses import OURS, Loss
from noisykernels import backends

LOSSES = (
    Loss("ce"),
    Loss("muh", {"quadratic": 0.1}),
    Loss("jal_ce"),
    Loss("nfl"),
    Loss("entropy"),
    nk.scores.Normalized(nk.NFLLoss(), 5.0),
)
"""No power and three, polynomial sums, functions of each probability, an entropy; scores."""

SHAPES = ((64, 14), (300, 10), (33, 1001), (3, 5000), (2, 40000), (2, 7, 19))
"""One block; several; rows that start anywhere, take a block, are split; images."""

DTYPES = (torch.float32, torch.bfloat16)


def main(device: str = "cuda") -> None:
    """Run all of them, forward and backward."""
    for backend in OURS:
        if backends.available()[backend] is not True:
            print(f"{backend}: {backends.available()[backend]}")
            continue
        for loss in LOSSES:
            for shape in SHAPES:
                for dtype in DTYPES:
                    # Made on the host: a sanitizer slows down every kernel, not ours alone.
                    logits = torch.randn(shape).to(device, dtype).requires_grad_()
                    target = torch.randint(shape[1], shape[:1] + shape[2:]).to(device)
                    with backends.use(backend):
                        loss(logits, target).backward()
        if device == "cuda":
            torch.cuda.synchronize()
        print(f"{backend}: done", flush=True)


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("bench.gpu.grid: there is no GPU here")
    main()
