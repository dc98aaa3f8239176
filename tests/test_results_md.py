"""Tables of docs/results.md match the measurements."""

import pytest

from charrnn.checkpoint import describe
from charrnn.study import results_md
from charrnn.study.stored_records import Records
from tests.cli import ROOT
from tests.test_lab_sheet_claims import Planted


def cells(text: str, *first: str) -> list[str]:
    """The row of a table that begins with these cells."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {' | '.join(first)} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][len(first) :]


def test_context_table_matches_analyses():
    record = describe(ROOT / "checkpoints" / "gru").analyses.sections["memory"]
    shown = cells(results_md.context_use(Records(ROOT)), "`gru`")
    names = ("ecl_chars", "ecl_share_chars", "shuffled_ecl_chars", "felt_chars")
    for text, name in zip(shown[:4], names, strict=True):
        ends = f"{record.facts[f'{name[:-6]}_low']} to {record.facts[f'{name[:-6]}_high']}"
        assert text == f"{record.facts[name]} ({ends})".replace(".0", "")
    excess, error = (record.numbers("context", name) for name in ("excess_nats", "excess_error"))
    assert shown[4:-1] == [f"{excess[n - 1]:.3f} ± {1.9983 * error[n - 1]:.3f}" for n in (1, 4, 16)]
    assert shown[-1] == f"{record.numbers('context', 'loss_nats')[255]:.3f}"


def test_exponent_table_matches_analyses():
    facts = describe(ROOT / "checkpoints" / "gru").analyses.sections["gradient"].facts
    text = results_md.reach(Records(ROOT)).partition("| KL, nats |")[0]
    shown = cells(text, "`gru`")
    for cell, name in zip(shown[:2], ("half_life", "horizon"), strict=True):
        low, high = (facts[f"{name}_{end}"] for end in ("low", "high"))
        assert cell == f"{facts[f'{name}_chars']:.1f} ({low:.1f} to {high:.1f})"
    exponent = f"{facts['exponent']:+.4f} ({facts['exponent_low']:+.4f} to {facts['exponent_high']:+.4f})"
    assert shown[-2:] == [f"{facts['tail_slope']:+.4f}", exponent]
    assert cells(text, "`minigpt`")[-2:] == ["–", "–"]


def test_unreached_length_is_shown_as_greater(tmp_path):
    lengths = {"half_life_chars": 2.04, "half_life_low": 0.5, "half_life_high": None, "horizon_chars": None}
    row = {"model": "gru", "g": 1.4, "exponent": 0.02, "exponent_error": 0.001, "sigma_max": None, **lengths}
    shown = cells(results_md.recurrent_scale(Planted(tmp_path, {}, recurrent_scale=[row])), "`gru`", "1.4")
    assert shown == ["2.0 (0.5 to > 128)", "> 128", "+0.0200 ± 0.0021", "–"]


def test_missing_analysis_names_command():
    records = Records(ROOT)
    with pytest.raises(ValueError, match="run python scripts/analyse.py"):
        records.analysis(records.bundled[0], "nothing")
