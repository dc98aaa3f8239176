"""Analysis records: types, ranges, and the file that stores them."""

import json

import pytest

from charrnn import checkpoint
from charrnn.analysis_record import AnalysisRecord, RecordError
from charrnn.checkpoint import ANALYSES, CheckpointError, write_analyses
from tests.checkpoint_files import write_random

RECORD = AnalysisRecord(
    {"positions": 64, "ecl_chars": 31.25, "never": None, "text": "held out: “é”\n", "whole": True},
    {
        "curve": {"n": [1, 2, 4], "loss_nats": [2.5, 2.25, 2.125]},
        "units": {"name": ["vowel", "none"], "auc": [1, None]},
    },
)


def with_file(folder, change):
    """Analyses of a checkpoint whose file `change(content)` altered or replaced."""
    write_random(folder)
    info = checkpoint.describe(folder)
    write_analyses(folder, info.sha256, {"memory": RECORD, "units": AnalysisRecord({"n": 1})})
    content = json.loads((folder / ANALYSES).read_text(encoding="utf-8"))
    text = change(content)
    (folder / ANALYSES).write_text(text if isinstance(text, str) else json.dumps(content), encoding="utf-8")
    return checkpoint.describe(folder).analyses


def test_analyses_round_trip(tmp_path):
    analyses = with_file(tmp_path, lambda content: None)
    assert analyses.sections == {"memory": RECORD, "units": AnalysisRecord({"n": 1})} and analyses.refused == ()
    memory = analyses.sections["memory"]
    assert (memory.number("positions"), memory.number("ecl_chars", 1, 256)) == (64, 31.25)
    assert memory.number_or_none("never") is None and memory.text("text") == "held out: “é”\n"
    assert memory.numbers("curve", "loss_nats", 0, 10) == [2.5, 2.25, 2.125]
    assert memory.texts("units", "name") == ["vowel", "none"]


def test_record_numbers_have_six_digits():
    assert json.loads(AnalysisRecord({"x": 1 / 3}, {"t": {"a": [2e-9 / 3, 12345678]}}).as_json()) == {
        "facts": {"x": 0.333333},
        "tables": {"t": {"a": [6.66667e-10, 12345678]}},
    }


@pytest.mark.parametrize(
    ("getter", "message"),
    [
        (lambda record: record.number("text"), "text is 'held"),
        (lambda record: record.number("whole"), "whole is True"),
        (lambda record: record.number("ecl_chars", 40, 50), "31.25: a number from 40 to 50"),
        (lambda record: record.number("never"), "never is None"),
        (lambda record: record.number("other"), "no scalar other"),
        (lambda record: record.text("positions"), "positions is 64: a text"),
        (lambda record: record.numbers("curve", "n", 2), "curve, n is 1"),
        (lambda record: record.numbers("units", "auc"), "units, auc is None"),
        (lambda record: record.numbers("curve", "x"), "no column x in the table curve"),
        (lambda record: record.texts("nothing", "x"), "no column x in the table nothing"),
    ],
)
def test_record_getters_check_type_and_range(getter, message):
    with pytest.raises(RecordError, match=message):
        getter(RECORD)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "facts and tables only"),
        ({"facts": {}, "code": "x"}, "facts and tables only"),
        ({"facts": [1]}, "the facts are not an object"),
        ({"facts": {"A": 1}}, "'A' is not a valid name among the facts"),
        ({"facts": {"a" * 41: 1}}, "is not a valid name among the facts"),
        ({"facts": {"__class__": 1}}, "is not a valid name among the facts"),
        ({"facts": {f"a{i}": 1 for i in range(65)}}, "there are 65 facts: at most 64"),
        ({"facts": {"a": float("inf")}}, "a is inf"),
        ({"facts": {"a": 10**17}}, "a finite number of at most"),
        ({"facts": {"a": [1]}}, "of type list"),
        ({"facts": {"a": "x" * 401}}, "401 characters"),
        ({"facts": {"a": "\ud800"}}, "unpaired surrogate"),
        ({"tables": {"t": [1]}}, "the columns of t are not an object"),
        ({"tables": {"t": {"a": 1}}}, "a column of t is not a list"),
        ({"tables": {"t": {"a": [1], "b": [1, 2]}}}, r"columns of \[1, 2\] rows"),
        ({"tables": {"t": {"a": [0] * 8193}}}, "at most 8192"),
        ({"tables": {"t": {"a": [{"b": 1}]}}}, "t, a is of type dict"),
        ({"tables": {f"t{i}": {} for i in range(17)}}, "there are 17 tables: at most 16"),
    ],
)
def test_invalid_record_is_refused(value, message):
    with pytest.raises(RecordError, match=message):
        AnalysisRecord.from_json(value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(sha256="0" * 64), "belongs to another model"),
        (lambda content: content.update(format=2), "format 1"),
        (lambda content: content.update(sections=[]), "format 1"),
        (lambda content: "[]", "format 1"),
        (lambda content: "{", "cannot be read"),
        (lambda content: '{"format": 1, "format": 1}', "occurs twice"),
        (lambda content: '{"format": NaN}', "NaN is not a number"),
        (lambda content: "[" * 100_000, "cannot be read"),
        (lambda content: " " * ((1 << 19) + 1), "more than 524288 are refused"),
        (lambda content: content["sections"].update({f"s{i}": {} for i in range(20)}), "22 sections: 16 at most"),
    ],
)
def test_invalid_analyses_file_is_left_out(tmp_path, change, message):
    analyses = with_file(tmp_path, change)
    assert analyses.sections == {}
    (reason,) = analyses.refused
    assert message in reason and ANALYSES in reason


