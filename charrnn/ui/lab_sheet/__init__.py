"""The Lab sheet tab."""
