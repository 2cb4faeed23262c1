"""A run: everything that decides what is trained, and the name that follows from it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass

from bench.training.recipes import Recipe
from bench.training.transition import Rows


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training. The same run started twice gives the same weights on a CPU."""

    data: str
    images: int
    """Number of training images."""
    noise: str
    loss: str
    recipe: Recipe
    seed: int
    """Of the weights, the order, the augmentation and the noise."""
    transition: str = ""
    """What the loss calls T: "true", "estimated" or the name of a file; nothing if it has no T."""
    T: Rows = ()
    backend: str = "fused"
    held_out: float = 0.0
    """Share of the training images that accuracy is measured on instead, with their noisy labels;
    0 is the clean test images."""
    amp: bool = False
    """bfloat16 where torch.autocast has it."""
    channels_last: bool = False
    compiled_model: bool = False
    weights: str = ""
    """Name of the file that the first weights are from."""
    processes: int = 1

    @property
    def name(self) -> str:
        """Names the run's files; a hash keeps apart what the words do not."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        words = (self.data, self.noise, self.loss, self.recipe.name, f"seed{self.seed}")
        readable = "_".join(re.sub(r"[^\w.+=]+", "-", word).strip("-") for word in words)
        return f"{readable[:120]}_{digest[:8]}"
