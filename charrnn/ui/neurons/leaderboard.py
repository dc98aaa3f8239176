"""Neurons, leaderboard: the best unit for each concept and a custom regex."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from charrnn.corpus import title_of
from charrnn.neurons import (
    BANK,
    MAX_PATTERN_CHARS,
    Baseline,
    BestUnit,
    Concept,
    ConceptTargets,
    Leaderboard,
    PatternError,
    Scores,
    covered_by,
)
from charrnn.neurons.scoring import MIN_SAMPLES
from charrnn.ui import tabs
from charrnn.ui.components.table.table import Cell, LinkCell, Table, number
from charrnn.ui.neurons.unit_scores import Units, saved_boards, view_title, views_payload
from charrnn.ui.server.activation_views import nearest_view
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_READ_CHARS = 10_000
MEANING = {concept.name: concept.meaning for concept in BANK}
TITLES = ("concept", "what it is", "best unit", "sign", "first half", "held out", "untrained", "to beat", "verdict")
PATTERN = "your pattern"


def requested_view(loaded: LoadedModel, query: ViewQuery) -> str:
    """Return the requested view, or its equivalent in this cell."""
    requested = query.form.get("view")
    return nearest_view(loaded.view_names, requested if isinstance(requested, str) else loaded.view_names[0])


def input_text(store: Store, loaded: LoadedModel, given: SourceText | None) -> tuple[SourceText, str]:
    """Return the text to score, and a notice. Raises ValueError if it is empty."""
    source = text_for(store, loaded, given)
    if not source.text:
        raise ValueError("the model knows no character of this text: give another")
    dropped = len(given.text) - len(source.text) if given else 0
    notice = f"{dropped:,} characters that the model does not know are left out. " if dropped else ""
    if given and len(source.text) > MAX_READ_CHARS:
        notice += f"It has {len(source.text):,} characters: the first {MAX_READ_CHARS:,} are read. "
    return source.first(MAX_READ_CHARS), notice.rstrip()


class MessageEncoder:
    """Encodes the messages of one query; each repeats the fields of the ones before."""

    def __init__(self, query: ViewQuery, **fields: Any):
        self.query, self.fields, self.part = query, fields, 0

    def encode(self, words: str, busy: bool = False, **more: Any) -> str:
        """Encode a message with further fields."""
        self.fields |= more
        self.part += 1
        return message(self.query.number, words, self.part, busy=busy, **self.fields)

    def progress(self, words: str) -> str:
        """Encode a message before the result."""
        return self.encode(words, busy=True)


def leaderboard(units: Units, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the leaderboard, then that with a custom pattern. Raises ValueError."""
    loaded = units.store.load(query.choice.name, query.choice.step)
    view_name = requested_view(loaded, query)
    given, pattern = given_text(query, MAX_ANALYSIS_CHARS), query.text("pattern", MAX_PATTERN_CHARS)
    encoder = MessageEncoder(query, views=views_payload(loaded), view=view_name)
    request = BoardRequest(units, loaded, view_name, given, encoder, is_current)
    board = None if given else saved_boards(loaded).get(view_name)
    if board is not None:
        source = f"the validation part of {title_of(loaded.info.data_sha256)} when the checkpoint was refreshed"
        words = describe_board(board, source)
    else:
        board, words = yield from computed_board(request)
    yield encoder.encode(words, busy=bool(pattern), table=table(board).to_json())
    if pattern and is_current():
        yield from with_pattern(request, board, words, pattern)


@dataclass(frozen=True)
class BoardRequest:
    """A parsed query of the leaderboard."""

    units: Units
    loaded: LoadedModel
    view: str
    given: SourceText | None
    encoder: MessageEncoder
    is_current: IsCurrent

    def score(self, targets: ConceptTargets) -> Generator[str, None, tuple[Scores, Baseline]]:
        """Score the units and an untrained baseline; yields progress. Raises Superseded."""
        scores = self.units.scores(self.loaded, self.view, targets, self.is_current)
        show = self.encoder.progress
        return scores, (yield from self.units.baseline(self.loaded, self.view, targets, self.is_current, show))


