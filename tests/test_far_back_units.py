"""The section on units: which unit is shown is decided on the first half, and each sentence follows from the boards."""

import pytest

from charrnn.neurons import Best, Board, Kept
from scripts import far_back_units

CAPITAL, VOWEL, NEWLINE = "capital", "vowel", "newline"


def board(view: str, *best: Best, margin: float = 0.05) -> Board:
    return Board(view, best, 8, sum(one.found for one in best), margin, 2048, ("digit",))


def best(concept: str, unit: int, train: float, held_out: float, percentile: float, margin: float = 0.05) -> Best:
    return Best(concept, unit, 1, train, held_out, percentile, percentile + margin)


KEPT = Kept(
    {
        "h": board(
            "h", best(CAPITAL, 3, 0.9, 0.8, 0.6), best(VOWEL, 3, 0.8, 0.75, 0.6), best(NEWLINE, 1, 0.99, 0.99, 0.98)
        ),
        "c": board(
            "c", best(CAPITAL, 5, 0.88, 0.95, 0.6), best(VOWEL, 4, 0.9, 0.62, 0.6), best(NEWLINE, 2, 0.98, 0.97, 0.98)
        ),
    },
    10_000,
    "0" * 64,
)


def test_the_unit_that_is_shown_is_chosen_on_the_first_half():
    assert far_back_units.stands_out(KEPT, CAPITAL) == (
        "h",
        KEPT.boards["h"].best[0],
    )  # c's is better on the other half
    assert far_back_units.stands_out(KEPT, "nothing") is None
    rows = far_back_units.by_concept(dict.fromkeys(far_back_units.SHOWN, KEPT)).splitlines()
    assert rows[2].startswith("| capital | h[3] 0.800 (0.600) |")
    assert rows[3].startswith("| vowel | *c[4] 0.620 (0.600)* |")  # chosen, and not found
    assert rows[4].startswith("| newline | *h[1] 0.990 (0.980)* |")


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (far_back_units.out_of_reach, "stands for: newline (up to 0.990, untrained 0.980). A high"),
        (far_back_units.shared, "`lstm` h[3]: capital, vowel; `minigpt`"),
        (far_back_units.fallen, "4 of 6 best units score lower"),
        (far_back_units.fallen, "furthest fell `rnn` c[4], vowel: 0.900 → 0.620"),
    ],
)
def test_what_is_odd_is_told_from_the_boards(sentence, told: str):
    kept = {"rnn": KEPT} if sentence is far_back_units.fallen else dict.fromkeys(far_back_units.SHOWN, KEPT)
    assert told in sentence(kept)


def test_what_the_text_lacks_is_named_and_every_network_counted():
    assert far_back_units.absent(KEPT).startswith("**Not to be had on this text**: digit;")
    row = far_back_units.named({"mine": KEPT}).splitlines()[2]
    assert row == "| `mine` | 2 of 3 | 0.050 | h 2/8; c 1/8 |"
