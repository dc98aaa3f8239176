"""Compare, same dice: two models or two settings write with the same uniforms, side by side, and where they part."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

from charrnn.ranges import Range
from charrnn.same_dice import Fall, Pair, Writer, edge, fall, parts, shown_ranks, write_both
from charrnn.sampling import Dice, Step
from charrnn.signs import quoted
from charrnn.ui.plot_view.plot_view import add_part, answer
from charrnn.ui.questions import Question, Wanted, require
from charrnn.ui.sides import NAMES, known_to_both, pickers, side_of, sides
from charrnn.ui.store import Store
from charrnn.ui.wishes import Seed, Writing, checked, within
from charrnn.vocab import Vocab

PROMPT, SEED, CHARACTERS = "ROMEO:\n", 12, 300
LONGEST = 1000
PIECE = 20  # characters a message
ROWS = 8  # of a distribution
NARROWEST_PIECE = 0.004  # of the bar: what is thinner is drawn as one


def build(store: Store) -> None:
    """Lay out the part and let it answer."""
    add_part("cr-dice", "compare_view/dice", partial(both_texts, store))


class DiceForm(Writing):
    """The form of the view."""

    seed: Seed = SEED
    characters: Annotated[int, within(Range(1, LONGEST, whole=True))] = CHARACTERS


class Asked(NamedTuple):
    """What two writers are asked for."""

    a: Writer
    b: Writer
    prompt: str
    characters: int
    dice: Dice
    alike: bool  # the same model, step and settings
    note: str


def asked_for(store: Store, question: Question) -> tuple[Asked, dict[str, Any]]:
    """What the form asks for, and what the page needs to offer the models. Raises ValueError."""
    readers, form = sides(store, question), checked(DiceForm, question.form)
    settings = [side_of(question, name).settings for name in NAMES]
    prompt = form.prompt
    if prompt == PROMPT and (shared := [c for c in readers[0].vocab.characters if c in readers[1].vocab.ids]):
        prompt = Vocab("".join(shared)).default_prompt(PROMPT)
    prompt, note = known_to_both(readers, prompt)
    a, b = (
        Writer.after(prompt, reader.decoder, reader.vocab, each) for reader, each in zip(readers, settings, strict=True)
    )
    alike = readers[0] is readers[1] and settings[0] == settings[1]
    return Asked(a, b, prompt, form.characters, Dice(form.seed), alike, note), pickers(store, readers)


def both_texts(store: Store, question: Question, wanted: Wanted) -> Iterator[str]:
    """The two texts as they grow; from the first difference on also why there is one. Raises ValueError."""
    asked, more = asked_for(store, question)
    texts, parting, part = ["", ""], None, 0
    told: dict[str, Any] = {"prompt": asked.prompt, **more}
    for pair in write_both(asked.a, asked.b, asked.characters, asked.dice):
        if parting is None and parts(asked.a, asked.b, pair):
            parting = {"at": len(texts[0]), **parting_told(asked.a, asked.b, pair)}
        texts = [texts[0] + asked.a.character(pair.a), texts[1] + asked.b.character(pair.b)]
        if len(texts[0]) % PIECE == 0 or len(texts[0]) == asked.characters:
            require(wanted)
            words = " ".join(filter(None, [_words(asked, texts, parting), asked.note]))
            part += 1
            yield answer(question.number, words, part, texts=texts, parting=parting, **told)
            told = {"prompt": asked.prompt}


def _words(asked: Asked, texts: Sequence[str], parting: dict[str, Any] | None) -> str:
    if parting is not None:
        return parting["why"]
    if len(texts[0]) < asked.characters:
        return "Writing …"
    why = "the same model with the same settings and the same dice" if asked.alike else "no die fell where they differ"
    what = "the same character" if asked.characters == 1 else f"the same {asked.characters:,} characters"
    return f"Identical: both write {what}; {why}."


# ------------------------------------------------------------------------------------------------ where they part


def parting_told(a: Writer, b: Writer, pair: Pair) -> dict[str, Any]:
    """The first difference: the die, both distributions in the order of the draw, and why."""
    falls = [fall(a, pair.a), fall(b, pair.b)]
    other = [falls[1].character, falls[0].character]
    sides = [
        distribution_told(writer, step, fell, also)
        for writer, step, fell, also in zip((a, b), pair, falls, other, strict=True)
    ]
    digits = digits_for(pair.a.u, falls)
    return {"u": pair.a.u, "digits": digits, "why": why(pair.a.index, pair.a.u, falls, digits), "sides": sides}


def why(index: int, u: float, falls: Sequence[Fall], digits: int) -> str:
    """Why they parted, in a sentence."""
    before = {0: "From the first character on they differ", 1: "The first character is the same, then they part"}
    opening = before.get(index, f"The first {index:,} characters are the same, then they part")
    a, b = (f"{quoted(fell.character)} {{}} ({fell.low:.{digits}f} to {fell.high:.{digits}f})" for fell in falls)
    return f"{opening}: u = {u:.{digits}f} falls on {a.format('in A')} and on {b.format('in B')}."


def digits_for(u: float, falls: Sequence[Fall]) -> int:
    """How many digits it takes to see that u lies inside both pieces, three at least."""
    edges = [(fell.low, fell.high) for fell in falls]
    inside = (n for n in range(3, 12) if all(round(low, n) < round(u, n) < round(high, n) for low, high in edges))
    return next(inside, 12)


def distribution_told(writer: Writer, step: Step, fell: Fall, other: str) -> dict[str, Any]:
    """
    What one writer drew from, as the page draws it: rows of the likeliest characters and the pieces of the bar.

    The character that the other one wrote is among the rows, where this one knows it.
    """
    drawn_from, characters = step.distribution, writer.vocab.characters
    must = [step.id, *([writer.vocab.ids[other]] if other in writer.vocab.ids else [])]
    probs = drawn_from.probs
    rows = [
        {"rank": rank, "character": characters[drawn_from.order[rank]], "cut": rank >= drawn_from.kept}
        | {"p": float(probs[rank]), "from": edge(drawn_from, rank)}
        for rank in shown_ranks(drawn_from, must, ROWS)
    ]
    wide = max(1, int((probs >= NARROWEST_PIECE).sum()))  # descending: the rest are thinner still
    pieces = [[characters[drawn_from.order[rank]], float(probs[rank])] for rank in range(wide)]
    return {
        "rows": rows,
        "pieces": pieces,
        "drawn": fell._asdict(),
        "other": other,
        "kept": drawn_from.kept,
        "of": len(drawn_from.order),
    }
