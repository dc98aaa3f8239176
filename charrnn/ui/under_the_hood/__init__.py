"""The Under the hood tab."""
