"""What a link to the page asks for, and what is said about one that asks for nonsense."""

import json
import re
from pathlib import Path

import pytest

from charrnn.sampling import Dice, SamplingSettings, generate
from charrnn.ui import wishes
from charrnn.ui.control_view.control_view import offer
from charrnn.ui.link import DEFAULTS, HIDEABLE, follow
from charrnn.ui.session import Session
from charrnn.ui.store import Store
from charrnn.ui.wishes import LONGEST_RUN, Choice
from tests.test_session import run_in_loop

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = (ROOT / "charrnn/ui/control_view/control_view.html").read_text(encoding="utf-8")


def opened(store: Store, **sent: str) -> tuple[Session, dict]:
    """The session that such a link opens, and the message the page gets."""
    session = Session()

    async def arrive() -> dict:
        await session.follow(store, follow(store, sent))
        return json.loads(await session.show())

    return session, run_in_loop(arrive())


def written(store: Store, model: str, prompt: str, n: int, settings: SamplingSettings, seed: int, step=None) -> str:
    reader = store.reader(model, step)
    beginning = reader.decoder.prefill(reader.vocab.encode(prompt))
    return prompt + reader.vocab.decode([s.id for s in generate(reader.decoder, beginning, n, settings, Dice(seed))])


def test_a_bare_address_asks_for_the_defaults_and_opens_with_the_example(store):
    link = follow(store, {})
    assert link.notice() is None and link.is_example(store)
    assert {name: link.told()[name] for name in DEFAULTS} == DEFAULTS
    session, message = opened(store)
    assert session.text == written(store, "rnn", "ROMEO:\n", 400, SamplingSettings(0.8), 7) == message["text"]
    assert message["notice"] is None


def test_the_form_in_the_page_has_the_same_defaults():
    sliders = dict(re.findall(r'id="cr-(\w+)" [^>]* value="([^"]*)"', TEMPLATE))
    for name in ("temperature", "top_k", "top_p", "min_p", "seed", "characters"):
        assert float(sliders[name]) == DEFAULTS[name], name
    script = (ROOT / "charrnn/ui/control_view/control_view.js").read_text(encoding="utf-8")
    speeds = json.loads(re.search(r"SPEEDS = (\[.*?\])", script)[1])  # type: ignore[index]
    assert speeds[int(sliders["speed"])] == DEFAULTS["speed"]
    assert DEFAULTS["prompt"] == re.search(r'id="cr-prompt"[^>]*>([^<]*)<', TEMPLATE)[1]  # type: ignore[index]
    share = (ROOT / "charrnn/ui/control_view/share.js").read_text(encoding="utf-8")
    assert int(re.search(r"LONGEST_RUN = (\d+)", share)[1]) == LONGEST_RUN  # type: ignore[index]


def test_a_link_opens_with_the_text_it_asks_for(store):
    settings = SamplingSettings(1.25, 12, 0.9, 0.01)
    session, message = opened(
        store,
        model="gru",
        step="300",
        temperature="1.25",
        top_k="12",
        top_p="0.9",
        min_p="0.01",
        seed=str(2**32 - 1),
        characters="150",
        prompt="To be,\r\nor",
        view="z",
        speed="17",
    )
    assert session.text == written(store, "gru", "To be,\nor", 150, settings, 2**32 - 1, 300)
    assert message["text"] == session.text and message["state"] == "finished" and message["notice"] is None
    assert message["view"]["name"] == "z" and message["model"]["step"] == 300 and session.speed == 17


