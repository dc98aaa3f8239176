"""The commands of the package, also run by `scripts/`."""
