"""A LightningModule that takes its loss as an argument.

The digits of scikit-learn with 40 % wrong labels. A criterion is a module without parameters; class
weights given to it are a buffer, which Lightning moves to the device with the rest.
"""

import argparse

import lightning as L
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import noisykernels as nk

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=500, help="%(default)s")
options = parser.parse_args()
if options.steps < 1:
    parser.error(f"--steps takes a number from 1, got {options.steps}")


class Classifier(L.LightningModule):
    def __init__(self, criterion):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
        self.criterion = criterion

    def training_step(self, batch):
        images, labels = batch
        return self.criterion(self.model(images), labels)

    def test_step(self, batch):
        images, labels = batch
        hits = self.model(images).argmax(1) == labels
        self.log("accuracy", hits.float().mean())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


L.seed_everything(0)
pixels, digits = load_digits(return_X_y=True)
split = train_test_split((pixels / 16).astype("float32"), digits, test_size=450, random_state=0)
images, test_images, labels, test_labels = map(torch.from_numpy, split)
labels = nk.noise.symmetric(labels, 0.4, num_classes=10).labels

classifier = Classifier(nk.SGCELoss(q=0.7))
trainer = L.Trainer(
    max_steps=options.steps,
    precision="bf16-mixed",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(classifier, DataLoader(TensorDataset(images, labels), batch_size=128, shuffle=True))
test = DataLoader(TensorDataset(test_images, test_labels), batch_size=450)
(metrics,) = trainer.test(classifier, test, verbose=False)
print(f"accuracy on clean test images: {metrics['accuracy']:.1%}")
