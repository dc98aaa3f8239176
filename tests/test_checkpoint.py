"""Save, load and list checkpoints."""

import io
import json
import os
import shutil
import stat
import struct

import pytest
import torch
from safetensors.torch import save as to_bytes

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError, safetensors_io, saving
from charrnn.metrics import Metrics
from charrnn.model import CharRNN
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.view_query import ViewQuery
from charrnn.vocab import Vocab
from tests.checkpoint_files import HISTORY, VOCAB, edit_safetensors, set_metadata, write_model, write_random


def test_checkpoint_round_trip(tmp_path):
    model = write_random(tmp_path / "rnn")
    loaded = checkpoint.load(tmp_path / "rnn")
    assert loaded.vocab == VOCAB
    assert loaded.step == loaded.info.step == 20
    assert loaded.history == HISTORY
    assert (loaded.info.name, loaded.info.cell, loaded.info.hidden_dim, loaded.info.seed) == ("rnn", "rnn", 4, 3)
    assert loaded.info.metrics == {"val_stream_nats": 1.1}
    assert loaded.info.passage == "ab cab\n"
    assert loaded.info.parameters == sum(p.numel() for p in model.parameters())
    assert not loaded.model.training
    assert_same_weights(loaded.model, model)


def assert_same_weights(model, expected):
    for name, weight in model.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, expected.state_dict()[name])


@pytest.mark.parametrize(
    "config",
    [
        {"cell": "rnn", "hidden_dim": 4, "layer_norm": True},
        {"cell": "gru", "hidden_dim": 4, "layer_norm": False},
        {"cell": "gru", "hidden_dim": 4, "layer_norm": True},
        {"cell": "lstm", "hidden_dim": 4, "layer_norm": False},
        {"cell": "lstm", "hidden_dim": 4, "layer_norm": True},
        {"cell": "minigpt", "hidden_dim": 8, "layers": 3, "heads": 2, "context": 5},
    ],
    ids=lambda config: "-".join(map(str, config.values())),
)
def test_checkpoint_round_trip_of_every_network(tmp_path, config):
    model = write_random(tmp_path, config=config)
    loaded = checkpoint.load(tmp_path)
    assert loaded.info.config == loaded.model.config == model.config == config
    ids = torch.tensor([VOCAB.encode("a cab abc\n")])
    assert torch.equal(loaded.model(ids)[0], model(ids)[0])
    assert checkpoint.load(tmp_path, step=10).model.config == config


def test_checkpoint_layer_norm_defaults_to_false(tmp_path):
    write_random(tmp_path)
    edit_safetensors(tmp_path / "model.safetensors", set_metadata("config", {"cell": "rnn", "hidden_dim": 4}))
    loaded = checkpoint.load(tmp_path)
    assert loaded.info.config == loaded.model.config == {"cell": "rnn", "hidden_dim": 4, "layer_norm": False}


@pytest.mark.parametrize("number", [2**63 - 1, 2.0**63, -(2.0**63)])
def test_recipe_has_numbers_up_to_two_to_the_63(tmp_path, number):
    write_random(tmp_path)
    edit_safetensors(tmp_path / "model.safetensors", set_metadata("recipe", {"a": number}))
    assert checkpoint.describe(tmp_path).recipe == {"a": number}
    edit_safetensors(tmp_path / "model.safetensors", set_metadata("recipe", {"a": number * 2.0}))
    with pytest.raises(checkpoint.CheckpointError, match="numbers up to 2\\^63"):
        checkpoint.describe(tmp_path)


