"""What a unit means: scored against concepts on text it was not chosen on, and against networks that learnt nothing."""

from charrnn.neurons.activations import activations, read
from charrnn.neurons.concepts import BANK, LABELS, VALUES, Concept
from charrnn.neurons.leaderboard import Board, Kept, as_findings, boards, from_findings, sha256_of
from charrnn.neurons.regex_concept import LONGEST_PATTERN, PatternError, covered_by
from charrnn.neurons.saturation import GATES, Saturation
from charrnn.neurons.scoring import Baseline, Best, Scores, Targets, best_units, names, score
from charrnn.neurons.top_activations import Span, top_spans

__all__ = [
    "BANK",
    "GATES",
    "LABELS",
    "LONGEST_PATTERN",
    "VALUES",
    "Baseline",
    "Best",
    "Board",
    "Concept",
    "Kept",
    "PatternError",
    "Saturation",
    "Scores",
    "Span",
    "Targets",
    "activations",
    "as_findings",
    "best_units",
    "boards",
    "covered_by",
    "from_findings",
    "names",
    "read",
    "score",
    "sha256_of",
    "top_spans",
]
