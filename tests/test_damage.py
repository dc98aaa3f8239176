"""A damaged file of a checkpoint is refused, or affects only its own part."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn import checkpoint
from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import ANALYSES, CheckpointError, safetensors_io, write_analyses
from charrnn.context_use import memory_record
from charrnn.ui.compare import samples, scoreboard, training_curves
from charrnn.ui.compare.surprisal_difference import saved_groups
from charrnn.ui.gradients import context_use
from charrnn.ui.gradients.context_use import context_use_curves
from charrnn.ui.gradients.gradient_norms import curves
from charrnn.ui.gradients.over_training import saved_steps
from charrnn.ui.neurons.unit import unit_activations
from charrnn.ui.neurons.unit_scores import Units, saved_boards
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from tests.checkpoint_files import joined, write_random
from tests.test_context_use_figure import decaying_use
from tests.trained_checkpoints import TEXT

pytestmark = pytest.mark.slow

FAST = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
RUN = {"step": 4, "losses": [0.1, 1 / 3], "history": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkpoint with saved steps and an unfinished run."""
    folder = tmp_path_factory.mktemp("whole") / "rnn"
    write_random(folder)
    state = {"model.a": torch.randn(3), "rng": torch.Generator().get_state(), "optimizer.0.step": torch.tensor(4.0)}
    checkpoint.save_run(folder, state, RUN)
    return folder


def flipped(content: bytes, bit: int) -> bytes:
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def earlier_format(content: bytes) -> bytes:
    """Return the file with a digest of its tensors only, as earlier versions wrote it."""
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    del header["__metadata__"]["file_sha256"]
    header["__metadata__"]["digest"] = checkpoint.sha256_tensors(safetensors_io.tensors_from_bytes(content))
    return joined(header, data)


def test_flipped_bit_in_any_byte_is_refused(folder, tmp_path):
    """One bit of every byte of the length, the header and the data."""
    content = (folder / "model.safetensors").read_bytes()
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert safetensors_io.read(path).tensors()
    for bit in range(0, 8 * len(content), 7):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(CheckpointError):
            safetensors_io.read(path).tensors()


@FAST
@given(bits=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4, unique=True))
@pytest.mark.parametrize("name", ["model", "steps/000010", "training"])
def test_flipped_bits_are_refused_by_every_loader(folder, name, bits):
    path = folder / f"{name}.safetensors"
    content = damaged = path.read_bytes()
    for position in {int(bit * 8 * len(content)) for bit in bits}:
        damaged = flipped(damaged, position)
    path.write_bytes(damaged)
    loaders = {
        "model": checkpoint.load,
        "steps/000010": lambda folder: checkpoint.load(folder, 10),
        "training": checkpoint.load_run,
    }
    try:
        with pytest.raises(CheckpointError):
            loaders[name](folder)
    finally:
        path.write_bytes(content)


def test_earlier_digest_format_is_checked(folder, tmp_path):
    for name in ("model", "steps/000010", "training"):
        path, new = tmp_path / "rnn" / f"{name}.safetensors", (folder / f"{name}.safetensors").read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(earlier_format(new))
        tensors = safetensors_io.read(path).tensors()
        assert all(torch.equal(tensors[key], value) for key, value in safetensors_io.tensors_from_bytes(new).items())
    old = checkpoint.describe(tmp_path / "rnn")
    assert old.metrics == checkpoint.describe(folder).metrics and old.saved_steps == [10, 20]
    assert checkpoint.load_run(tmp_path / "rnn")[1] == RUN
    path = tmp_path / "rnn/model.safetensors"
    path.write_bytes(flipped(path.read_bytes(), 8 * path.stat().st_size - 20))
    with pytest.raises(CheckpointError, match="damaged: its tensors"):
        checkpoint.describe(tmp_path / "rnn")


STORED = memory_record(decaying_use(0.9))


def store_sections(folder: Path, **sections: AnalysisRecord) -> None:
    write_analyses(folder, checkpoint.describe(folder).sha256, sections)


