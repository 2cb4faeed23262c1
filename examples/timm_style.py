"""A training script in the form of timm's `train.py`, with a loss of ours as `train_loss_fn`.

In a copy of timm's script the argument `--loss` and the line that makes `train_loss_fn` are all
that changes. Here it trains a small network on the digits of scikit-learn with 40 % wrong labels
and needs no timm.
"""

import argparse
from itertools import islice

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import noisykernels as nk

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--loss", default="gce(q=0.7)", help="text that nk.loss takes: %(default)s")
parser.add_argument("--steps", type=int, default=220, help="%(default)s")
parser.add_argument("--batch-size", type=int, default=128, help="%(default)s")
parser.add_argument("--lr", type=float, default=3e-3, help="%(default)s")
parser.add_argument("--weight-decay", type=float, default=0.05, help="%(default)s")


def main():
    args = parser.parse_args()
    if args.steps < 1:
        parser.error(f"--steps takes a number from 1, got {args.steps}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)

    try:
        train_loss_fn = nk.loss(args.loss).to(device)  # in the place of nn.CrossEntropyLoss
    except ValueError as error:
        parser.error(f"--loss: {error}")
    validate_loss_fn = nn.CrossEntropyLoss().to(device)

    loader_train, loader_eval = create_loaders(args)
    model = create_model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=args.weight_decay)
    lr_scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)

    for update in range(0, args.steps, len(loader_train)):
        batches = islice(loader_train, args.steps - update)  # the last epoch may be cut short
        train_loss = train_one_epoch(model, batches, optimizer, train_loss_fn, lr_scheduler, device)
        metrics = validate(model, loader_eval, validate_loss_fn, device)
        print(f"train loss {train_loss:.3f}, eval loss {metrics['loss']:.3f}")
    print(f"accuracy on clean test images: {metrics['top1']:.1%}")


def train_one_epoch(model, batches, optimizer, loss_fn, lr_scheduler, device):
    model.train()
    losses = []
    for input, target in batches:
        input, target = input.to(device), target.to(device)
        output = model(input)
        loss = loss_fn(output, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        lr_scheduler.step()
        losses.append(loss.detach())
    return torch.stack(losses).mean().item()


@torch.inference_mode()
def validate(model, loader, loss_fn, device):
    model.eval()
    losses, hits = [], []
    for input, target in loader:
        input, target = input.to(device), target.to(device)
        output = model(input)
        losses.append(loss_fn(output, target))
        hits.append(output.argmax(1) == target)
    return {
        "loss": torch.stack(losses).mean().item(),
        "top1": torch.cat(hits).float().mean().item(),
    }


def create_model():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 10),
    )


def create_loaders(args):
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).astype("float32").reshape(-1, 1, 8, 8)
    split = train_test_split(images, digits, test_size=450, random_state=0)
    images, test_images, labels, test_labels = map(torch.from_numpy, split)
    labels = nk.noise.symmetric(labels, 0.4, num_classes=10).labels
    return (
        DataLoader(TensorDataset(images, labels), args.batch_size, shuffle=True),
        DataLoader(TensorDataset(test_images, test_labels), args.batch_size),
    )


if __name__ == "__main__":
    main()
