"""Lecture scenes: settings and recomputed answers on bundled checkpoints."""

import re

import numpy as np
import pytest
import torch

from charrnn.checkpoint import load
from charrnn.gradient_flow import flow_from_record
from charrnn.paths import CHECKPOINTS
from charrnn.ranges import signed
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.site import selected_checkpoints
from charrnn.ui.lecture.lecture import open_link
from charrnn.ui.lecture.scenes import SCENES, Scene
from charrnn.ui.lecture.trained_model_answers import Answer
from charrnn.ui.server.analyses import default_text
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.share_link import ShareLink

pytestmark = pytest.mark.usefixtures("no_corpus")

BY_ID = {scene.id: scene for scene in SCENES}


def figures(sentence: str) -> list[float]:
    """The numbers in a sentence."""
    found = re.findall(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?", sentence.replace("−", "-"))
    return [float(number.replace(",", "")) for number in found]


def read(name: str, text: str) -> tuple[np.ndarray, np.ndarray]:
    """h after each character (T, H) and the logits that predicted it (T, V)."""
    trained = load(CHECKPOINTS / name)
    decoder = trained.model.decoder()
    trace = decoder.read(trained.vocab.encode(text))
    logits = np.concatenate([decoder.prefill([]).logits[None], trace.logits[:-1]])
    return trace.activations.get("h", np.zeros((len(text), 1))).astype(float), logits.astype(float)


def generated(scene: Scene, temperature: float) -> tuple[str, list]:
    """The text of a scene and its steps."""
    trained = load(CHECKPOINTS / scene.sets["model"])
    decoder, prompt = trained.model.decoder(), "ROMEO:\n"
    beginning = decoder.prefill(trained.vocab.encode(prompt))
    n, draws = int(scene.sets["characters"]), UniformStream(int(scene.sets["seed"]))
    steps = list(generate(decoder, beginning, n, SamplingSettings(temperature), draws))
    return prompt + trained.vocab.decode([step.id for step in steps]), steps


def test_scenes_set_existing_settings(store):
    assert len(BY_ID) == len(SCENES) == 9
    for number, scene in enumerate(SCENES, 1):
        link = open_link(store, {"lecture": "1", "scene": str(number)})
        assert link.notice() is None, scene.id
        assert link.query.model == scene.sets["model"]
        assert scene.question.endswith("?") and not scene.look.endswith("?") or scene.look.count("?") == 1


def test_link_settings_precede_scene(store):
    link = open_link(store, {"lecture": "1", "scene": "1", "temperature": "0.5", "tab": "compare"})
    assert link.query.temperature == 0.5 and link.query.tab == "Compare"
    assert link.query.characters == 240
    assert "scene is 12: give a whole number from 1 to 9" in open_link(store, {"lecture": "1", "scene": "12"}).problems
    assert open_link(store, {"scene": "1"}).query.characters == 400  # a scene needs lecture=1


def test_scene_temperature_matches_plain_loop(store):
    answer = BY_ID["temperature"].measured_answer(store)
    expected, texts = [240.0], []
    for temperature in (0.3, 1, 1.6):
        text, steps = generated(BY_ID["temperature"], temperature)
        greedy = [int(np.argmax(step.logits)) == step.id for step in steps]
        probs = torch.softmax(torch.from_numpy(np.stack([s.logits for s in steps])).double() / temperature, dim=1)
        bits = torch.special.entr(probs).sum(dim=1).mean().item() / np.log(2)
        expected += [temperature, round(100 * float(np.mean(greedy))), round(bits, 2)]
        texts.append(text)
    assert figures(answer.words) == expected
    assert [text for _, text, _ in answer.texts] == texts
    assert [title for title, _, _ in answer.texts] == ["T = 0.3", "T = 1", "T = 1.6"]
    for text, (_, _, divergence) in zip(texts, answer.texts, strict=True):
        assert text[:divergence] == texts[1][:divergence]
        assert divergence == len(text) or text[divergence] != texts[1][divergence]
    shares, bits = expected[2::3], expected[3::3]
    assert shares == sorted(shares, reverse=True) and bits == sorted(bits)


def check_unit(answer: Answer, h: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    gap = [abs(h[inside, unit].mean() - h[~inside, unit].mean()) for unit in range(h.shape[1])]
    unit = int(np.argmax(gap))
    assert answer.shown["unit"] == unit and f"Unit {unit} " in answer.words
    assert inside[answer.shown["position"]] and not inside[answer.shown["position"] + 1 :].any()
    return h[inside, unit].mean(), h[~inside, unit].mean()


def test_scene_newline_matches_plain_loop(store):
    answer = BY_ID["newline"].measured_answer(store)
    text, _ = generated(BY_ID["newline"], 0.8)
    h, _ = read("rnn", text)
    inside = np.array([c == "\n" for c in text])
    at_ends, elsewhere = check_unit(answer, h, inside)
    assert f"at the {text.count(chr(10))} line ends its h is {signed(at_ends, 2)}" in answer.words
    assert f"at the other {len(text) - text.count(chr(10))} characters {signed(elsewhere, 2)}" in answer.words
    moved = [np.abs(h[i] - h[i - 1]).mean() for i in range(1, len(text))]
    at_end, otherwise = np.mean(np.array(moved)[inside[1:]]), np.mean(np.array(moved)[~inside[1:]])
    assert f"|Δh| is {at_end:.2f} a unit at a line end, {otherwise:.2f} otherwise" in answer.words
    assert f"moves {'more' if at_end > otherwise else 'less'} than" in answer.words


def test_scene_speaker_matches_plain_loop(store):
    answer = BY_ID["speaker"].measured_answer(store)
    text, _ = generated(BY_ID["speaker"], 0.8)
    h, _ = read("lstm", text)
    inside, start, previous = np.zeros(len(text), dtype=bool), 0, "\n"
    for line in text.splitlines(keepends=True):
        if line.rstrip("\n").endswith(":") and line[0].isupper() and previous == "\n":
            inside[start : start + len(line.rstrip("\n"))] = True
        start, previous = start + len(line), line
    assert inside.sum() > 20
    in_names, elsewhere = check_unit(answer, h, inside)
    capitals = np.array([c.isupper() for c in text]) & ~inside
    other = h[capitals, answer.shown["unit"]].mean()
    assert f"tells the {inside.sum()} characters of names best: h is {signed(in_names, 2)}" in answer.words
    assert f"{signed(elsewhere, 2)} at all others, {signed(other, 2)} at the {capitals.sum()} capitals" in answer.words
    any_capital = abs(other - in_names) <= abs(other - elsewhere)
    assert ("capitals as such" in answer.words) == any_capital != ("names themselves" in answer.words)


def test_scene_gradient_matches_record(store):
    answer = BY_ID["gradient"].measured_answer(store)
    assert answer.shown["tick"] == ["rnn", "lstm", "minigpt"]
    sentences = re.split(r"(?<=back)\. ?", answer.words)[:3]
    horizons = []
    for name, sentence in zip(answer.shown["tick"], sentences, strict=True):
        loaded = store.load(name)
        flow = flow_from_record(load(CHECKPOINTS / name).info.analyses.sections["gradient"])
        below = np.flatnonzero(flow.median < 0.01)  # the horizon is right before the first of them
        half = np.flatnonzero(flow.median < 0.5)
        shown_half, *half_ends, _, shown_horizon, low, high, left, _ = figures(sentence.partition(": ")[2])
        assert flow.half_life_interval and flow.horizon_interval
        ends = [*flow.half_life_interval, *flow.horizon_interval]
        assert [*half_ends, low, high] == pytest.approx(ends, abs=0.051)
        assert half[0] - 1 <= shown_half <= half[0] and below[0] - 1 <= shown_horizon <= below[0]
        assert left == float(f"{flow.median[100]:.0e}") and sentence.startswith(loaded.title)
        horizons.append(shown_horizon)
    assert horizons == sorted(horizons)


def test_scene_transformer_matches_plain_loop(store):
    answer = BY_ID["transformer"].measured_answer(store)
    text = default_text(store.load("rnn")).text[:2000]
    bits = {}
    for name in ("rnn", "minigpt"):
        _, logits = read(name, text)
        log_probs = torch.log_softmax(torch.from_numpy(logits), dim=1)
        ids = torch.tensor(load(CHECKPOINTS / name).vocab.encode(text))
        bits[name] = -log_probs[torch.arange(len(ids)), ids].numpy() / np.log(2)
    assert f"needs {bits['rnn'].mean():.2f} bits a character, MiniGPT {bits['minigpt'].mean():.2f}" in answer.words
    saved = bits["rnn"] - bits["minigpt"]
    named = dict(re.findall(r"(most|least) at “([^”]+)”", answer.words))
    whole = {"newline": [c == "\n" for c in text], "space": [c == " " for c in text]}
    for kind in set(whole) & set(named.values()):
        inside = np.array(whole[kind])
        assert f"“{kind}” ({signed(saved[inside].mean(), 2)} bits each, {inside.sum()} of them)" in answer.words
    assert set(named) == {"most", "least"}
    for name in ("rnn", "minigpt"):
        loss = load(CHECKPOINTS / name).info.metrics["val_stream_nats"]
        assert f"{loss:.3f}" in answer.words
    assert answer.shown["tick"] == ["rnn", "minigpt"]


def test_scene_without_its_checkpoint_says_so(tmp_path):
    (tmp_path / "gru").symlink_to(CHECKPOINTS / "gru")
    store = Store(tmp_path)
    for scene in SCENES:
        notice = scene.link(store).notice()
        assert (notice is None) == (scene.sets["model"] == "gru")
        assert notice is None or scene.sets["model"] in notice["text"]
    assert "there is no checkpoint 'rnn'" in BY_ID["transformer"].measured_answer(store).words


@pytest.mark.parametrize("name", ["rnn", "gru", "minigpt"])
def test_every_trained_model_answers_on_any_network(trained, name):
    with selected_checkpoints(trained, [name]) as root:
        assert all(scene.measured_answer(Store(root)).words for scene in SCENES)


def test_scene_without_speaker_says_so(store):
    short = Scene("short", "", "?", "", BY_ID["speaker"].answer, {"model": "rnn", "prompt": "a", "characters": "1"})
    assert "take another seed" in short.measured_answer(store).words
    assert isinstance(short.link(store), ShareLink)