def short_memory(folder: Path) -> None:
    tables = {name: {column: values[:2] for column, values in table.items()} for name, table in STORED.tables.items()}
    store_sections(folder, memory=AnalysisRecord(STORED.facts, tables))


def flipped_step(folder: Path) -> None:
    path = folder / "steps/000010.safetensors"
    path.write_bytes(flipped(path.read_bytes(), 8 * path.stat().st_size - 20))


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda folder: None,
    "a memory table of 2 rows": short_memory,
    "no analysis": lambda folder: store_sections(
        folder, memory=AnalysisRecord(), gradient=AnalysisRecord(), bits=AnalysisRecord(), units=AnalysisRecord()
    ),
    "analyses that are no JSON": lambda folder: (folder / ANALYSES).write_text("[" * 100_000),
    "a bit of a saved step": flipped_step,
    "a passage that is no text": lambda folder: (folder / "passage.txt").write_bytes(b"\xff\xfe" * 100),
    "a model cut short": lambda folder: os.truncate(folder / "model.safetensors", 900),
    "a missing model": lambda folder: (folder / "model.safetensors").unlink(),
}


def fake_measure(loaded: Any, text: str) -> Any:
    """Return a fixed measurement; cache keys need a module-level function."""
    return decaying_use(0.5)


@pytest.fixture
def three_networks(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three networks with stored context use and instant measurements."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(context_use, "measure", fake_measure)
    for name in ("rnn", "gru", "lstm"):
        shutil.copytree(trained / name, tmp_path / "root" / name)
        store_sections(tmp_path / "root" / name, memory=STORED)
    return tmp_path / "root"


def shown(answer: dict[str, Any], *titles: str) -> list[Any]:
    """Return the curves and table rows of these models."""
    traces = [
        trace["y"] for trace in (answer["figure"] or {}).get("data", []) if trace.get("name", "").startswith(titles)
    ]
    rows = [row["cells"] for row in answer.get("table", {}).get("rows", []) if row["cells"][0]["text"] in titles]
    return [traces, rows]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_model_affects_only_its_own_row(three_networks: Path, damage: str):
    current, store = (lambda: True), Store(three_networks)
    step = 10 if damage == "a bit of a saved step" else None
    query = ViewQuery(names=("rnn", "gru", "lstm"), choice=Choice("rnn", step), form={"text": TEXT[:400]})
    plain = ViewQuery(names=query.names, choice=query.choice)
    views: dict[str, Callable[[Store], Any]] = {
        "gradients": lambda store: curves(store, query, current),
        "memory": lambda store: context_use_curves(store, plain, current),
        "training": lambda store: training_curves.training_curves(store, plain),
        "results": lambda store: scoreboard.scoreboard(store, plain, Path("none")),
    }
    good = {name: json.loads([*view(store)][-1]) for name, view in views.items()}
    DAMAGE[damage](three_networks / "rnn")
    fresh = Store(three_networks)
    for name, view in views.items():
        last = json.loads([*view(fresh)][-1])
        undamaged = shown(good[name], "GRU", "LSTM")
        assert any(undamaged) and shown(last, "GRU", "LSTM") == undamaged, name


def test_damaged_step_affects_only_its_own_row(three_networks: Path):
    flipped_step(three_networks / "gru")
    query, current = ViewQuery(choice=Choice("gru", None), form={"text": TEXT[:400], "model": "gru"}), lambda: True
    flows = json.loads([*saved_steps(Store(three_networks), query, current)][-1])
    assert [row["cells"][0]["text"] for row in flows["table"]["rows"]] == ["0", "12"]
    written = json.loads([*samples.samples(Store(three_networks), query, current)][-1])
    assert [sample["step"] for sample in written["samples"]] == [0, 12]
    for answer in (flows, written):
        assert "Step 10 is left out: gru/steps/000010.safetensors is damaged" in answer["words"]


def test_leaderboard_of_other_sizes_is_ignored(three_networks: Path):
    best = {"view": ["h"], "concept": ["vowel"], "unit": [3000], "direction": [1]}
    best |= dict.fromkeys(("train", "held_out", "percentile"), [0.5])
    views = {"view": ["h"], "units": [4000], "named": [1], "margin": [0], "untrained_units": [9]}
    tables = {"views": views, "best": best, "rare": {"concept": []}}
    store_sections(three_networks / "rnn", units=AnalysisRecord({"characters_read": 9, "text_sha256": ""}, tables))
    query = ViewQuery(choice=Choice("rnn", None), form={"text": TEXT[:400]})
    last = json.loads([*unit_activations(Units(Store(three_networks)), query, lambda: True)][-1])
    assert last["unit"] == 0 and last["units"] == 16


VALUE = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.just(0.01)
COLUMN = st.lists(VALUE, max_size=3) | st.sampled_from(range(300)).map(lambda n: [0.01] * n)
TABLES = {name: [*table] for name, table in STORED.tables.items()}
TABLES |= {"kinds": ["kind", "stretch", "characters", "bits"], "curve": ["median"], "rare": ["concept"]}
TABLES |= {"views": ["view", "units", "named", "margin", "untrained_units"]}
TABLES |= {"best": ["view", "concept", "unit", "direction", "train", "held_out", "percentile"]}


@st.composite
def sections(draw: Any) -> dict[str, Any]:
    """Valid sections with some invalid values."""
    facts = draw(st.dictionaries(st.sampled_from(sorted(STORED.facts) + ["half_life_chars", "text_sha256"]), VALUE))
    result = {"memory": {"facts": dict(STORED.facts) | facts, "tables": {k: dict(v) for k, v in STORED.tables.items()}}}
    for name in ("gradient", "bits", "units"):
        result[name] = {
            "facts": facts,
            "tables": {table: dict.fromkeys(of, [0.5] * 64) for table, of in TABLES.items()},
        }
    for section, table, column in draw(
        st.lists(st.tuples(*map(st.sampled_from, (sorted(result), sorted(TABLES), range(9)))), max_size=4)
    ):
        columns = result[section]["tables"].setdefault(table, {})
        value = draw(COLUMN)
        if draw(st.booleans()) and columns:  # columns of one length
            result[section]["tables"][table] = {name: value for name in columns}
        else:
            columns[TABLES[table][column % len(TABLES[table])]] = value
    return result


@settings(FAST, max_examples=25)
@given(whole=sections(), cut=st.none() | st.integers(0, 20_000))
def test_arbitrary_analyses_are_read_or_left_out(tmp_path_factory, whole, cut):
    root = tmp_path_factory.getbasetemp() / "stored"
    if not root.exists():
        for name in ("rnn", "gru"):
            write_random(root / name, config={"cell": name, "hidden_dim": 4})
        store_sections(root / "gru", memory=STORED)
    sha256 = checkpoint.describe(root / "rnn").sha256
    text = json.dumps({"format": 1, "sha256": sha256, "sections": whole})
    (root / "rnn" / ANALYSES).write_text(text[:cut])
    store, plain = Store(root), ViewQuery(names=("rnn", "gru"))
    analyses = store.load("rnn").info.analyses
    assert cut is None or cut >= len(text) or (analyses.refused and not analyses.sections)
    for view in (
        lambda: context_use_curves(store, plain, lambda: True),
        lambda: scoreboard.scoreboard(store, plain, Path("none")),
    ):
        last = json.loads([*view()][-1])
        assert shown(last, "GRU")[1], "the row of the other network"
    saved_boards(store.load("rnn"))
    saved_groups([store.load(name) for name in ("rnn", "gru")])


@pytest.mark.parametrize("name", ["config.json", "history.json", "passage.txt"])
def test_damaged_json_copies_do_not_stop_loading(folder, tmp_path, name):
    shutil.copytree(folder, tmp_path / "rnn")
    for content in (b"", b"\xff\xfe", b"{", b"[" * 100_000, b"\0" * (2 << 20)):
        (tmp_path / "rnn" / name).write_bytes(content)
        loaded = checkpoint.load(tmp_path / "rnn")
        assert loaded.info.metrics == {"val_stream_nats": 1.1} and len(loaded.info.passage) < 1 << 20
