"""A plain training loop with mixed precision, its forward pass and loss compiled into one graph.

The digits of scikit-learn with 40 % wrong labels. On a GPU autocast takes float16, with a
GradScaler; on a CPU bfloat16, which needs none.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import noisykernels as nk

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=500, help="%(default)s")
options = parser.parse_args()
if options.steps < 1:
    parser.error(f"--steps takes a number from 1, got {options.steps}")

torch.manual_seed(0)
gpu = torch.cuda.is_available()
device = torch.device("cuda" if gpu else "cpu")

pixels, digits = load_digits(return_X_y=True)
split = train_test_split((pixels / 16).astype("float32"), digits, test_size=450, random_state=0)
images, test_images, labels, test_labels = (torch.from_numpy(part).to(device) for part in split)
labels = nk.noise.symmetric(labels, 0.4, num_classes=10).labels

model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
scaler = torch.amp.GradScaler(device.type, enabled=gpu)
criterion = nk.loss("0.01*ce + rce(A=-4)")


@torch.compile(fullgraph=True)
def batch_loss(images, labels):
    with torch.autocast(device.type, torch.float16 if gpu else torch.bfloat16):
        # The loss takes the half-precision logits as they are, computes in float32 and returns it.
        return criterion(model(images), labels)


for step in range(1, options.steps + 1):
    batch = torch.randint(len(images), (128,), device=device)
    loss = batch_loss(images[batch], labels[batch])
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step % 100 == 0:
        print(f"step {step}: loss {loss.item():.3f}")

with torch.no_grad():
    hits = model(test_images).argmax(1) == test_labels
print(f"accuracy on clean test images: {hits.float().mean():.1%}")
