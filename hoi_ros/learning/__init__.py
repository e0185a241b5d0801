"""Training: one loop, checkpoints that resume, weights with cards."""
