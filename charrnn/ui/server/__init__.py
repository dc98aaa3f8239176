"""What the page's views share on the server: checkpoints, requests, validation."""
