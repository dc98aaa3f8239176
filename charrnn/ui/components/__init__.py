"""Components of several views."""
