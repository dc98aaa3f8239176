"""Which models a folder offers, and that they are read once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from charrnn.checkpoint import CheckpointError
from charrnn.ui.server import checkpoint_store as room
from charrnn.ui.server.checkpoint_store import Store, facts
from charrnn.ui.server.loaded_model import Reader
from tests.small_models import SMALL, save_small


def test_models_are_offered_in_a_sensible_order_with_size_and_quality(tmp_path: Path):
    for name in ("zebra", "rnn-lab", "best", "minigpt", "lstm", "rnn-seq512", "rnn"):
        save_small(tmp_path / name, SMALL["minigpt" if name == "minigpt" else "lstm"])
    infos = Store(tmp_path).infos()
    titles = [Reader.title_of(info) for info in infos]
    assert titles == [
        "Vanilla RNN",
        "RNN, long context 512",
        "LSTM",
        "MiniGPT",
        "Best: LSTM, 28 units",
        "Vanilla RNN, lab recipe",
        "zebra",
    ]
    assert facts(infos[0]).endswith("k parameters · 2.16 bits per character")


def test_many_who_come_at_once_read_the_folder_and_a_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    for name in ("list_checkpoints", "load"):
        real = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *given, real=real, name=name: calls.append(name) or real(*given))
    save_small(tmp_path / "gru", SMALL["gru"])
    fresh = Store(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        readers = list(pool.map(lambda _: fresh.reader("gru"), range(16)))
    assert sorted(calls) == ["list_checkpoints", "load"] and len(set(map(id, readers))) == 1


def test_a_loaded_model_is_found_without_listing_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("gru", "lstm"):
        save_small(tmp_path / name, SMALL[name])
    store = Store(tmp_path)
    gru = store.reader("gru")
    with monkeypatch.context() as patch:
        patch.setattr(store, "_listed", lambda: pytest.fail("the folder was listed"))
        assert store.reader("gru") is gru and store.reader("gru", gru.checkpoint.step) is gru
    save_small(tmp_path / "gru", SMALL["lstm"])
    assert store.reader("gru").info.config["cell"] == "lstm", "a file that changed is read again"


@pytest.mark.parametrize("most", ["MOST_LOADED", "MOST_PARAMETERS"])
def test_what_was_not_used_for_longest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str):
    for name in ("gru", "lstm", "rnn"):
        save_small(tmp_path / name, SMALL["lstm"])
    store = Store(tmp_path)
    monkeypatch.setattr(room, most, 2 if most == "MOST_LOADED" else 2 * store.infos()[0].parameters)
    gru, lstm = store.reader("gru"), store.reader("lstm")
    assert store.reader("gru") is gru
    store.reader("rnn")
    assert store.reader("gru") is gru and store.reader("lstm") is not lstm
    monkeypatch.setattr(room, most, 0)
    assert store.reader("rnn") is store.reader("rnn"), "the last one stays, however large"


def test_a_checkpoint_alone_is_called_what_it_was_saved_as(tmp_path: Path):
    save_small(tmp_path / "mine", SMALL["gru"])
    (tmp_path / "mine").rename(tmp_path / ("a" * 40))  # as a download is
    alone = Store(tmp_path / ("a" * 40))
    assert [info.name for info in alone.infos()] == ["mine"]
    assert (
        alone.reader().info.name == alone.reader("mine").info.name == alone.reader("mine").describe()["name"] == "mine"
    )


def test_what_is_wrong_is_told_without_where_this_machine_keeps_it(tmp_path: Path):
    root = tmp_path / "networks"
    save_small(root / "gru", SMALL["gru"])
    (root / "gru/model.safetensors").write_bytes(b"")
    assert Store(root).problem() == "gru/model.safetensors is not a safetensors file"
    alone = Store(root / "gru")
    assert alone.problem() == "model.safetensors is not a safetensors file"
    (root / "gru/model.safetensors").unlink()
    told = "networks holds no checkpoint: train one with scripts/train.py, or name another folder"
    assert Store(root).problem() == told
    with pytest.raises(CheckpointError, match=f"^{told}$"):
        Store(root).reader()


def test_a_checkpoint_that_is_damaged_after_it_was_listed_is_told_without_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_small(tmp_path / "gru", SMALL["gru"])
    store = Store(tmp_path)
    listed = store.infos()
    monkeypatch.setattr(Store, "infos", lambda self: listed)
    (tmp_path / "gru/model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="^gru/model.safetensors is not a safetensors file$"):
        store.reader("gru")
