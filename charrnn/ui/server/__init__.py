"""Server-side code shared by all views: checkpoints, requests, validation."""