def test_invalid_section_leaves_the_others(tmp_path):
    def change(content):
        content["sections"]["memory"]["tables"]["curve"]["n"][0] = "infinite"
        content["sections"]["units"]["facts"]["n"] = [1]
        content["sections"]["../evil"] = {}
        return json.dumps(content).replace('"ecl_chars": 31.25', '"ecl_chars": 1e300')

    analyses = with_file(tmp_path, change)
    assert analyses.sections == {}
    assert [reason.partition(", section ")[2] for reason in analyses.refused] == [
        "'memory': ecl_chars is 1e+300: give a finite number of at most 2^53 in size",
        "'units': n is of type list: give a text, a number, true, false or null",
        "'../evil': a name consists of small letters, digits and _",
    ]
    analyses = with_file(tmp_path, lambda content: content["sections"]["units"].update(facts=3))
    assert analyses.sections == {"memory": RECORD} and len(analyses.refused) == 1


def test_new_section_joins_the_others(tmp_path):
    write_random(tmp_path)
    info = checkpoint.describe(tmp_path)
    assert info.analyses == checkpoint.Analyses()
    write_analyses(tmp_path, info.sha256, {"memory": RECORD})
    write_analyses(tmp_path, info.sha256, {"units": RECORD})
    write_analyses(tmp_path, info.sha256, {"memory": AnalysisRecord({"n": 2})})
    assert checkpoint.describe(tmp_path).analyses.sections == {"memory": AnalysisRecord({"n": 2}), "units": RECORD}
    assert info.analyses is info.analyses


def test_unreadable_analyses_are_not_written(tmp_path):
    write_random(tmp_path)
    info = checkpoint.describe(tmp_path)
    with pytest.raises(CheckpointError, match="cannot store"):
        write_analyses(tmp_path, info.sha256, {"A": RECORD})
    large = AnalysisRecord({}, {"t": {f"c{i}": [0.123456] * 8192 for i in range(12)}})
    with pytest.raises(CheckpointError, match="524288 at most"):
        write_analyses(tmp_path, info.sha256, {"large": large})
    assert not (tmp_path / ANALYSES).exists()


def test_saving_model_removes_old_analyses(tmp_path):
    write_random(tmp_path)
    write_analyses(tmp_path, checkpoint.describe(tmp_path).sha256, {"memory": RECORD})
    write_random(tmp_path, weights_seed=1)
    assert not (tmp_path / ANALYSES).exists()
