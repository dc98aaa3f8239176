"""The file of a network that the page's engine runs."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from torch import Tensor

from charrnn.cells import HiddenState, NoGates, VanillaRNNCell
from charrnn.export import network_file as file_module
from charrnn.export import recorded_step
from charrnn.export.module_decoder import ModuleDecoder
from charrnn.ui.engine.network_route import network_routes
from charrnn.ui.server.checkpoint_store import Store
from tests.small_models import save_all


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(save_all(tmp_path_factory.mktemp("small")))


def fetched(store: Store, loaded: str, **changed: str) -> tuple[int, bytes]:
    model = store.load(loaded)
    (route,) = network_routes(store)
    asked = {"name": loaded, "step": model.checkpoint.step, "sha256": model.info.sha256} | changed
    response = route.endpoint(**asked)
    return response.status_code, response.body


@pytest.mark.parametrize("name", ["rnn", "lstm-layernorm", "minigpt"])
def test_network_file_has_weights_graph_model_and_views(small: Store, name: str):
    status, body = fetched(small, name)
    content, model = gzip.decompress(body), small.load(name)
    assert status == 200
    weights = {key: weight.numpy() for key, weight in model.checkpoint.model.state_dict().items()}
    assert {key: np.array_equal(value, weights[key]) for key, value in load(content).items()} == dict.fromkeys(
        weights, True
    )
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["network"])
    graph = metadata["graph"]
    assert graph | {"beginning": None} == recorded_step(model.checkpoint.model).to_json() | {"beginning": None}
    np.testing.assert_allclose(graph["beginning"]["logits"], model.initial_output.logits)
    assert metadata["model"]["sha256"] == model.info.sha256
    separate = Store(small.root).load(name)
    assert metadata["views"] == {view: separate.view(view).to_json() for view in model.view_names}


def test_network_that_is_not_offered_is_refused_with_its_reason(small: Store, monkeypatch: pytest.MonkeyPatch):
    assert fetched(small, "rnn", sha256="0" * 64) == (404, b"rnn has changed: read the text again")
    status, words = fetched(small, "rnn", name="other")
    assert status == 404 and b"there is no checkpoint 'other'" in words
    monkeypatch.setattr(file_module, "MAX_BYTES", 1000)
    status, words = fetched(small, "gru")
    assert status == 404 and b"its weights take" in words


def test_unrecorded_step_is_refused_and_runs_in_its_module(small: Store, monkeypatch: pytest.MonkeyPatch):
    def update(self: Any, from_input: Tensor, from_state: Tensor, state: Any) -> Any:
        return HiddenState(torch.special.bessel_j0(from_input + from_state)), NoGates()

    monkeypatch.setattr(VanillaRNNCell, "update", update)
    edited = Store(small.root)
    line = update.__code__.co_firstlineno + 1
    status, words = fetched(edited, "rnn")
    assert status == 404
    assert f"special_bessel_j0 cannot be recorded (test_network_route.py:{line})" in words.decode()
    decoder = edited.load("rnn").decoder
    assert np.isfinite(decoder.prefill([3, 4]).logits).all() and isinstance(decoder, ModuleDecoder)


def test_every_bundled_network_fits_in_the_page():
    for path in (Path(__file__).resolve().parents[1] / "checkpoints").glob("*/model.safetensors"):
        assert path.stat().st_size < file_module.MAX_BYTES