NONSENSE = [
    ("temperature", "hot", "temperature is 'hot': give 0 (greedy), or 1e-06 to 2"),
    ("temperature", "nan", "temperature is nan: give 0 (greedy), or 1e-06 to 2"),
    ("temperature", "-1", "temperature is -1: give 0 (greedy), or 1e-06 to 2"),
    ("temperature", "inf", "temperature is inf: give 0 (greedy), or 1e-06 to 2"),
    ("temperature", "", "temperature is empty: give 0 (greedy), or 1e-06 to 2"),
    ("top_k", "1.5", "top_k is 1.5: give a whole number from 0 (off) to 1114112"),
    ("top_p", "0", "top_p is 0: give more than 0 and at most 1"),
    ("min_p", "2", "min_p is 2: give 0 (off) to 1"),
    ("speed", "5000", "speed is 5000: give 0 (as fast as it goes), or 1 to 1000"),
    ("seed", "-1", f"seed is -1: give a whole number from 0 to {2**32 - 1}"),
    ("seed", "9" * 5000, "seed is '999999999999...9999999999999': give a whole number from 0 to"),
    ("characters", "0", "characters is 0: give a whole number from 1 to 3000"),
    ("prompt", "a" * 1001, "the length of the prompt is 1001: give at most 1000 characters"),
    ("model", "<script>alert(1)</script>", "there is no checkpoint '<script>alert(1)</script>': choose one of rnn"),
    ("model", "m" * 256, "the length of the model is 256: give at most 255 characters"),
    ("model", "../rnn", "there is no checkpoint '../rnn': choose one of rnn"),
    ("step", "7", "rnn was not saved at step 7: choose one of [0, 10"),
    ("step", "x", "step is 'x': give a whole number from 0"),
    ("tab", "Gradients", "tab is 'Gradients': give one of write, gradients, neurons, compare, hood"),
    ("view", "z", "view is 'z': give one of h"),
    ("rows", "up", "rows is 'up': give one of similarity, index, activity"),
    ("change", "yes", "change is 'yes': give one of 0, 1"),
    ("range", "40-13", "range is '40-13': give two rows of the heatmap, as in 13-40"),
    ("range", "0-5", "range is '0-5': give two rows"),
    ("read", "a" * 5001, "the length of the passage is 5001: give at most 5000 characters"),
    ("tick", "rnn,nobody", "tick names 'nobody': give rnn"),
    ("knob", "3", "knob is 3: give 0.5 to 1.6"),
    ("unit", "h", "unit is 'h': give name:unit"),
    ("unit", "c:1", "unit is 'c': give one of h"),
    ("unit", "h:256", "unit is 256: give a whole number from 0 to 255"),
    ("clamp", "h:1", "clamp is 'h:1': give name:unit:value, or name:all:value, separated by commas"),
    ("clamp", "z:all:0", "'z' cannot be held here: give one of h"),
    ("clamp", "h:256:0", "unit is 256: give a whole number from 0 to 255"),
    ("clamp", "h:all:2", "the value of h is 2: give -1 to 1"),
    ("clamp", "h:0:one", "the value of h is 'one': give -1 to 1"),
    ("hide", "top_p,everything", "hide names 'everything': give model"),
    ("lecture", "2", "lecture is '2': give one of 0, 1"),
    ("sha", "zz", "sha is 'zz': give 8 to 64 hexadecimal digits"),
    ("edits", "12:ab", "edits is '12:ab': give position:character, separated by commas"),
    ("edits", "9000:a", "position is 9000: give a whole number from 0 to"),
    ("temprature", "0.3", "there is no setting 'temprature'"),
]


@pytest.mark.parametrize(("name", "value", "words"), NONSENSE, ids=lambda each: str(each)[:20])
def test_nonsense_is_named_and_the_defaults_stand_in_its_place(store, name, value, words):
    link = follow(store, {name: value, "seed": value if name == "seed" else "3"})
    (problem,) = link.problems
    assert problem.startswith(words)
    said = link.notice()
    assert said and said["kind"] == "problem" and problem in said["text"]
    bare = follow(store, {"seed": "3"} if name != "seed" else {})
    assert link.wishes == bare.wishes


