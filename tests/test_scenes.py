"""Lecture scenes: settings and recomputed answers on bundled checkpoints."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.checkpoint import load
from charrnn.gradient_flow import flow_from_record
from charrnn.number_format import signed
from charrnn.paths import CHECKPOINTS
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.site import selected_checkpoints
from charrnn.ui.lecture.answer import Answer
from charrnn.ui.lecture.lecture import list_of_scenes, open_link
from charrnn.ui.lecture.scenes import SCENES, Scene
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.default_text import default_text
from charrnn.ui.server.share_link import TABS, ShareLink

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
        assert scene.question.endswith("?")
        tabs = [picture.tab for picture in scene.pictures if picture]
        assert TABS[tabs[0]] == link.query.tab, scene.id  # the link opens the tab of the first picture
    assert sum(scene.minutes for scene in SCENES) == 20


def check_sentence(answer: Answer) -> None:
    """Check the form of an answer: a short sentence around its number."""
    assert len(answer.sentence.split()) <= 25 and answer.sentence.endswith(".")
    assert answer.number in answer.sentence and figures(answer.number) and answer.details


def test_link_settings_precede_scene(store):
    link = open_link(store, {"lecture": "1", "scene": "1", "temperature": "0.5", "tab": "compare"})
    assert link.query.temperature == 0.5 and link.query.tab == "Compare"
    assert link.query.characters == 240
    assert "scene is 12: give a whole number from 1 to 9" in open_link(store, {"lecture": "1", "scene": "12"}).problems
    assert open_link(store, {"scene": "1"}).query.characters == 400  # a scene needs lecture=1


def test_scene_temperature_matches_plain_loop(store):
    answer = BY_ID["temperature"].measured_answer(store)
    check_sentence(answer)
    shares, bits, texts = [], [], []
    for temperature in (0.3, 1, 1.6):
        text, steps = generated(BY_ID["temperature"], temperature)
        greedy = [int(np.argmax(step.logits)) == step.id for step in steps]
        probs = torch.softmax(torch.from_numpy(np.stack([s.logits for s in steps])).double() / temperature, dim=1)
        bits.append(torch.special.entr(probs).sum(dim=1).mean().item() / np.log(2))
        shares.append(round(100 * float(np.mean(greedy))))
        texts.append(text)
    assert figures(answer.sentence) == [0.3, shares[0], 1.6, shares[2]]
    parts = answer.details.partition("temperature ")[2].split(";")
    for words, temperature, share, entropy in zip(parts, (0.3, 1, 1.6), shares, bits, strict=True):
        shown = figures(words.removeprefix(" temperature "))
        assert shown[:2] == [temperature, share] and shown[2] < share < shown[3]
        assert shown[4] == round(entropy, 2)
    assert [text for _, text, _ in answer.texts] == texts
    for text, (_, _, divergence) in zip(texts, answer.texts, strict=True):
        assert text[:divergence] == texts[1][:divergence]
        assert divergence == len(text) or text[divergence] != texts[1][divergence]
    assert shares == sorted(shares, reverse=True) and bits == sorted(bits)
    assert [(way["temperature"], way["position"]) for way in answer.ways] == [(0.3, 6), (1, 6), (1.6, 6)]


def check_unit(answer: Answer, name: str, concept: str) -> tuple[int, int, float]:
    """Check an answer's unit against the stored board; return it, direction, score."""
    units = load(CHECKPOINTS / name).info.analyses.sections["units"]
    best = units.tables["best"]
    row = list(zip(best["view"], best["concept"], strict=True)).index(("h", concept))
    unit, direction = (int(units.numbers("best", key)[row]) for key in ("unit", "direction"))
    score, low, high = (units.numbers("best", key)[row] for key in ("held_out", "low", "high"))
    assert answer.shown["unit"] == unit and f"Unit {unit} " in answer.sentence
    assert (" higher " if direction > 0 else " lower ") in answer.sentence
    assert f"{score:.3f} ({low:.3f} to {high:.3f})" in answer.details
    check_sentence(answer)
    return unit, direction, score


def test_scene_newline_matches_record(store):
    answer = BY_ID["newline"].measured_answer(store)
    text, _ = generated(BY_ID["newline"], 0.8)
    _, _, score = check_unit(answer, "rnn", "newline")
    assert answer.shown["position"] == text.rindex("\n")
    assert figures(answer.number) == [round(100 * score, 1)]
    text = default_text(store.load("rnn"), None).text[:2000]
    h, ends = read("rnn", text)[0], np.array([c == "\n" for c in text])
    auc = np.array([np.mean(unit[ends][:, None] > unit[~ends]) for unit in h.T])
    assert figures(answer.sentence)[0] == pytest.approx((np.maximum(auc, 1 - auc) > 0.99).sum(), abs=1)


def name_positions(text: str) -> np.ndarray:
    """Mark speakers' names, line by line."""
    inside, start, previous = np.zeros(len(text), dtype=bool), 0, "\n"
    for line in text.splitlines(keepends=True):
        if line.rstrip("\n").endswith(":") and line[0].isupper() and previous == "\n":
            inside[start : start + len(line.rstrip("\n"))] = True
        start, previous = start + len(line), line
    return inside


