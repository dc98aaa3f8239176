"""The Neurons tab."""
