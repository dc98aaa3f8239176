"""`from_pretrained`, `save_pretrained`, `push_to_hub` of models, on a fake Hub."""

import json
import os
import subprocess
import sys

import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin

from charrnn import CharRNN, CheckpointError, MiniGPT, Vocab, load
from charrnn.hub import HubError
from tests.hub_client import ROOT

VOCAB = Vocab("\n abc")


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_saved_model_is_a_checkpoint_and_comes_back(tmp_path):
    model = CharRNN(5, 4, cell="lstm", layer_norm=True)
    model.save_pretrained(tmp_path / "mine", vocab=VOCAB)
    back = CharRNN.from_pretrained(tmp_path / "mine")
    assert same(model, back) and not back.training and back.config == model.config
    assert back.vocab is not None and back.vocab.characters == VOCAB.characters
    assert load(tmp_path / "mine").history == []
    for _ in range(2):
        back.save_pretrained(tmp_path / "copy")
    assert same(CharRNN.from_pretrained(tmp_path, subfolder="copy"), model)


def test_other_kind_of_model_is_refused(tmp_path):
    model = MiniGPT(5, hidden_dim=8, layers=1, heads=2, context=4)
    model.save_pretrained(tmp_path / "gpt", vocab=VOCAB)
    assert same(MiniGPT.from_pretrained(tmp_path / "gpt"), model)
    with pytest.raises(CheckpointError, match="contains a MiniGPT: load it with MiniGPT.from_pretrained"):
        CharRNN.from_pretrained(tmp_path / "gpt")
    with pytest.raises(CheckpointError, match="it contains gpt; give subfolder="):
        CharRNN.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="give a folder in"):
        CharRNN.from_pretrained(tmp_path / "gpt", subfolder="../gpt")


def test_vocabulary_is_required_and_fits(tmp_path):
    with pytest.raises(ValueError, match="give vocab="):
        CharRNN(5, 4).save_pretrained(tmp_path / "mine")
    with pytest.raises(ValueError, match="vocab has 5 characters, the model 6"):
        CharRNN(6, 4).save_pretrained(tmp_path / "mine", vocab=VOCAB)
    assert not (tmp_path / "mine").exists()


def test_foreign_folder_is_not_changed(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError):
        CharRNN(5, 4).save_pretrained(tmp_path, vocab=VOCAB)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    with pytest.raises(HubError):
        CharRNN(5, 4).push_to_hub("no name", vocab=VOCAB)


def test_mixin_readers_understand_files(tmp_path):
    class Theirs(PyTorchModelHubMixin, CharRNN):  # pyright: ignore[reportIncompatibleMethodOverride]
        pass

    model = CharRNN(5, 4, cell="gru", layer_norm=True)
    model.save_pretrained(tmp_path / "mine", vocab=VOCAB)
    config = json.loads((tmp_path / "mine/config.json").read_text(encoding="utf-8"))
    assert {"vocab_size": 5, "hidden_dim": 4, "cell": "gru", "layer_norm": True}.items() <= config.items()
    assert same(Theirs.from_pretrained(str(tmp_path / "mine")), model)


def test_bundled_configs_carry_arguments():
    for path in (ROOT / "checkpoints").glob("*/config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        assert {"vocab_size": len(config["vocab"]), **config["config"]}.items() <= config.items(), path


def test_pushed_model_comes_back(server, tmp_path):
    code = """
import torch
from charrnn import CharRNN, Vocab
model = CharRNN(5, 4, cell="gru")
url = model.push_to_hub("me/mine", vocab=Vocab("\\n abc"))
back = CharRNN.from_pretrained("me/mine", revision="v1")
assert url.endswith("/me/mine") and back.vocab.characters == "\\n abc"
assert all(torch.equal(a, b) for a, b in zip(model.parameters(), back.parameters(), strict=True))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | server.environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert {"README.md", "config.json", "history.json", "model.safetensors"} <= server.files("me/mine")
