"""Neurons, leaderboard: the best unit for each concept and for a custom regex."""

from collections.abc import Generator, Iterator, Sequence
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
    best_of_views,
    best_units,
    covered_by,
)
from charrnn.neurons.scoring import MIN_SAMPLES, with_intervals
from charrnn.number_format import percent
from charrnn.ui import tabs
from charrnn.ui.components.table.table import Cell, LinkCell, Table, number
from charrnn.ui.neurons.cards import MAX_CARDS, Example, Row, best_cards, card, top_rows
from charrnn.ui.neurons.unit_scores import Units, saved_boards, saved_characters, view_title, views_payload
from charrnn.ui.server.activation_views import nearest_view
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_READ_CHARS = 10_000
MEANING = {concept.name: concept.meaning for concept in BANK}
TITLES = (
    *("concept", "what it is", "best unit", "direction", "first half", "held out (95 % interval)"),
    *("untrained (99 %)", "untrained + margin", "found"),
)
CAPTION = (
    "The best unit for each concept. Score: AUC; for positions and lines R². Direction −: the unit goes down at these "
    "characters."
)
PATTERN = "your pattern"
WHOLE = "the whole network"


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
    """
    Stream the leaderboard of one view or of all, then that with a custom pattern.

    Raises ValueError, Superseded.
    """
    loaded = units.store.load(query.choice.name, query.choice.step)
    given, pattern = given_text(query, MAX_ANALYSIS_CHARS), query.text("pattern", MAX_PATTERN_CHARS)
    saved = {} if given else saved_boards(loaded)
    is_whole = len(saved) > 1 and not query.form.get("view")
    view_name = requested_view(loaded, query)
    options = [{"name": "", "title": WHOLE}] * (len(saved) > 1) + views_payload(loaded)
    encoder = MessageEncoder(query, views=options, view="" if is_whole else view_name)
    request = BoardRequest(units, loaded, view_name, given, encoder, is_current)
    if is_whole:
        found = yield from saved_result(request, list(saved.values()))
    elif view_name in saved:
        found = yield from saved_result(request, [saved[view_name]])
    else:
        found = yield from computed_result(request)
    yield encoder.encode(found.words, busy=bool(pattern), table=table(found.rows).to_json(), cards=found.cards)
    if pattern and is_current():
        yield from with_pattern(request, found, pattern)


@dataclass(frozen=True)
class BoardRequest:
    """A parsed query. view: of the leaderboard, or of the pattern if it has all views."""

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

    def example(self, text: str) -> Example:
        """Return a text with the activations of its characters."""
        return Example(text, lambda view: self.units.values(self.loaded, view, text, self.is_current))

    def with_intervals(self, targets: ConceptTargets, best: Sequence[BestUnit]) -> tuple[BestUnit, ...]:
        """Add the intervals of these units' scores. Raises Superseded."""
        values = self.units.values(self.loaded, self.view, targets.text, self.is_current)
        return tuple(with_intervals(targets, values, best))


@dataclass(frozen=True)
class Result:
    """A leaderboard: rows, description and cards, and the margins of names by view."""

    rows: list[Row]
    words: str
    cards: list[dict[str, Any]]
    margins: dict[str, float]


def saved_result(request: BoardRequest, boards: list[Leaderboard]) -> Generator[str, None, Result]:
    """Return the saved leaderboards; yields them before the cards have their lines."""
    info, rows = request.loaded.info, best_of_views(boards)
    part = f"the validation part of {title_of(info.data_sha256)}"
    words = describe_boards(boards, saved_characters(request.loaded), part)
    yield request.encoder.encode(words, busy=True, table=table(rows).to_json(), cards=best_cards(rows))
    stats = ActivationStats.of(request.units.store, request.loaded)
    cards = best_cards(rows, Example(stats.text, stats.values.__getitem__))
    if stats.source.origin != part:
        words += f" The lines are from {stats.source.origin}."
    return Result(rows, words, cards, {board.view: board.margin for board in boards})


def computed_result(request: BoardRequest) -> Generator[str, None, Result]:
    """Compute the leaderboard of a text. Raises Superseded."""
    source, notice = input_text(request.units.store, request.loaded, request.given)
    targets = ConceptTargets.of(source.text)
    yield request.encoder.progress(f"Reading {len(source.text):,} characters …")
    scores, baseline = yield from request.score(targets)
    require_current(request.is_current)
    board = Leaderboard.of(request.view, targets, scores, baseline)
    rows = best_of_views([board])
    words = f"{describe_boards([board], len(source.text), source.origin)} {notice}".rstrip()
    example = request.example(source.text)
    cards = best_cards(rows, example)
    yield request.encoder.encode(words, busy=True, table=table(rows).to_json(), cards=cards)
    shown = request.with_intervals(targets, [best for _, best in top_rows(rows)])
    rows = [(view, next((each for each in shown if each.concept == best.concept), best)) for view, best in rows]
    return Result(rows, words, best_cards(rows, example), {board.view: board.margin})