def computed_board(request: BoardRequest) -> Generator[str, None, tuple[Leaderboard, str]]:
    """Compute the leaderboard of a text and its description. Raises Superseded."""
    source, notice = input_text(request.units.store, request.loaded, request.given)
    targets = ConceptTargets.of(source.text)
    yield request.encoder.progress(f"Reading {len(source.text):,} characters …")
    scores, baseline = yield from request.score(targets)
    require_current(request.is_current)
    board = Leaderboard.of(request.view, targets, scores, baseline)
    words = describe_board(board, f"{len(source.text):,} characters of {source.origin}")
    return board, f"{words} {notice}".rstrip()


def with_pattern(request: BoardRequest, board: Leaderboard, words: str, pattern: str) -> Iterator[str]:
    """Add a row for the custom pattern, or the reason that it has none."""
    source, _ = input_text(request.units.store, request.loaded, request.given)
    text, encode = source.text, request.encoder.encode
    try:
        covered = covered_by(pattern, text)
    except PatternError as error:
        yield encode(words, pattern_error={"words": f"{error}.", "position": error.position})
        return
    targets = ConceptTargets.of(text, [Concept(PATTERN, pattern, lambda _: covered)])
    if targets.rare:
        half = len(text) // 2
        reason = (
            f"Your pattern covers {covered[:half].sum():,} characters of the first half of {source.origin} and "
            f"{covered[half:].sum():,} of the second: of {half:,} in each it must cover {MIN_SAMPLES} or more, and "
            "spare as many."
        )
        yield encode(words, pattern_error={"words": reason, "position": None})
        return
    scores, baseline = yield from request.score(targets)
    (best,) = Leaderboard.of(board.view, targets, scores, replace(baseline, margin=board.margin)).best
    share = f"{covered.mean():.1%} of {len(text):,} characters of {source.origin}"
    words = f"Your pattern covers {share}: {describe_verdict(best)}. {words}"
    yield encode(words, table=table(replace(board, best=(best, *board.best)), pattern).to_json())


def describe_verdict(best: BestUnit) -> str:
    """Describe a concept's best unit, as a sentence without its period."""
    unit = f"unit {best.unit}" if best.found else "no unit"
    return f"{unit} stands for it (held-out {best.held_out_text} against {best.to_beat:.3f} to beat)"


def describe_board(board: Leaderboard, source: str) -> str:
    """Describe a leaderboard: number of concepts found, and the text."""
    found = sum(best.found for best in board.best)
    rare = f" Too rare in this text: {', '.join(board.rare)}." if board.rare else ""
    chance = "" if board.chance is None else f", by chance {board.chance:.1f} (an untrained network's best units)"
    return (
        f"{found} of {len(board.best)} concepts have a unit of the {view_title(board.view)}{chance}; "
        f"{board.named} of {board.units} units bear a name. "
        f"Measured on {source}, against {board.untrained_units:,} untrained units.{rare}"
    )


def table(board: Leaderboard, pattern: str = "") -> Table:
    """Tabulate the leaderboard: concepts found first, by margin over the baseline."""

    def row(best: BestUnit) -> list[Cell]:
        link = LinkCell(f"unit {best.unit}", tabs.NEURONS, part="#cr-unit", unit=(board.view, best.unit))
        margin = best.held_out - best.to_beat
        return [
            Cell(best.concept),
            Cell(pattern if best.concept == PATTERN else MEANING.get(best.concept, "")),
            Cell("", best.unit, go=(link,)),
            Cell("+" if best.direction > 0 else "−"),
            number(best.train),
            Cell(best.held_out_text, best.held_out),
            number(best.percentile),
            number(best.to_beat) if best.to_beat < 1 else Cell("> 1", best.to_beat),
            Cell(f"found, +{margin:.3f}" if best.found else "none found", margin),
        ]

    rows = sorted(board.best, key=lambda best: (best.concept != PATTERN, not best.found, best.to_beat - best.held_out))
    caption = (
        f"The best unit of the {view_title(board.view)} for each concept: AUC, of positions and of the line R²; in "
        "brackets the 95 % interval. Sign −: the less the unit says, the more of the concept."
    )
    return Table(caption, TITLES, [row(best) for best in rows], [i for i, best in enumerate(rows) if not best.found])
