"""The compiled extension, built from csrc/."""

from torch import Tensor

cuda: bool

class Terms:
    def __init__(self, ids: list[int], values: list[float]) -> None: ...

def fused_loss(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    vectors: Tensor | None,
    terms: Terms,
    ignore_index: int,
    reduction: int,
    backend: int,
    /,
) -> Tensor: ...
def terms() -> list[str]: ...
def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
def set_simd_level(name: str) -> None: ...
