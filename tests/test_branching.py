"""A text that branches, is taken back, is read: without a page. What stands there follows from what was asked."""

import json
import random

import pytest

from charrnn.sampling import Dice, generate
from charrnn.ui.draft import MOST_KEPT, STRIDE, Draft
from charrnn.ui.history import MOST_VERSIONS
from charrnn.ui.reader import Reader
from charrnn.ui.session import Session, UnwantedError
from charrnn.ui.store import Store
from charrnn.ui.wishes import LONGEST_PASSAGE, LONGEST_TEXT, Choice, Passage, Rewrite, Wishes
from tests.small_models import SMALL, VOCAB, save_all
from tests.test_session import PAGE, run_in_loop, stepped, values_of

PROMPT = "ROMEO:"
FAST = PAGE | {"speed": 0, "prompt": PROMPT}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Networks of every kind."""
    return Store(save_all(tmp_path_factory.mktemp("small")))


def wishes(name: str, **more) -> Wishes:
    return Wishes.from_page(FAST | {"checkpoint": {"name": name, "step": 40}} | more)


def rewrite(session: Session, position: int, character: str) -> Rewrite:
    return Rewrite.from_page(FAST | {"run": session.draft.run, "position": position, "character": character})


def replayed(reader: Reader, session: Session) -> str:
    """Prompt, seed and edits by `generate` from scratch, as far as the text goes."""
    draft = session.draft
    beginning = reader.decoder.prefill(reader.vocab.encode(draft.text[: draft.prompt_length]))
    chosen = {at: reader.vocab.encode(character)[0] for at, character in draft.edits.items()}
    steps = generate(reader.decoder, beginning, draft.written, session.settings, Dice(draft.dice.seed), chosen=chosen)
    return draft.text[: draft.prompt_length] + reader.vocab.decode([step.id for step in steps])


async def run_out(session: Session, store: Store, pause_after: int | None = None) -> list[dict]:
    got = []
    async for text in session.writing(store):
        got.append(json.loads(text))
        if pause_after is not None and len(got) >= pause_after:
            session.pause(0)
    return got


async def branched(session: Session, store: Store, position: int, character: str) -> list[dict]:
    return [json.loads(await session.rewrite(rewrite(session, position, character))), *await run_out(session, store)]


# ------------------------------------------------------------------ a branch


@pytest.mark.parametrize("name", SMALL)
def test_a_branch_is_what_generate_writes_with_that_character(small: Store, name: str):
    session, reader = Session(), small.reader(name)

    async def run() -> list[dict]:
        await session.begin(small, wishes(name))
        await run_out(session, small)
        before = session.text
        got = await branched(session, small, 47, "Q")
        assert session.text[:47] == before[:47] and session.text[47] == "Q" != before[47]
        assert len(session.text) == len(before) and session.state == "finished"
        return got

    got = run_in_loop(run())
    decoder, vocab = reader.decoder, reader.vocab
    head = decoder.prefill(vocab.encode(session.text[:48]))
    steps = list(generate(decoder, head, 100 - 42, session.settings, Dice(7), start=42))
    assert session.text[48:] == vocab.decode([step.id for step in steps])
    assert session.text == replayed(reader, session)
    assert got[0]["kind"] == "branch" and got[0]["from"] == 47 and got[0]["text"] == "Q"
    assert got[0]["edits"] == [[41, "Q"]] and got[0]["undo"] == 1 and got[0]["redo"] == 0
    assert "".join(part.get("text", "") for part in got) == session.text[47:]
    assert got[0]["draws"] == [Dice(7)[42]]


def test_a_branch_goes_on_from_a_state_that_was_kept(small: Store, monkeypatch: pytest.MonkeyPatch):
    session, reader = Session(), small.reader("gru")
    read: list[int] = []
    whole = reader.decoder.prefill
    monkeypatch.setattr(reader.decoder, "prefill", lambda ids, state=None: read.append(len(ids)) or whole(ids, state))

    async def run() -> None:
        await session.begin(small, wishes("gru", characters=1500))
        await run_out(session, small)
        assert len(session.draft.kept) == MOST_KEPT
        read.clear()
        await branched(session, small, 1400, "x")

    run_in_loop(run())
    assert len(read) == 1 and read[0] < STRIDE
    assert session.text == replayed(reader, session)


def test_text_that_is_being_written_branches_where_it_is_asked_to(small: Store):
    session = Session()

    async def run() -> list[dict]:
        await session.begin(small, wishes("lstm", speed=120))
        writing, told = session.writing(small), []
        for _ in range(5):
            told.append(json.loads(await anext(writing)))
        old = session.draft.written
        branch = [json.loads(await session.rewrite(rewrite(session, len(PROMPT) + 3, "!")))]
        branch += [json.loads(text) async for text in session.writing(small)]
        assert [text async for text in writing] == []  # it was taken over, without a word
        assert 3 < old < 100
        return branch

    branch = run_in_loop(run())
    assert session.state == "finished" and session.written == 100 and not small.house
    assert session.text == replayed(small.reader("lstm"), session)
    assert [part["serial"] for part in branch] == sorted(part["serial"] for part in branch)


def test_a_character_chosen_at_the_end_is_written_there_and_the_text_goes_on(small: Store):
    session = Session()

    async def run() -> None:
        await session.begin(small, wishes("rnn", characters=30))
        await run_out(session, small)
        await branched(session, small, len(session.text), "Z")

    run_in_loop(run())
    assert session.text[36] == "Z" and session.written == 60
    assert session.text == replayed(small.reader("rnn"), session)


def test_a_link_s_edits_give_the_branched_text_again(small: Store):
    first, second = Session(), Session()

    async def run() -> dict:
        await first.begin(small, wishes("gru"))
        await run_out(first, small)
        await branched(first, small, 60, "Q")
        await branched(first, small, 20, "Z")  # what was chosen further on is gone
        await branched(first, small, 80, "!")
        start = json.loads(await first.show())
        await second.begin(small, wishes("gru", edits=start["edits"]))
        await run_out(second, small)
        return start

    start = run_in_loop(run())
    assert start["edits"] == [[14, "Z"], [74, "!"]] and first.text == second.text


def test_a_branch_while_another_model_is_still_to_read_the_text_sends_everything(small: Store):
    session = Session()

    async def run() -> dict:
        await session.begin(small, wishes("rnn", speed=120))
        writing = session.writing(small)
        for _ in range(4):
            await anext(writing)
        assert await session.change_model(small, Choice("lstm", 40)) is None
        part = json.loads(await session.rewrite(rewrite(session, 8, "Q")))
        await writing.aclose()  # type: ignore[attr-defined]
        return part

    part = run_in_loop(run())
    assert part["kind"] == "start" and part["text"] == session.text == part["text"][:8] + "Q" and part["instant"] == 8
    expected = stepped(small.reader("lstm"), session.text, "h")
    assert values_of(part) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_what_cannot_be_chosen_is_explained_and_changes_nothing(small: Store):
    session = Session()

    async def run() -> None:
        await session.begin(small, wishes("rnn"))
        await run_out(session, small)
        before = session.text
        for position, character, said in (
            (2, "x", "character 3 was given"),
            (500, "x", "the text has 106"),
            (50, "é", "does not know 'é'"),
            (LONGEST_TEXT, "x", "the text has 106"),
        ):
            with pytest.raises(ValueError, match=said):
                await session.rewrite(rewrite(session, position, character))
        stale = rewrite(session, 50, "x")
        assert session.text == before and not session.history.past
        await session.begin(small, wishes("rnn", seed=8))
        with pytest.raises(UnwantedError):
            await session.rewrite(stale)

    run_in_loop(run())


# ------------------------------------------------------------------ undo and redo


def test_undo_and_redo_bring_the_whole_text_back(small: Store):
    session = Session()

    async def run() -> None:
        await session.begin(small, wishes("rnn"))
        await run_out(session, small)
        texts = [session.text]
        for position, character in ((90, "Q"), (30, "Z"), (60, "X")):
            await branched(session, small, position, character)
            texts.append(session.text)
        for text in texts[-2::-1]:
            part = json.loads(await session.undo(0))
            assert session.text == part["text"] == text and session.state == "finished"
        assert part["parted"] == 90 and part["undo"] == 0 and part["redo"] == 3 and part["edits"] == []
        assert json.loads(await session.undo(0))["kind"] == "state" and session.text == texts[0]
        for text in texts[1:]:
            part = json.loads(await session.redo(0))
            assert session.text == part["text"] == text
        assert part["edits"] == [[24, "Z"], [54, "X"]] and part["redo"] == 0

    run_in_loop(run())


def test_undo_takes_back_a_new_text_and_a_cleared_page_too(small: Store):
    session = Session()

    async def run() -> None:
        session.open(small)
        first, run_of_first = session.text, session.draft.run
        await session.begin(small, wishes("rnn", seed=3))
        await run_out(session, small)
        second = session.text
        await session.clear(1)
        assert session.text == "" and session.state == "empty"
        part = json.loads(await session.undo(2))
        assert part["text"] == second and part["state"] == "finished"
        part = json.loads(await session.undo(3))
        assert part["text"] == first and part["run"] == run_of_first and part["prompt"] == 7
        assert json.loads(await session.redo(4))["text"] == second
        assert json.loads(await session.redo(5))["state"] == "empty"

    run_in_loop(run())


def test_undo_ends_what_is_being_written_and_it_can_go_on(small: Store):
    session = Session()

    async def run() -> None:
        await session.begin(small, wishes("rnn", speed=120))
        writing = session.writing(small)
        for _ in range(4):
            await anext(writing)
        stood = session.text
        await session.rewrite(rewrite(session, 10, "Q"))
        rest = session.writing(small)
        await anext(rest)
        assert json.loads(await session.undo(0))["text"] == session.text == stood and session.state == "paused"
        assert [text async for text in rest] == [] == [text async for text in writing]
        session.prolong(wishes("rnn").manner)
        await run_out(session, small)

    run_in_loop(run())
    assert session.written == 100 and session.text == replayed(small.reader("rnn"), session)


def test_what_can_be_taken_back_is_bounded(small: Store):
    session = Session()

    async def run() -> int:
        await session.begin(small, wishes("rnn", characters=5))
        await run_out(session, small)
        for i in range(MOST_VERSIONS + 5):
            await branched(session, small, 8, VOCAB.characters[10 + i % 40])
        undone = 0
        while json.loads(await session.undo(0))["kind"] == "start":
            undone += 1
        return undone

    assert run_in_loop(run()) == MOST_VERSIONS


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_the_text_follows_from_prompt_seed_and_edits(small: Store, seed: int):
    rng, session = random.Random(seed), Session()
    name = rng.choice(list(SMALL))

    async def run() -> None:
        await session.begin(small, wishes(name))
        past, future = [], []  # what undo and redo must bring, kept a second way
        for _ in range(25):
            stood = (session.text, dict(session.draft.edits))
            deed = rng.choice(["branch", "branch", "undo", "undo", "redo", "write", "resume", "step"])
            if deed == "branch":
                position = rng.randint(len(PROMPT), len(session.text))
                await session.rewrite(rewrite(session, position, rng.choice(VOCAB.characters)))
                await run_out(session, small, pause_after=rng.randint(1, 3))
                past, future = [*past, stood], []
            elif deed == "write":
                was_empty = session.state == "empty"
                await session.begin(small, wishes(name, seed=rng.randint(0, 99), characters=rng.randint(1, 120)))
                await run_out(session, small, pause_after=rng.randint(1, 3))
                past, future = past if was_empty else [*past, stood], []
            elif deed == "undo" and past:
                await session.undo(0)
                future.append(stood)
                assert (session.text, session.draft.edits) == past.pop()
            elif deed == "redo" and future:
                await session.redo(0)
                past.append(stood)
                assert (session.text, session.draft.edits) == future.pop()
            elif deed == "resume":
                session.prolong(wishes(name).manner)
                await run_out(session, small, pause_after=rng.randint(1, 3))
            elif deed == "step":
                await session.step()
            assert session.text == replayed(small.reader(name), session), (name, deed)

    run_in_loop(run())


# ------------------------------------------------------------------ reading, and writing again


def test_a_passage_is_read_as_it_is_and_written_on_from_its_end(small: Store):
    session, reader = Session(), small.reader("lstm")
    passage = {"passage": "To be, or not to be→: that", "seed": 11, "characters": 40}

    async def run() -> dict:
        await session.begin(small, wishes("lstm"))
        part = json.loads(await session.read(Passage.from_page(FAST | passage)))
        assert session.state == "paused" and session.written == 0
        session.prolong(wishes("lstm").manner)
        await run_out(session, small)
        return part

    part = run_in_loop(run())
    known = "To be, or not to be: that"
    assert part["text"] == known and part["prompt"] == len(known) and part["draws"] == [None] * 24 + [Dice(11)[0]]
    assert "'→' at position 19" in part["notice"]["text"]
    assert values_of(part) == pytest.approx(stepped(reader, known, "h"), rel=1e-3, abs=1e-4)
    assert session.written == 40 and session.text == replayed(reader, session)


def test_a_passage_that_cannot_be_read_is_explained(small: Store):
    session = Session()
    session.open(small)
    before = session.text
    for passage, said in (("", "is empty"), ("x" * (LONGEST_PASSAGE + 1), f"is 5001: give at most {LONGEST_PASSAGE}")):
        with pytest.raises(ValueError, match=said):
            Passage.from_page(FAST | {"passage": passage})
    with pytest.raises(ValueError, match="no character that this model knows"):
        run_in_loop(session.read(Passage.from_page(FAST | {"passage": "→→"})))
    assert session.text == before and not session.history.past


def test_a_text_is_written_again_by_another_model_with_the_same_dice(small: Store):
    session = Session()

    async def run() -> None:
        await session.begin(small, wishes("rnn"))
        await run_out(session, small)
        first = session.text
        for sent, name in enumerate(("lstm", "gru"), 1):
            await session.write_again(small, Choice(name, 40), session.clicks.newest("model", sent))
            await run_out(session, small)
            assert session.written == 100 and session.draft.dice.seed == 7
            assert session.text == replayed(small.reader(name), session) != first
        with pytest.raises(UnwantedError):
            await session.write_again(small, Choice("minigpt", 40), session.clicks.newest("model", 1))
        await session.undo(0)
        assert session.text == first  # the slider's way is one step back

    run_in_loop(run())


# ------------------------------------------------------------------ what a page may ask


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ("x", "edits is 'x'"),
        ([[1]], r"an edit is \[1\]"),
        ([[-1, "x"]], "position is -1: give a whole number from 0"),
        ([[0, "xy"]], "character is 'xy': give one character"),
        ([[0, "x"]] * 501, "give a list of at most 500"),
    ],
)
def test_edits_that_make_no_sense_are_refused(edits, said):
    with pytest.raises(ValueError, match=said):
        Wishes.from_page(FAST | {"edits": edits})


def test_a_copy_of_a_draft_goes_its_own_way(small: Store):
    reader, settings = small.reader("rnn"), wishes("rnn").manner.settings
    draft = Draft.of(1, PROMPT, Dice(1), 50)
    draft.write(reader, settings, 20)
    copy = draft.copy()
    copy.rewrite(10, "Q", reader)
    copy.write(reader, settings, 5)
    assert len(draft.text) == 26 and draft.text[10] != "Q" == copy.text[10] and not draft.edits
