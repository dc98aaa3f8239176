"""The Gradients tab."""
