"""The left column: model, training step, sampler, sharing."""
