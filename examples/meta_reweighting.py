"""Learning to reweight examples (Ren et al. 2018, arXiv:1803.09050): weights that require grad.

The digits of scikit-learn with 40 % wrong labels and 50 images known to be clean. In each step the
samples of a batch get the weights that would have made a step lower the loss of the clean images.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.func import functional_call

import noisykernels as nk

LEARNING_RATE = 0.5
CLEAN = 50

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=500, help="%(default)s")
options = parser.parse_args()
if options.steps < 1:
    parser.error(f"--steps takes a number from 1, got {options.steps}")

torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
split = train_test_split((pixels / 16).astype("float32"), digits, test_size=450, random_state=0)
images, test_images, truth, test_labels = map(torch.from_numpy, split)
clean_images, clean_labels = images[:CLEAN], truth[:CLEAN]
images, truth = images[CLEAN:], truth[CLEAN:]
labels = nk.noise.symmetric(truth, 0.4, num_classes=10).labels

model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
parameters = dict(model.named_parameters())
optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
criterion = nk.CELoss(reduction="sum")  # the weights of a batch sum to 1 or are all 0

for step in range(1, options.steps + 1):
    batch = torch.randint(len(images), (128,))

    # A step on trial, as a function of the weights, taken at weights of zero.
    weight = torch.zeros(len(batch), requires_grad=True)
    loss = criterion(model(images[batch]), labels[batch], sample_weight=weight)
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    trial = {
        name: parameter - LEARNING_RATE * gradient
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True)
    }

    # How the clean images' loss after it depends on each weight.
    clean_loss = criterion(functional_call(model, trial, clean_images), clean_labels)
    (slope,) = torch.autograd.grad(clean_loss, weight)
    weight = nn.functional.normalize((-slope).clamp(min=0), p=1, dim=0)

    # The step itself.
    loss = criterion(model(images[batch]), labels[batch], sample_weight=weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        right = labels[batch] == truth[batch]
        print(
            f"step {step}: {right.float().mean():.0%} of the labels are right, "
            f"they have {weight[right].sum():.0%} of the weight"
        )

with torch.no_grad():
    hits = model(test_images).argmax(1) == test_labels
print(f"accuracy on clean test images: {hits.float().mean():.1%}")