def test_loading_leaves_global_random_state_alone(tmp_path):
    write_random(tmp_path)
    before = torch.get_rng_state()
    checkpoint.load(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_loaded_model_can_be_trained(tmp_path):
    write_random(tmp_path)
    model = checkpoint.load(tmp_path).model
    logits, _ = model.fast_forward(torch.tensor([VOCAB.encode("abc a")]))
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def dtypes(path):
    return {tensor.dtype for tensor in safetensors_io.read(path).tensors().values()}


def test_half_weights_are_stored_as_halves(tmp_path):
    model = write_random(tmp_path / "exact")
    assert dtypes(tmp_path / "exact/model.safetensors") == {torch.float32}
    for parameter in model.parameters():
        parameter.data.copy_(parameter.data.half())
    write_model(tmp_path / "halves", model)
    assert dtypes(tmp_path / "halves/model.safetensors") == {torch.float16}
    assert_same_weights(checkpoint.load(tmp_path / "halves").model, model)


def test_weights_stay_float32_unless_all_are_halves(tmp_path):
    for name, odd in {"too fine": 1 + 2**-12, "too large": 1e6}.items():
        weights = {"a": torch.ones(3), "b": torch.tensor([0.5, odd])}
        smallest = saving._fp16_if_exact(weights)
        assert {weight.dtype for weight in smallest.values()} == {torch.float32}, name
        assert torch.equal(smallest["b"], weights["b"])


def test_saved_step_loads_with_its_history(tmp_path):
    model = write_random(tmp_path)
    loaded = checkpoint.load(tmp_path, step=10)
    assert checkpoint.describe(tmp_path).saved_steps == [0, 10, 20]
    assert loaded.step == 10
    assert torch.allclose(loaded.model.head.weight, model.head.weight / 2, atol=2e-3)
    assert loaded.model.head.weight.dtype == torch.float32
    assert [p.step for p in checkpoint.load(tmp_path, step=0).history] == [0]
    with pytest.raises(CheckpointError, match="no step 5: give one of 0, 10, 20"):
        checkpoint.load(tmp_path, step=5)


@pytest.mark.parametrize("difference", [{"seed": 4}, {"recipe": {"steps": 30}}, {"data_sha256": "e" * 64}])
def test_step_of_another_run_is_not_offered(tmp_path, difference):
    write_random(tmp_path / "a")
    write_random(tmp_path / "b", **difference)
    os.replace(tmp_path / "b/steps/000010.safetensors", tmp_path / "a/steps/000010.safetensors")
    assert checkpoint.describe(tmp_path / "a").saved_steps == [0, 20]
    with pytest.raises(CheckpointError, match="no step 10: give one of 0, 20"):
        checkpoint.load(tmp_path / "a", step=10)


def test_damaged_or_misnamed_step_is_not_offered(tmp_path):
    write_random(tmp_path)
    os.rename(tmp_path / "steps/000010.safetensors", tmp_path / "steps/000011.safetensors")
    (tmp_path / "steps/000000.safetensors").write_bytes(b"")
    assert checkpoint.describe(tmp_path).saved_steps == [20]


def test_truncated_step_is_not_offered(tmp_path):
    write_random(tmp_path)
    path = tmp_path / "steps/000010.safetensors"
    content = path.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    for damaged in (content[: (header + len(content)) // 2], content[:-1], content + b"more"):
        path.write_bytes(damaged)
        assert checkpoint.describe(tmp_path).saved_steps == [0, 20]
    path.write_bytes(content)
    assert checkpoint.describe(tmp_path).saved_steps == [0, 10, 20]


def test_listing_steps_reads_headers_only(tmp_path, monkeypatch):
    weights = {"embed.weight": torch.zeros(1000, 1000).half()}
    write_random(tmp_path, saved={0: weights, 10: weights})
    sizes = []

    class CountingFile(io.FileIO):
        def read(self, size=-1):
            content = super().read(size)
            sizes.append(len(content))
            return content

    monkeypatch.setattr(safetensors_io, "open", CountingFile, raising=False)
    assert checkpoint.describe(tmp_path).saved_steps == [0, 10, 20]
    assert sum(sizes) < 20_000 + (tmp_path / "model.safetensors").stat().st_size
    assert (tmp_path / "steps/000010.safetensors").stat().st_size > 2_000_000


def test_saving_removes_steps_of_earlier_run(tmp_path):
    write_random(tmp_path)
    write_random(tmp_path, saved={})
    assert checkpoint.describe(tmp_path).saved_steps == [20]


def test_checkpoint_files_are_world_readable(tmp_path):
    write_random(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in files)


def test_json_copies_match_model(tmp_path):
    write_random(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["vocab"] == VOCAB.characters
    assert config["metrics"] == {"val_stream_nats": 1.1}
    history = json.loads((tmp_path / "history.json").read_text(encoding="utf-8"))
    assert [Metrics(**point) for point in history] == HISTORY


def test_run_state_round_trip(tmp_path):
    tensors = {"model.a": torch.randn(3), "rng": torch.Generator().get_state(), "optimizer.0.step": torch.tensor(4.0)}
    checkpoint.save_run(tmp_path, tensors, {"step": 4, "losses": [0.1, 1 / 3]})
    assert checkpoint.has_run_state(tmp_path)
    loaded, run = checkpoint.load_run(tmp_path)
    assert run == {"step": 4, "losses": [0.1, 1 / 3]}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    checkpoint.remove_run(tmp_path)
    with pytest.raises(CheckpointError, match="no unfinished run"):
        checkpoint.load_run(tmp_path)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_state_dict_cell_is_recognised(tmp_path, cell, layer_norm):
    solution, path = CharRNN(len(VOCAB), 4, cell, layer_norm), tmp_path / "solution.safetensors"
    path.write_bytes(to_bytes(solution.state_dict()))
    loaded = checkpoint.load_state_dict(path, VOCAB)
    assert loaded.config == {"cell": cell, "hidden_dim": 4, "layer_norm": layer_norm}
    assert_same_weights(loaded, solution)
    with pytest.raises(CheckpointError, match="vocabulary of 2 characters"):
        checkpoint.load_state_dict(path, Vocab("ab"))


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "module._orig_mod."])
def test_state_dict_prefixes_of_wrappers_are_removed(tmp_path, prefix):
    solution, path = CharRNN(len(VOCAB), 4, "gru", True), tmp_path / "solution.safetensors"
    wrapped = {prefix + name: weight for name, weight in solution.state_dict().items()}
    path.write_bytes(to_bytes(wrapped))
    assert_same_weights(checkpoint.load_state_dict(path, VOCAB), solution)
    path.write_bytes(to_bytes(wrapped | {"loss.weight": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match="of one within another module, save its own state_dict"):
        checkpoint.load_state_dict(path, VOCAB)


def test_unreadable_checkpoint_is_not_written(tmp_path, monkeypatch):
    write_random(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(ValueError):
        write_random(tmp_path, metrics={"val_stream_nats": float("nan")})
    monkeypatch.setattr(safetensors_io, "MAX_HEADER_BYTES", 100)
    with pytest.raises(CheckpointError, match="in its header: too many"):
        write_random(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_checkpoint_folder_keeps_its_saved_name(tmp_path):
    write_random(tmp_path / "rnn")
    os.rename(tmp_path / "rnn", tmp_path / "0123abcd")
    assert [info.name for info in checkpoint.list_checkpoints(tmp_path / "0123abcd")[0]] == ["rnn"]
    assert [info.name for info in checkpoint.list_checkpoints(tmp_path)[0]] == ["0123abcd"]


def test_links_are_listed_and_hidden_folders_are_not(tmp_path):
    write_random(tmp_path / "rnn")
    (tmp_path / "latest").symlink_to("rnn")
    shutil.copytree(tmp_path / "rnn", tmp_path / ".git")
    good, refused = checkpoint.list_checkpoints(tmp_path)
    assert [info.name for info in good] == ["latest", "rnn"] and not refused
    store = Store(tmp_path)
    assert store.load("latest").info.name == "latest" and store.load("rnn").info.name == "rnn"
    assert checkpoint.load(tmp_path / "latest").info.name == "latest"


@pytest.mark.parametrize("name", ["a" * 255, "می\u200cخواهم", "👩\u200d💻", "née  ½"])
def test_folder_names_of_any_script_are_accepted(tmp_path, name):
    write_random(tmp_path / name)
    assert [info.name for info in checkpoint.list_checkpoints(tmp_path)[0]] == [name]
    choice = ViewQuery.from_page({"width": 900, "name": name, "names": [name], "number": 1}).choice
    assert Store(tmp_path).load(choice.name).info.name == name


def test_saved_steps_are_limited_to_64(tmp_path):
    early = {"embed.weight": torch.zeros(6, 4)}
    write_random(tmp_path, step=100, saved=dict.fromkeys(range(100), early))
    assert checkpoint.describe(tmp_path).saved_steps == [*range(64), 100]
