"""The component of every table."""
