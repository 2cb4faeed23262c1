"""Training with noisy labels as the papers do it: recipes, the loop, checkpoints and records."""
