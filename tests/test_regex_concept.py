"""Regular expressions as concepts: matches, errors and time limit."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.neurons import PatternError, covered_by
from charrnn.neurons.regex_worker import spans

TEXT = "The cat.\nThe “hat”\n" * 20


@settings(max_examples=60)
@given(
    st.sampled_from(["The", "^T", "[aeiou]+", "t$", "x*", "(?i)the|cat", r"\bc", "(?s)at.*"]),
    st.text("Thecat.\n", max_size=40),
)
def test_regex_spans_match_re(pattern: str, text: str):
    expected = [m.span() for m in re.compile(pattern, re.MULTILINE).finditer(text) if m.group()]
    assert spans(pattern, text) == {"spans": expected}


def test_regex_covers_its_matches():
    covered = covered_by("^The|at", TEXT)
    assert [i for i in range(19) if covered[i]] == [0, 1, 2, 5, 6, 9, 10, 11, 15, 16]
    assert covered.reshape(20, 19).all(axis=0).sum() == 10 and covered.dtype == bool
    assert np.flatnonzero(covered_by("“hat”", "“hat”")).tolist() == [0, 1, 2, 3, 4]
    assert not covered_by("x*", TEXT).any()


@pytest.mark.parametrize(
    ("pattern", "position", "reason"),
    [
        ("a(b", 1, "not a valid pattern: “(” is never closed"),
        ("*a", 0, "“*” has nothing to repeat"),
        ("a[b", 1, "“[” is never closed"),
        (r"a\q", 1, r"bad escape \q"),
    ],
)
def test_regex_error_has_position(pattern: str, position: int, reason: str):
    with pytest.raises(PatternError, match=re.escape(reason)) as caught:
        covered_by(pattern, TEXT)
    assert caught.value.position == position


@pytest.mark.parametrize("pattern", ["", "a" * 501, "(" * 400])
def test_unsupported_regex_is_refused(pattern: str):
    with pytest.raises(PatternError, match="pattern"):
        covered_by(pattern, TEXT)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x"])
def test_slow_regex_is_stopped(pattern: str):
    with pytest.raises(PatternError, match=r"^stopped after 0\.5 s on 20,000 characters"):
        covered_by(pattern, "a" * 19_999 + "!", limit_s=0.5)
