"""Unit interpretation: score units against concepts and untrained networks."""

from charrnn.neurons.activations import activations, read
from charrnn.neurons.concepts import BANK, LABELS, VALUES, Concept
from charrnn.neurons.leaderboard import CachedBoard, Leaderboard, as_findings, boards, from_findings, sha256_of
from charrnn.neurons.regex_concept import MAX_PATTERN_CHARS, PatternError, covered_by
from charrnn.neurons.saturation import GATES, Saturation
from charrnn.neurons.scoring import Baseline, BestUnit, ConceptTargets, Scores, best_units, names, score
from charrnn.neurons.top_activations import Span, top_spans
