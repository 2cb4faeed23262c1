"""Clothing1M: a million photos of clothes from shops, labeled by the words around them.

The photos are read from where they lie, one at a time; the lists of keys and labels at once.
``python -m bench.data.clothing1m ROOT --verify`` checks a copy before hours of training do.
"""

from bench.data.clothing1m.images import CENTER, IMAGENET, JAL, RANDOM, Crop, Images
from bench.data.clothing1m.layout import Clothing1M, Samples, open_root

__all__ = [
    "CENTER",
    "IMAGENET",
    "JAL",
    "RANDOM",
    "Clothing1M",
    "Crop",
    "Images",
    "Samples",
    "open_root",
]
