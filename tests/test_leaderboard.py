"""Unit leaderboards, scores of one unit, and gate saturation."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import Interval
from charrnn.checkpoint import load, write_analyses
from charrnn.corpus import title_of
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
from charrnn.number_format import percent
from charrnn.training import untrained
from charrnn.ui.neurons import gate_saturation, unit_scores
from charrnn.ui.neurons.leaderboard import leaderboard
from charrnn.ui.neurons.unit import unit_activations
from charrnn.ui.neurons.unit_scores import Units, networks_for
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.named_units import name_of
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery, until_superseded
from tests.trained_checkpoints import TEXT

OWN = TEXT[:1500]
CONCEPTS = {concept.name: concept for concept in BANK}


@pytest.fixture
def units(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Units:
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))
    return Units(Store(trained))


def messages(stream: Any, units: Units, name: str, step: int | None = None, current: bool = True, **form: Any) -> Any:
    """All messages of a view for a model and the fields of its form."""
    query = ViewQuery(number=1, choice=Choice(name, step), form=form)
    return [json.loads(message) for message in until_superseded(stream(units, query, lambda: current))]


def cells(answer: dict[str, Any]) -> dict[str, list[Any]]:
    """Table rows by concept: texts or values."""
    rows = [row["cells"] for row in answer["table"]["rows"]]
    return {row[0]["text"]: [cell.get("value", cell.get("text")) for cell in row[1:]] for row in rows}


def expected_scores(trained: Path, name: str, view: str) -> tuple[ConceptTargets, Any, Baseline]:
    """Targets, scores and baseline on OWN."""
    checkpoint = load(trained / name)

    def scores_of(model: Any) -> Any:
        return score(targets, all_activations(model.decoder(), checkpoint.vocab.encode(OWN), view))

    targets, info = ConceptTargets.of(OWN), checkpoint.info
    seeds = range(networks_for(info.hidden_dim))
    drawn = [untrained(info.config, len(info.vocab), info.recipe, seed) for seed in seeds]
    return targets, scores_of(checkpoint.model), Baseline.of([scores_of(model) for model in drawn])


def test_leaderboard_matches_plain_loop(units: Units, trained: Path):
    *before, last = messages(leaderboard, units, "gru", view="z", text=OWN)
    assert [message["words"].startswith("Reading") for message in before] == [True] * 9 + [False]
    assert [view["name"] for view in last["views"]] == ["h", "r", "z", "n"] and last["view"] == "z" and not last["busy"]
    targets, scores, baseline = expected_scores(trained, "gru", "z")
    best, table = best_units(targets, scores, baseline), cells(last)
    assert set(table) == set(targets.names)
    found = sorted((row for row in best if row.found), key=lambda row: -row.margin)
    assert [(card["title"], card["view"], card["unit"]) for card in last["cards"]] == [
        (name_of(row), "z", row.unit) for row in found[:6]
    ]
    checkpoint = load(trained / "gru")
    values = all_activations(checkpoint.model.decoder(), checkpoint.vocab.encode(OWN), "z")
    for card in last["cards"]:
        for line in card["lines"]:
            at, levels = OWN.index(line["text"]), np.array(line["levels"])
            order = values[at : at + len(levels), card["unit"]].argsort()
            assert len(levels) == len(line["text"]) and (np.diff(levels[order]) >= 0).all()
    for row in best:
        _, unit, sign, *values = table[row.concept]
        assert unit == row.unit and sign == ("+" if row.direction > 0 else "−")
        margin = row.held_out - row.to_beat
        np.testing.assert_allclose(values, [row.train, row.held_out, row.percentile, row.to_beat, margin], atol=1e-6)
        assert (margin > 0) == row.found
    named = sum(name is not None for name in unit_names(targets, scores, baseline))
    chance = f"({baseline.chance:.1f} expected by chance)"
    counts = f"{len(found)} of {len(best)} concepts have a unit in the update gate z {chance}"
    assert last["words"].startswith(f"{counts}; {named} of 16 units have a name (0 expected by chance)")
    tested = (
        "Tested on the second half of 1,500 characters of the text you typed or pasted, against 128 untrained units."
    )
    assert tested in last["words"]


def test_leaderboard_is_cached(units: Units, monkeypatch: pytest.MonkeyPatch):
    first = messages(leaderboard, units, "rnn", text=OWN)
    monkeypatch.setattr(unit_scores, "_read", None)
    second = messages(leaderboard, units, "rnn", text=OWN)
    assert second[-1]["table"] == first[-1]["table"] and len(second) == 3


def test_superseded_leaderboard_is_not_computed(units: Units):
    sent = messages(leaderboard, units, "lstm", current=False, text=OWN)
    assert [message["busy"] for message in sent] == [True]


def test_regex_adds_row_and_reports_errors(units: Units, trained: Path):
    last = messages(leaderboard, units, "rnn", text=OWN, pattern="[A-Z]")[-1]
    table = cells(last)
    assert list(table)[0] == "your pattern" and table["your pattern"][0] == "[A-Z]"
    assert table["your pattern"][1:6] == table["capital"][1:6]
    share = np.mean([c.isupper() for c in OWN])
    assert last["words"].startswith(
        f"Your pattern matches {percent(float(share), 1)} of 1,500 characters of the text you typed or "
    )
    assert last["cards"][0]["title"] == "your pattern: [A-Z]" and last["cards"][0]["unit"] == table["capital"][1]
    wrong = messages(leaderboard, units, "rnn", text=OWN, pattern="a(b")[-1]
    assert wrong["pattern_error"]["position"] == 1 and "“(” is never closed" in wrong["pattern_error"]["words"]
    assert "your pattern" not in cells(wrong)
    rare = messages(leaderboard, units, "rnn", text=OWN, pattern="xyz")[-1]
    assert "0 in the first half" in rare["pattern_error"]["words"]


def test_short_text_is_refused(units: Units):
    with pytest.raises(ValueError, match="400 or more"):
        messages(leaderboard, units, "rnn", text="night")


def sample_board() -> Leaderboard:
    best = (
        BestUnit("vowel", 3, -1, 0.9, 0.8125, 0.75, 0.78125),
        BestUnit("newline", 0, 1, 1, 0.99, 0.984375, 1.015625),
    )
    return Leaderboard("h", best, 16, 5, 0.03125, 2048, ("digit",))


def test_leaderboards_round_trip():
    with_interval = BestUnit("vowel", 3, -1, 0.9, 0.8125, 0.75, 1.25, Interval(0.75, 0.875))
    boards = [sample_board(), Leaderboard("c", (with_interval,), 16, 0, 0.5, 2048, ("digit",), chance=2.5)]
    back = leaderboards_from_record(leaderboard_record(boards, TEXT))
    assert back.characters == len(TEXT) and list(back.boards.values()) == boards and list(back.boards) == ["h", "c"]
    targets = ConceptTargets.of(TEXT, [CONCEPTS["vowel"], CONCEPTS["newline"]])
    baseline = back.baseline("h", targets)
    assert baseline is not None and baseline.percentile.tolist() == [0.75, 0.984375]
    assert (baseline.margin, baseline.units) == (1 / 32, 2048)
    of_c = back.baseline("c", ConceptTargets.of(TEXT, [CONCEPTS["vowel"]]))
    assert of_c is not None and of_c.chance == 2.5
    assert back.baseline("c", targets) is None and back.baseline("z", targets) is None
    assert back.baseline("h", ConceptTargets.of(TEXT[1:], [CONCEPTS["vowel"], CONCEPTS["newline"]])) is None


def test_stored_leaderboard_is_for_last_step(tmp_path: Path, units: Units, trained: Path):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    info = load(tmp_path / "rnn").info
    write_analyses(info.folder, info.sha256, {"units": leaderboard_record([sample_board()], "x" * 10_000)})
    own = Units(Store(tmp_path))
    (*_, last) = messages(leaderboard, own, "rnn")
    assert cells(last)["vowel"][1:8] == [3, "−", 0.9, 0.8125, 0.75, 0.78125, 0.03125]
    assert cells(last)["newline"][6:8] == [1.015625, 0.99 - 1.015625] and "5 of 16 units" in last["words"]
    assert f" characters of the validation part of {title_of(info.data_sha256)}" in last["words"]
    assert messages(unit_activations, own, "rnn")[-1]["unit"] == 3
    assert len(messages(leaderboard, own, "rnn", 0)) > 2
    assert len(messages(leaderboard, own, "rnn", text=OWN)) > 2
    write_analyses(info.folder, info.sha256, {"units": AnalysisRecord({"characters_read": -1})})
    assert len(messages(leaderboard, Units(Store(tmp_path)), "rnn")) > 2


def test_older_leaderboards_have_no_intervals():
    """Records of earlier versions have no columns for them."""
    record = leaderboard_record([sample_board()], TEXT)
    tables = {name: dict(table) for name, table in record.tables.items()}
    for table, column in (("best", "low"), ("best", "high"), ("views", "chance")):
        del tables[table][column]
    assert leaderboards_from_record(AnalysisRecord(record.facts, tables)).boards["h"] == sample_board()


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
    record = leaderboard_record([sample_board()], TEXT)
    record.tables[table][column][0] = value  # pyright: ignore[reportIndexIssue]
    with pytest.raises(ValueError, match=r"unit 16 of h|0 to|-1e\+09 to 1|unit 3 of x|1 to 4096"):
        leaderboards_from_record(record)


def test_unit_values_match_decoder(units: Units, trained: Path):
    first, *_, last = messages(unit_activations, units, "lstm", view="c", unit=5, text=OWN)
    assert first["busy"] and (last["view"], last["unit"], last["units"]) == ("c", 5, 16)
    checkpoint = load(trained / "lstm")
    values = checkpoint.model.decoder().read(checkpoint.vocab.encode(OWN)).activations["c"][:, 5]
    np.testing.assert_allclose(last["values"], values, atol=6e-3)
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
    first, last = messages(gate_saturation.gates, units, name, text=OWN)
    checkpoint = load(trained / name)
    activations = checkpoint.model.decoder().read(checkpoint.vocab.encode(OWN)).activations
    points = [trace for trace in last["figure"]["data"] if trace["mode"] == "markers"]
    assert first["busy"] and [trace["name"] for trace in points] == list(gates)
    for gate, trace in zip(gates, points, strict=True):
        assert trace["x"] == [sum(v < 0.1 for v in unit) / 1500 for unit in activations[gate].T]
        assert trace["y"] == [sum(v > 0.9 for v in unit) / 1500 for unit in activations[gate].T]
    shut, opened = (percent(np.mean(points[0][axis])) for axis in "xy")
    assert f"shut {shut} and open {opened} of the time" in last["words"]


def test_cell_without_gates_is_named(units: Units):
    (only,) = messages(gate_saturation.gates, units, "rnn")
    assert only["words"] == "Vanilla RNNs have no gates." and only["figure"] is None
    assert only["other"] == {"name": "lstm", "title": "LSTM"}


def test_unit_scores_are_column_of_all_scores(units: Units, trained: Path):
    targets, scores, baseline = expected_scores(trained, "gru", "h")
    excess = scores.held_out - baseline.to_beat[:, None]
    best, worst = int(excess.max(axis=0).argmax()), int(excess.max(axis=0).argmin())
    query: Any = {"view": "h", "unit": best, "text": OWN}
    for unit in (best, worst):
        last = messages(unit_activations, units, "gru", **query | {"unit": unit})[-1]
        rows = cells(last) if last["table"] else {}
        better = [c for c in (-excess[:, unit]).argsort()[:5] if excess[c, unit] > 0]  # than untrained units
        assert list(rows) == [targets.names[c] for c in better]
        assert ("No concept of this text exceeds" in last["words"]) == (not better)
        for concept, (sign, train, held_out, to_beat) in rows.items():
            c = targets.names.index(concept)
            expected = scores.train[c, unit], scores.held_out[c, unit], baseline.to_beat[c]
            assert (train, held_out, to_beat) == pytest.approx(expected, abs=1e-6)
            assert sign == ("+" if scores.direction[c, unit] > 0 else "−")
    assert excess[:, worst].max() < excess[:, best].max()


def test_unit_of_another_model_is_its_equivalent(units: Units):
    last = messages(unit_activations, units, "gru", view="f", unit=99, text=OWN)[-1]
    assert (last["view"], last["unit"], last["units"]) == ("z", 0, 16)
    assert last["title"] == "Unit 0 of the update gate z"
