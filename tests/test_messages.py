"""Notices of the page, and the numbers that requests hold."""

from charrnn.ui.messages import dropped_notice, notice
from charrnn.ui.wishes import LARGEST_EXACT, sampling, whole


def test_a_notice_names_characters_and_positions():
    said = dropped_notice([(0, "é"), (4, "\t")])
    assert said == notice("Left out 2 characters this model has never seen: 'é' at position 0, '\\t' at position 4.")
    many = dropped_notice([(i, "ß") for i in range(9)])
    assert many is not None and "and 4 more" in many["text"]
    assert dropped_notice([]) is None


def test_whole_numbers_may_be_written_with_a_point():
    assert whole("step", 7.0, 0, LARGEST_EXACT) == 7
    assert whole("step", LARGEST_EXACT, 0, LARGEST_EXACT) == 2**53 - 1
    assert sampling(0, 5.0, 1, 0).top_k == 5
