"""Unit leaderboards, scores of one unit, and gate saturation."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import load, write_analyses
from charrnn.neurons import (
    BANK,
    Baseline,
    BestUnit,
    ConceptTargets,
    Leaderboard,
    all_activations,
    best_units,
    leaderboard_record,
    leaderboards_from_record,
    score,
    unit_names,
)
from charrnn.training import untrained
from charrnn.ui.neurons import gate_saturation
from charrnn.ui.neurons import unit_scores as units_room
from charrnn.ui.neurons.leaderboard import leaderboard
from charrnn.ui.neurons.unit import unit_activations
from charrnn.ui.neurons.unit_scores import Units, networks_for
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery, until_superseded
from tests.trained_checkpoints import TEXT

OWN = TEXT[:1500]
CONCEPTS = {concept.name: concept for concept in BANK}


@pytest.fixture
def units(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Units:
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))
    return Units(Store(trained))


def asked(name: str, step: int | None = None, **form: Any) -> ViewQuery:
    return ViewQuery(number=1, choice=Choice(name, step), form=form)


def answers(told: Iterator[str]) -> list[dict[str, Any]]:
    return [json.loads(one) for one in until_superseded(told)]


def cells(answer: dict[str, Any]) -> dict[str, list[Any]]:
    """Table rows by concept: texts or values."""
    rows = [row["cells"] for row in answer["table"]["rows"]]
    return {row[0]["text"]: [cell.get("value", cell.get("text")) for cell in row[1:]] for row in rows}


def by_hand(trained: Path, name: str, view: str, text: str) -> tuple[ConceptTargets, Any, Baseline]:
    """Targets, scores and baseline."""
    checkpoint = load(trained / name)

    def told(model: Any) -> Any:
        return score(targets, all_activations(model.decoder(), checkpoint.vocab.encode(text), view))

    targets, info = ConceptTargets.of(text), checkpoint.info
    drawn = [
        untrained(info.config, len(info.vocab), info.recipe, seed) for seed in range(networks_for(info.hidden_dim))
    ]
    return targets, told(checkpoint.model), Baseline.of([told(model) for model in drawn])


def test_leaderboard_matches_plain_loop(units: Units, trained: Path):
    *before, last = answers(leaderboard(units, asked("gru", view="z", text=OWN), lambda: True))
    assert [answer["words"].startswith("Reading") for answer in before] == [True] * 9 and not last["busy"]
    assert [view["name"] for view in last["views"]] == ["h", "r", "z", "n"] and last["view"] == "z"
    targets, scores, baseline = by_hand(trained, "gru", "z", OWN)
    best, table = best_units(targets, scores, baseline), cells(last)
    assert set(table) == set(targets.names)
    for one in best:
        meaning, unit, more, train, held_out, percentile, to_beat, verdict = table[one.concept]
        assert unit == one.unit and more == ("+" if one.direction > 0 else "−")
        np.testing.assert_allclose(
            [train, held_out, percentile, to_beat], [one.train, one.held_out, one.percentile, one.to_beat], atol=1e-6
        )
        assert verdict == pytest.approx(one.held_out - one.to_beat, abs=1e-6) and (verdict > 0) == one.found
    bear = sum(name is not None for name in unit_names(targets, scores, baseline))
    found = sum(one.found for one in best)
    assert last["words"].startswith(
        f"{found} of {len(best)} concepts have a unit of the update gate z; {bear} of 16 units"
    )
    assert (
        f"Measured on {len(OWN):,} characters of the text you typed or pasted, against 128 untrained units."
        in last["words"]
    )


def test_leaderboard_is_cached(units: Units, monkeypatch: pytest.MonkeyPatch):
    question = asked("rnn", text=OWN)
    first = answers(leaderboard(units, question, lambda: True))
    monkeypatch.setattr(units_room, "_read", None)
    again = answers(leaderboard(units, question, lambda: True))
    assert again[-1]["table"] == first[-1]["table"] and len(again) == 2


def test_superseded_leaderboard_is_not_computed(units: Units):
    told = answers(leaderboard(units, asked("lstm", text=OWN), lambda: False))
    assert [answer["busy"] for answer in told] == [True]


def test_regex_adds_row_and_reports_errors(units: Units, trained: Path):
    last = answers(leaderboard(units, asked("rnn", text=OWN, pattern="[A-Z]"), lambda: True))[-1]
    table = cells(last)
    assert list(table)[0] == "your pattern" and table["your pattern"][0] == "[A-Z]"
    assert table["your pattern"][1:6] == table["capital"][1:6]  # the same characters, found another way
    share = np.mean([c.isupper() for c in OWN])
    assert last["words"].startswith(
        f"Your pattern covers {share:.1%} of 1,500 characters of the text you typed or pasted: "
    )

    wrong = answers(leaderboard(units, asked("rnn", text=OWN, pattern="a(b"), lambda: True))[-1]
    assert wrong["pattern_error"]["position"] == 1 and "unterminated subpattern" in wrong["pattern_error"]["words"]
    assert "your pattern" not in cells(wrong)
    rare = answers(leaderboard(units, asked("rnn", text=OWN, pattern="xyz"), lambda: True))[-1]
    assert "covers 0 characters of the first half" in rare["pattern_error"]["words"]


def test_short_text_is_refused(units: Units):
    with pytest.raises(ValueError, match="400 or more"):
        answers(leaderboard(units, asked("rnn", text="night"), lambda: True))


def board() -> Leaderboard:
    best = (
        BestUnit("vowel", 3, -1, 0.9, 0.8125, 0.75, 0.78125),
        BestUnit("newline", 0, 1, 1, 0.99, 0.984375, 1.015625),
    )
    return Leaderboard("h", best, 16, 5, 0.03125, 2048, ("digit",))


def test_leaderboards_round_trip():
    boards = [board(), Leaderboard("c", (), 16, 0, 0.5, 2048, ("digit",))]
    back = leaderboards_from_record(leaderboard_record(boards, TEXT))
    assert back.characters == len(TEXT) and list(back.boards.values()) == boards and list(back.boards) == ["h", "c"]
    targets = ConceptTargets.of(TEXT, [CONCEPTS["vowel"], CONCEPTS["newline"]])
    baseline = back.baseline("h", targets)
    assert baseline and (baseline.percentile.tolist(), baseline.margin, baseline.units) == (
        [0.75, 0.984375],
        1 / 32,
        2048,
    )
    assert back.baseline("c", targets) is None and back.baseline("z", targets) is None
    assert back.baseline("h", ConceptTargets.of(TEXT[1:], [CONCEPTS["vowel"], CONCEPTS["newline"]])) is None


def test_kept_leaderboard_is_for_last_step(tmp_path: Path, units: Units, trained: Path):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    info = load(tmp_path / "rnn").info
    write_analyses(info.folder, info.sha256, {"units": leaderboard_record([board()], "x" * 10_000)})
    mine = Units(Store(tmp_path))
    (only,) = answers(leaderboard(mine, asked("rnn"), lambda: True))
    assert cells(only)["vowel"][1:8] == [3, "−", 0.9, 0.8125, 0.75, 0.78125, 0.03125]
    assert cells(only)["newline"][6:8] == [1.015625, 0.99 - 1.015625] and "5 of 16 units" in only["words"]
    assert answers(unit_activations(mine, asked("rnn"), lambda: True))[-1]["unit"] == 3
    assert len(answers(leaderboard(mine, asked("rnn", 0), lambda: True))) > 2
    assert len(answers(leaderboard(mine, asked("rnn", text=OWN), lambda: True))) > 2
    write_analyses(info.folder, info.sha256, {"units": AnalysisRecord({"characters_read": -1})})
    assert len(answers(leaderboard(Units(Store(tmp_path)), asked("rnn"), lambda: True))) > 2


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("best", "unit", 16),
        ("best", "held_out", 1.5),
        ("best", "view", "x"),
        ("views", "units", 0),
        ("views", "margin", "a"),
    ],
)
def test_invalid_leaderboards_are_refused(table: str, column: str, value: Any):
    kept = leaderboard_record([board()], TEXT)
    kept.tables[table][column][0] = value  # pyright: ignore[reportIndexIssue]
    with pytest.raises(ValueError, match=r"unit 16 of h|0 to|-1e\+09 to 1|unit 3 of x|1 to 4096"):
        leaderboards_from_record(kept)


def test_unit_values_match_decoder(units: Units, trained: Path):
    first, last = answers(unit_activations(units, asked("lstm", view="c", unit=5, text=OWN), lambda: True))
    assert first["busy"] and (last["view"], last["unit"], last["units"]) == ("c", 5, 16)
    checkpoint = load(trained / "lstm")
    values = checkpoint.model.decoder().read(checkpoint.vocab.encode(OWN)).activations["c"][:, 5]
    np.testing.assert_allclose(last["values"], values, atol=6e-4)
    assert last["text"] == OWN and len(last["values"]) == 1500
    for span in last["most"]:
        assert span["peak"] == pytest.approx(values[span["first"] : span["end"]].max())
        assert OWN[span["first"] : span["end"]] == span["text"]
    assert min(span["peak"] for span in last["least"]) == pytest.approx(values.min())
    (bars,) = last["figure"]["data"]
    assert sum(bars["y"]) == 1500 and last["scale"]["low"] == -last["scale"]["high"]
    beyond = [(np.abs(values) > end).mean() for end in (last["scale"]["high"], last["scale"]["high"] / 1.6)]
    assert beyond[0] <= 0.01 < beyond[1]


@pytest.mark.parametrize(("name", "gates"), [("gru", "rz"), ("lstm", "ifo")])
def test_gate_saturation_matches_counts(units: Units, trained: Path, name: str, gates: str):
    first, last = answers(gate_saturation.gates(units, asked(name, text=OWN), lambda: True))
    checkpoint = load(trained / name)
    activations = checkpoint.model.decoder().read(checkpoint.vocab.encode(OWN)).activations
    points = [trace for trace in last["figure"]["data"] if trace["mode"] == "markers"]
    assert first["busy"] and [trace["name"] for trace in points] == list(gates)
    for gate, trace in zip(gates, points, strict=True):
        assert trace["x"] == [sum(v < 0.1 for v in unit) / 1500 for unit in activations[gate].T]
        assert trace["y"] == [sum(v > 0.9 for v in unit) / 1500 for unit in activations[gate].T]
    assert f"shut {np.mean(points[0]['x']):.0%} and open {np.mean(points[0]['y']):.0%} of the time" in last["words"]


def test_cell_without_gates_says_so(units: Units):
    (only,) = answers(gate_saturation.gates(units, asked("rnn"), lambda: True))
    assert only["words"].startswith("A vanilla cell has no gates") and only["figure"] is None


def test_unit_scores_are_column_of_all_scores(units: Units, trained: Path):
    question = asked("gru", view="h", unit=3, text=OWN)
    without = cells(answers(unit_activations(units, question, lambda: True))[-1])
    assert [row[3] for row in without.values()] == ["–"] * 5  # nobody knows yet what untrained units reach
    answers(leaderboard(units, question, lambda: True))
    told = cells(answers(unit_activations(units, question, lambda: True))[-1])
    targets, scores, baseline = by_hand(trained, "gru", "h", OWN)
    above = scores.held_out[:, 3] - baseline.percentile
    assert list(told) == [targets.names[c] for c in (-above).argsort()[:5]]
    for concept, (sign, train, held_out, percentile) in told.items():
        c = targets.names.index(concept)
        expected = scores.train[c, 3], scores.held_out[c, 3], baseline.percentile[c]
        assert (train, held_out, percentile) == pytest.approx(expected, abs=1e-6)
        assert sign == ("+" if scores.direction[c, 3] > 0 else "−")


def test_unit_of_another_model_is_its_equivalent(units: Units):
    last = answers(unit_activations(units, asked("gru", view="f", unit=99, text=OWN), lambda: True))[-1]
    assert (last["view"], last["unit"], last["units"]) == ("z", 0, 16)
    assert last["title"] == "Unit 0 of the update gate z"
