"""Finding wrong labels with `return_stats=True`: the loss's own pass also returns p_y per sample.

The digits of scikit-learn with 40 % wrong labels. Two networks train by co-teaching (Han et al.
2018, arXiv:1804.06872), each on the samples of a batch whose labels the other finds most probable.
Then all labels are ranked by their p_y, the most suspicious first.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from torch import nn

import noisykernels as nk

WRONG = 0.4

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=500, help="%(default)s")
options = parser.parse_args()
if options.steps < 1:
    parser.error(f"--steps takes a number from 1, got {options.steps}")

torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
images, truth = torch.from_numpy((pixels / 16).astype("float32")), torch.from_numpy(digits)
labels = nk.noise.symmetric(truth, WRONG, num_classes=10).labels

networks = [nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)) for _ in range(2)]
parameters = [parameter for network in networks for parameter in network.parameters()]
optimizer = torch.optim.AdamW(parameters, lr=1e-3)
criterion = nk.CELoss(reduction="none")

for step in range(1, options.steps + 1):
    batch = torch.randint(len(images), (128,))
    forget = WRONG * min(1, step / 100)  # at first all samples: p_y says nothing yet
    count = round((1 - forget) * len(batch))

    (loss_a, stats_a), (loss_b, stats_b) = (
        criterion(network(images[batch]), labels[batch], return_stats=True) for network in networks
    )
    chosen_by_a = stats_a.p_y.topk(count).indices
    chosen_by_b = stats_b.p_y.topk(count).indices
    loss = loss_a[chosen_by_b].mean() + loss_b[chosen_by_a].mean()

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        right = (labels == truth)[batch]
        print(
            f"step {step}: {stats_a.hit.float().mean():.0%} of the labels hit, "
            f"{right[chosen_by_a].float().mean():.0%} of the chosen ones right"
        )

with torch.no_grad():
    _, stats = criterion(networks[0](images), labels, return_stats=True)
suspicious = stats.p_y.argsort()
print("indices of the most suspicious labels:", *suspicious[:10].tolist())
print(f"AUROC of p_y for wrong labels: {roc_auc_score(labels != truth, -stats.p_y):.1%}")