def with_pattern(request: BoardRequest, found: Result, pattern: str) -> Iterator[str]:
    """Add a card and a row for the custom pattern, or its error."""
    source, _ = input_text(request.units.store, request.loaded, request.given)
    text, encode = source.text, request.encoder.encode
    try:
        covered = covered_by(pattern, text)
    except PatternError as error:
        reason = str(error)
        error_words = f"{reason[0].upper()}{reason[1:]}."
        yield encode(found.words, pattern_error={"words": error_words, "position": error.position})
        return
    concept = Concept(PATTERN, pattern, lambda _: covered)
    targets = ConceptTargets.of(text, [concept])
    if targets.rare:
        half = len(text) // 2
        reason = (
            f"Your pattern matches too few (or nearly all) characters: {covered[:half].sum():,} in the first half of "
            f"{source.origin}, {covered[half:].sum():,} in the second. At least {MIN_SAMPLES} of the {half:,} in each "
            f"half must match, and {MIN_SAMPLES} not. Try th, ing or [?!]."
        )
        yield encode(found.words, pattern_error={"words": reason, "position": None})
        return
    scores, baseline = yield from request.score(targets)
    baseline = replace(baseline, margin=found.margins.get(request.view, baseline.margin))
    (best,) = request.with_intervals(targets, best_units(targets, scores, baseline))
    row = (request.view, best)
    share = f"{percent(float(covered.mean()), 1)} of {len(text):,} characters of {source.origin}"
    words = f"Your pattern matches {share}: {describe_verdict(row)}. {found.words}"
    first = card(row, concept, request.example(text), f"your pattern: {pattern}")
    cards = [first, *found.cards[: MAX_CARDS - 1]]
    yield encode(words, table=table([row, *found.rows], pattern).to_json(), cards=cards)


def describe_verdict(row: Row) -> str:
    """Describe a concept's best unit, as a sentence without its period."""
    view, best = row
    of = f"of the {view_title(view)}"
    if best.found:
        return f"unit {best.unit} {of} tracks it ({best.held_out_text}, {best.to_beat:.2f} needed)"
    return f"no unit {of} tracks it; the best one, {best.unit}, has {best.held_out_text} of {best.to_beat:.2f} needed"


def describe_boards(boards: Sequence[Leaderboard], characters: int, origin: str) -> str:
    """Describe the number of concepts found and expected by chance, and the text."""
    first = boards[0]
    concepts = len(first.best)
    if len(boards) == 1:
        chance = "" if first.chance is None else f" ({first.chance:.1f} expected by chance)"
        words = (
            f"{first.found} of {concepts} concepts have a unit in the {view_title(first.view)}{chance}; {first.named} "
            f"of {first.units} units have a name ({first.named_by_chance:.0f} expected by chance)."
        )
    else:
        counts = ", ".join(f"{view_title(board.view)} {board.found}{_chance(board)}" for board in boards)
        words = f"Concepts with a unit, of {concepts} (expected by chance): {counts}."
    rare = f" Too rare in this text: {', '.join(first.rare)}." if first.rare else ""
    return (
        f"{words} Tested on the second half of {characters:,} characters of {origin}, against "
        f"{first.untrained_units:,} untrained units.{rare}"
    )


def _chance(board: Leaderboard) -> str:
    return "" if board.chance is None else f" ({board.chance:.1f})"


def table(rows: Sequence[Row], pattern: str = "") -> Table:
    """Tabulate the best units: concepts found first, by margin over the baseline."""

    def cells(row: Row) -> list[Cell]:
        view, best = row
        link = LinkCell(f"{view} {best.unit}", tabs.NEURONS, part="#cr-unit", unit=(view, best.unit))
        return [
            Cell(best.concept),
            Cell(pattern if best.concept == PATTERN else MEANING.get(best.concept, "")),
            Cell("", best.unit, go=(link,)),
            Cell("+" if best.direction > 0 else "−"),
            number(best.train, "{:.2f}"),
            Cell(best.held_out_text, best.held_out),
            number(best.percentile, "{:.2f}"),
            number(best.to_beat, "{:.2f}") if best.to_beat < 1 else Cell("cannot be beaten", best.to_beat),
            Cell(verdict(best), best.margin),
        ]

    ordered = sorted(rows, key=lambda row: (row[1].concept != PATTERN, not row[1].found, -row[1].margin))
    quiet = [i for i, (_, best) in enumerate(ordered) if not best.found]
    return Table(CAPTION, TITLES, [cells(row) for row in ordered], quiet)


def verdict(best: BestUnit) -> str:
    """Describe whether a concept has a unit, and its margin over the baseline."""
    if not best.found:
        return "none"
    return f"{'clear' if best.clear else 'within the error'} (+{best.margin:.2f})"