def test_everything_wrong_at_once_still_opens_the_page(store):
    sent = {name: value for name, value, _ in NONSENSE}
    session, message = opened(store, **sent)
    assert session.text == written(store, "rnn", "ROMEO:\n", 400, SamplingSettings(0.8), 7)
    assert message["notice"]["text"].count(";") == 6 and "more" in message["notice"]["text"]
    assert "<" not in json.dumps(message["notice"]).replace("\\u003c", "") or "script" in message["notice"]["text"]


def test_a_branched_text_is_built_again_with_the_dice_it_kept(store):
    session, message = opened(store, characters="60", edits="5:\n,20:,,21:1")
    reader = store.reader()
    chosen = {at: reader.vocab.encode(c)[0] for at, c in {5: "\n", 20: ","}.items()}
    beginning = reader.decoder.prefill(reader.vocab.encode("ROMEO:\n"))
    steps = generate(reader.decoder, beginning, 60, SamplingSettings(0.8), Dice(7), chosen=chosen)
    assert "1" not in reader.vocab.characters  # such a choice is left out
    assert message["text"] == session.text == "ROMEO:\n" + reader.vocab.decode([step.id for step in steps])
    assert message["edits"] == [[5, "\n"], [20, ","]]


def test_a_step_of_a_model_that_is_not_here_is_not_blamed_as_well(store):
    assert len(follow(store, {"model": "nobody", "step": "123"}).problems) == 1


def test_another_revision_of_the_checkpoint_is_said(store):
    sha = store.reader("gru").info.sha256
    assert follow(store, {"model": "gru", "sha": sha[:12]}).notice() is None
    said = follow(store, {"model": "gru", "sha": "0123456789ab"}).notice()
    assert said and "'gru': its sha256 begins with 0123456789ab" in said["text"] and sha[:12] in said["text"]


def test_characters_the_model_does_not_know_are_named_beside_what_is_wrong_with_the_link(store):
    _, message = opened(store, prompt="\U0001f600A", top_k="x")
    assert message["text"].startswith("A") and message["prompt"] == 1
    for part in ("top_k is 'x'", "'\U0001f600' at position 0"):
        assert part in message["notice"]["text"]
    assert message["notice"]["kind"] == "problem"


def test_what_others_append_to_addresses_is_no_nonsense(store):
    sent = {"__theme": "dark", "utm_source": "mail", "fbclid": "x", "__sign": "y"}
    assert follow(store, sent).notice() is None


def test_what_the_page_is_told_is_what_wishes_accept(store):
    link = follow(
        store,
        {
            "model": "lstm",
            "temperature": "1e-6",
            "hide": "top_p,compare",
            "tick": "rnn,gru",
            "knob": "1.4",
            "clamp": "c:7:-2.5,f:all:1",
        },
    )
    told = json.loads(offer(store, store.reader("lstm"), link))["link"]
    again = wishes.Wishes.from_page(told | {"checkpoint": {"name": "lstm", "step": 2000}})
    assert again == link.wishes and again.choice == Choice("lstm", 2000)
    assert told["hide"] == ["top_p", "compare"] and told["tick"] == ["rnn", "gru"]
    assert set(told["hide"]) <= set(HIDEABLE) and told["knob"] == 1.4
    assert told["clamp"] == [["c", 7, -2.5], ["f", None, 1.0]]


def test_a_passage_is_read_and_written_on_only_where_the_link_says_so(store):
    passage = "Now is the winter\r\nof our discontent"
    read = passage.replace("\r", "")
    session, message = opened(store, model="gru", read=passage, seed="3")
    assert message["text"] == session.text == read and message["prompt"] == len(read)
    assert message["state"] == "paused" and session.draft.span == 400  # the button writes on
    assert follow(store, {"read": passage}).told()["read"] == read
    assert follow(store, {"read": passage}).told()["prompt"] == "ROMEO:\n"
    _, message = opened(store, model="gru", read=passage, seed="3", characters="25")
    assert message["text"] == written(store, "gru", read, 25, SamplingSettings(0.8), 3)
    assert message["state"] == "finished" and message["prompt"] == len(read)
    assert follow(store, {"read": ""}).is_example(store)
