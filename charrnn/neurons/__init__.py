"""Unit interpretation: score units against concepts and untrained networks."""

from charrnn.neurons.activations import all_activations, iter_activations
from charrnn.neurons.association import rank_order, resampled_auc, roc_auc
from charrnn.neurons.concepts import BANK, LABELS, VALUES, Concept
from charrnn.neurons.leaderboard import (
    Leaderboard,
    StoredLeaderboards,
    best_of_views,
    leaderboard_record,
    leaderboards,
    leaderboards_from_record,
    sha256_of,
)
from charrnn.neurons.regex_concept import MAX_PATTERN_CHARS, PatternError, covered_by
from charrnn.neurons.saturation import GATES, Saturation
from charrnn.neurons.scoring import Baseline, BestUnit, ConceptTargets, Scores, best_units, score, unit_names
from charrnn.neurons.top_activations import Span, top_spans

from_findings = leaderboards_from_record  # former name, for one release
