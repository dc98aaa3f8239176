"""The Python side of all views: checkpoints, requests, caches, text calls."""
