"""The tabs of the page."""

WRITE, GRADIENTS, NEURONS, COMPARE, HOOD = "Write", "Gradients", "Neurons", "Compare", "Under the hood"
LAB_SHEET = "Lab sheet"
