"""The tab Under the hood: source trace, self-checks, times of a training step."""

from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.prefix_cache import PrefixCache
from charrnn.ui.server.streaming import Part
from charrnn.ui.under_the_hood.live_timing import TimingLock, timing
from charrnn.ui.under_the_hood.recorded_profile import RECORD, against_length, find_record, profile
from charrnn.ui.under_the_hood.self_checks import SharedChecks, self_check_results
from charrnn.ui.under_the_hood.source_trace import cell_lines


def parts(store: Store) -> list[Part]:
    """Return the views of the tab."""
    prefixes, measurements, lock = PrefixCache(), SharedChecks(), TimingLock()
    folder, plot = "under_the_hood", "components/plot/plot"
    return [
        Part(
            "cr-cell-source",
            f"{folder}/source_trace",
            lambda query, _: cell_lines(store, prefixes, query),
            label="The real code",
        ),
        Part(
            "cr-profile",
            plot,
            lambda query, _: profile(query, RECORD),
            f"{folder}/recorded_profile",
            label="Where the time goes",
        ),
        Part(
            "cr-time-it",
            f"{folder}/live_timing",
            lambda query, is_current: timing(lock, query, is_current, find_record(RECORD)),
            label="Measure it here",
        ),
        Part(
            "cr-window",
            plot,
            lambda query, _: against_length(query, RECORD),
            f"{folder}/recorded_window_length",
            label="What a longer window costs",
        ),
        Part(
            "cr-trust",
            f"{folder}/self_checks",
            lambda query, _: self_check_results(store, measurements, query),
            label="Can you trust this?",
        ),
    ]
