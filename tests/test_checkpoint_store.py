"""The checkpoint store: listing, loading, eviction and errors."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrnn.checkpoint import CheckpointError
from charrnn.paths import CHECKPOINTS
from charrnn.ui.server import checkpoint_store
from charrnn.ui.server.checkpoint_store import Store, quality_of, size_of
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.sidebar.python_source import python_source
from tests.small_models import SMALL, save_small


def test_checkpoints_are_listed_in_order_with_summary(tmp_path: Path):
    for name in ("zebra", "rnn-lab", "best", "minigpt", "lstm", "rnn-seq512", "rnn"):
        save_small(tmp_path / name, SMALL["minigpt" if name == "minigpt" else "lstm"])
    infos = Store(tmp_path).checkpoints()
    titles = [LoadedModel.title_of(info) for info in infos]
    assert titles == [
        "Vanilla RNN",
        "RNN, long context 512",
        "LSTM",
        "MiniGPT",
        "Best: LSTM, 28 units",
        "Vanilla RNN, lab recipe",
        "zebra",
    ]
    assert quality_of(infos[0]) == "2.16 bits per character"
    sizes = {
        100: "100 weights",
        164_929: "165,000 weights",
        999_700: "1 million weights",
        1_234_567: "1.23 million weights",
    }
    assert {n: size_of(replace(infos[0], parameters=n)) for n in sizes} == sizes


def test_source_of_a_checkpoint_is_python_that_loads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def source_of(root: Path) -> dict[str, Any]:
        store = Store(root)
        return python_source(store.root, store.checkpoints()[0])

    def loads(given: dict[str, Any]) -> bool:
        names: dict[str, Any] = {}
        exec("\n".join([*given["imports"], f"folder = {given['source']}"]), names)
        return (names["folder"] / "config.json").is_file()

    save_small(tmp_path / "models" / "gru", SMALL["gru"])
    monkeypatch.chdir(tmp_path)
    assert loads(source_of(Path("models"))) and loads(source_of(CHECKPOINTS))
    assert "in which the app was started" in source_of(Path("models"))["note"]
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert loads(source_of(CHECKPOINTS)) and "note" not in source_of(CHECKPOINTS)
    outside = source_of(Path("../models"))
    assert (outside["source"], outside["note"]) == ("Path('models/gru')", "give the place of this folder")


def test_concurrent_loads_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    for name in ("list_checkpoints", "load"):
        real = getattr(checkpoint_store, name)
        monkeypatch.setattr(
            checkpoint_store, name, lambda *args, real=real, name=name: calls.append(name) or real(*args)
        )
    save_small(tmp_path / "gru", SMALL["gru"])
    fresh = Store(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: fresh.load("gru"), range(16)))
    assert sorted(calls) == ["list_checkpoints", "load"] and len(set(map(id, models))) == 1


def test_loaded_model_needs_no_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("gru", "lstm"):
        save_small(tmp_path / name, SMALL[name])
    store = Store(tmp_path)
    gru = store.load("gru")
    with monkeypatch.context() as patch:
        patch.setattr(store, "_listed", lambda: pytest.fail("the folder was listed"))
        assert store.load("gru") is gru and store.load("gru", gru.checkpoint.step) is gru
    save_small(tmp_path / "gru", SMALL["lstm"])
    assert store.load("gru").info.config["cell"] == "lstm", "a changed file is read again"


@pytest.mark.parametrize("most", ["MAX_LOADED", "MAX_PARAMETERS"])
def test_least_recently_used_model_is_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str):
    for name in ("gru", "lstm", "rnn"):
        save_small(tmp_path / name, SMALL["lstm"])
    store = Store(tmp_path)
    monkeypatch.setattr(checkpoint_store, most, 2 if most == "MAX_LOADED" else 2 * store.checkpoints()[0].parameters)
    gru, lstm = store.load("gru"), store.load("lstm")
    assert store.load("gru") is gru
    store.load("rnn")
    assert store.load("gru") is gru and store.load("lstm") is not lstm
    monkeypatch.setattr(checkpoint_store, most, 0)
    assert store.load("rnn") is store.load("rnn"), "the last one stays, whatever its size"


def test_single_checkpoint_keeps_its_name(tmp_path: Path):
    save_small(tmp_path / "mine", SMALL["gru"])
    (tmp_path / "mine").rename(tmp_path / ("a" * 40))  # as in a download
    alone = Store(tmp_path / ("a" * 40))
    assert [info.name for info in alone.checkpoints()] == ["mine"]
    assert alone.load().info.name == alone.load("mine").info.name == alone.load("mine").metadata()["name"] == "mine"


def test_errors_hide_local_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path / "networks"
    save_small(root / "gru", SMALL["gru"])
    store = Store(root)
    listed = store.checkpoints()
    (root / "gru/model.safetensors").write_bytes(b"")
    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="^gru/model.safetensors is not a saf"):
        patch.setattr(Store, "checkpoints", lambda self: listed)  # damaged after listing
        store.load("gru")
    assert Store(root).empty_reason() == "gru/model.safetensors is not a safetensors file"
    alone = Store(root / "gru")
    assert alone.empty_reason() == "model.safetensors is not a safetensors file"
    (root / "gru/model.safetensors").unlink()
    reason = "networks holds no checkpoint: train one with scripts/train.py, or name another folder"
    assert Store(root).empty_reason() == reason
    with pytest.raises(CheckpointError, match=f"^{reason}$"):
        Store(root).load()
