"""Settings without which two timings of the same code differ; import it before torch.

With the allocator's defaults a buffer of some megabytes is at times handed back to the system and
taken anew in the next step, page by page, so that one process takes twice as long as the next.
Eager code has more buffers than a fused loss and suffers more: ratios would flatter us. Here the
memory that a process once had stays with it.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Otherwise a busy neighbor makes every parallel region wait for milliseconds.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def _keep_memory() -> bool:
    """Never give memory back to the system; whether malloc can be told so, as glibc's can."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and all(
        mallopt(option, value) for option, value in ((_M_TRIM_THRESHOLD, -1), (_M_MMAP_MAX, 0))
    )


MEMORY = "kept" if _keep_memory() else "as the allocator likes"
"""What happens to memory that is freed, as a result file stores it."""
