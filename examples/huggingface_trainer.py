"""Hugging Face's Trainer with a loss of ours over the tokens of a causal language model.

The "text" is a walk through a vocabulary in which each token has one right successor and 20 % of
the answers' tokens are wrong. The model is a tiny Llama with random weights: nothing is downloaded.

The loss "dft" is dynamic fine-tuning, arXiv:2508.05629: cross entropy times p_y without a gradient,
-sg(p_y) log p_y. Its gradient is -p_y ∇log p_y = -∇p_y, that of 1 - p_y, which is half of `mae`.
"""

import argparse
import tempfile

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

import noisykernels as nk

LOSSES = {"ce": "ce", "dft": "0.5*mae", "sce": "0.1*ce + rce(A=-4)"}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--loss", choices=LOSSES, default="sce", help="%(default)s")
parser.add_argument("--steps", type=int, default=200, help="%(default)s")
options = parser.parse_args()
if options.steps < 1:
    parser.error(f"--steps takes a number from 1, got {options.steps}")

torch.manual_seed(0)
VOCABULARY, LENGTH = 32, 24
successor = torch.randperm(VOCABULARY)


def walks(count, wrong):
    tokens = [torch.randint(VOCABULARY, (count,))]
    for position in range(1, LENGTH):
        right = successor[tokens[-1]]
        tokens.append(nk.noise.symmetric(right, wrong, VOCABULARY, seed=position).labels)
    return torch.stack(tokens, dim=1)


def example(tokens, prompt):
    labels = tokens.clone()
    labels[:prompt] = -100  # the prompt is read, not learned
    return {"input_ids": tokens, "labels": labels}


criterion = nk.loss(LOSSES[options.loss], ignore_index=-100, reduction="sum")


def compute_loss(outputs, labels, num_items_in_batch):
    """The sum over this batch, divided by the labels of all batches that one step accumulates.

    The mean of each batch would give tokens in batches with few labels more weight than others.
    """
    logits = outputs.logits[:, :-1]  # at token t for token t + 1
    # Classes second, as in F.cross_entropy: a view, which the kernels read in place.
    return criterion(logits.transpose(1, 2), labels[:, 1:]) / num_items_in_batch


model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
    )
)
with tempfile.TemporaryDirectory() as folder:  # Trainer makes one even where nothing is saved
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            folder,
            max_steps=options.steps,
            per_device_train_batch_size=16,
            gradient_accumulation_steps=2,
            learning_rate=5e-3,
            logging_steps=50,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=[example(walk, prompt=2 + n % 12) for n, walk in enumerate(walks(512, 0.2))],
        compute_loss_func=compute_loss,
    )
    trainer.train()

clean = walks(64, 0.0).to(model.device)
with torch.no_grad():
    hits = model(clean[:, :-1]).logits.argmax(-1) == clean[:, 1:]
print(f"accuracy on clean tokens: {hits.float().mean():.1%}")
