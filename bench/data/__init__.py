"""Real data sets, each loaded into tensors once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Dataset:
    """Training and test split: images (N, channels, height, width), class indices (N,) int64."""

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    num_classes: int

    def first(self, count: int) -> Dataset:
        """The same with only the first ``count`` training images."""
        return replace(
            self,
            train_images=self.train_images[:count],
            train_labels=self.train_labels[:count],
        )

    def standardized(self) -> Dataset:
        """Float images whose channels have mean 0 and deviation 1 over the training split."""
        deviation, mean = _channel_statistics(self.train_images)
        return replace(
            self,
            train_images=(self.train_images - mean) / deviation,
            test_images=(self.test_images - mean) / deviation,
        )


class DataError(Exception):
    """The data are missing, damaged or not what they claim to be."""


def _channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    # float64: a float32 sum over the ten million pixels of a channel would depend on its order.
    channels = images.double().transpose(0, 1).flatten(1)
    deviation, mean = channels.std(1), channels.mean(1)
    return deviation.float()[:, None, None], mean.float()[:, None, None]
