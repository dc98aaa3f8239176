"""Training: recipes, truncated BPTT, and both validation losses."""

from charrnn.training.evaluation import evaluate_cold, evaluate_stream, loss_nats
from charrnn.training.recipes import LIMITS, RECIPES, Recipe, default_recipe, initialise, untrained
from charrnn.training.size_limits import largest_bytes, saved_steps
from charrnn.training.trainer import SAVED_STEPS, DivergedError, Training, adamw
from charrnn.training.work_queue import WorkQueue, is_distributed
