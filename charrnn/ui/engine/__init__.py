"""The page's engine: runs a network's recorded step in the browser."""