def test_scene_speaker_matches_pairs_of_characters(store):
    answer = BY_ID["speaker"].measured_answer(store)
    written, _ = generated(BY_ID["speaker"], 0.8)
    unit, direction, _ = check_unit(answer, "lstm", "speaker name")
    inside = name_positions(written)
    starts = np.flatnonzero(inside & ~np.roll(inside, 1))
    assert answer.shown["position"] == starts[np.diff(starts).argmin() + 1]  # so that two names are in sight
    text = default_text(store.load("lstm"), None).text[:2000]
    h = direction * read("lstm", text)[0][:, unit]
    names = name_positions(text)
    capitals = np.array([c.isupper() for c in text]) & ~names
    pairs = h[names][:, None] - h[capitals]
    share = np.mean((pairs > 0) + (pairs == 0) / 2)
    assert figures(answer.number) == [round(100 * float(share), 1)]
    assert ("names, not capitals" in answer.sentence) == (share > 0.75)
    assert f"the {names.sum()} characters of names {signed((direction * h[names]).mean(), 2)}" in answer.details
    assert f"{capitals.sum()} other capitals {signed((direction * h[capitals]).mean(), 2)}" in answer.details


def test_scene_gradient_matches_record(store):
    answer = BY_ID["gradient"].measured_answer(store)
    assert answer.shown["tick"] == ["rnn", "lstm", "minigpt"]
    check_sentence(answer)
    parts, horizons = answer.details.split(": halves after ")[1:], []
    for name, words in zip(answer.shown["tick"], parts, strict=True):
        flow = flow_from_record(load(CHECKPOINTS / name).info.analyses.sections["gradient"])
        below = np.flatnonzero(flow.median < 0.01)  # the horizon is right before the first of them
        half = np.flatnonzero(flow.median < 0.5)
        shown_half, *half_ends, _, horizon, low, high, positions = figures(words)[:8]
        assert flow.half_life_interval and flow.horizon_interval
        ends = [*flow.half_life_interval, *flow.horizon_interval]
        assert [*half_ends, low, high] == pytest.approx(ends, abs=0.051)
        assert half[0] - 1 <= shown_half <= half[0] and below[0] - 1 <= horizon <= below[0]
        assert positions == flow.positions
        horizons.append(horizon)
    assert figures(answer.sentence)[1:] == pytest.approx(horizons, abs=0.51)
    assert horizons == sorted(horizons)


def test_scene_transformer_matches_records(store):
    answer = BY_ID["transformer"].measured_answer(store)
    check_sentence(answer)
    kinds, saved, counts = {}, {}, {}
    for name in ("rnn", "minigpt"):
        table = load(CHECKPOINTS / name).info.analyses.sections["bits"].tables["kinds"]
        kinds[name] = np.array(table["kind"])
        counts[name], saved[name] = np.array(table["characters"]), np.array(table["bits"])
    delta = counts["rnn"] * (saved["rnn"] - saved["minigpt"])
    assert figures(answer.number) == [round(delta.sum() / counts["rnn"].sum(), 2)]
    for kind, value, _, characters in answer.bars:
        inside = kinds["rnn"] == kind
        assert characters == counts["rnn"][inside].sum()
        assert value == pytest.approx(delta[inside].sum() / characters, abs=1e-9)
    values = [value for _, value, _, _ in answer.bars]
    assert values == sorted(values, reverse=True) and values[0] > 0 > values[-1]
    margins = [margin for _, _, margin, _ in answer.bars]
    assert margins[0] is not None and margins[-1] is not None
    assert f"most at “{answer.bars[0][0]}” ({values[0]:.2f} ± {margins[0]:.2f})" in answer.sentence
    assert (f" and “{answer.bars[1][0]}”" in answer.sentence) == (values[1] >= values[0] - margins[0])
    lost = f"but loses {-values[-1]:.2f} ± {margins[-1]:.2f} at “{answer.bars[-1][0]}”"
    assert answer.sentence.endswith(lost + ".")
    assert {name for name, *_ in answer.bars} <= {*BY_ID["transformer"].choices}


def test_scene_without_its_checkpoint_says_so(tmp_path):
    (tmp_path / "gru").symlink_to(CHECKPOINTS / "gru")
    store = Store(tmp_path)
    for scene in SCENES:
        notice = scene.link(store).notice()
        assert (notice is None) == (scene.sets["model"] == "gru")
        assert notice is None or scene.sets["model"] in notice["text"]
    assert "needs Vanilla RNN and MiniGPT" in BY_ID["transformer"].measured_answer(store).sentence


@pytest.mark.parametrize("name", ["rnn", "gru", "minigpt"])
def test_every_trained_model_answers_on_any_network(trained, name):
    with selected_checkpoints(trained, [name]) as root:
        assert all(scene.measured_answer(Store(root)).sentence for scene in SCENES)


def test_scene_without_its_networks_is_not_varied(trained):
    with selected_checkpoints(trained, ["rnn", "lstm"]) as root:
        store = Store(root)
        assert [scene["missing"] for scene in list_of_scenes(store)] == [[]] * 6 + [["GRU"], [], ["MiniGPT"]]
        answer = BY_ID["transformer"].measured_answer(store)
        assert (answer.sentence, answer.varied) == ("This scene needs MiniGPT, not one of the networks here.", False)
        assert not BY_ID["gradient"].measured_answer(store).varied, "without a GRU to add"
    assert BY_ID["gradient"].measured_answer(Store(trained)).varied


def test_scene_without_speaker_says_so(store):
    sets = {"model": "rnn", "prompt": "a", "characters": "1"}
    short = replace(BY_ID["speaker"], id="short", sets=sets)
    assert "take another seed" in short.measured_answer(store).sentence
    assert isinstance(short.link(store), ShareLink)
