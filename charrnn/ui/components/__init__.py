"""Components that any view can use."""
