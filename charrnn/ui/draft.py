"""A text in the making: what was given, what the dice wrote, what the visitor chose instead; where the model stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from charrnn.sampling import Dice, Reading, SamplingSettings, Step, generate
from charrnn.ui.reader import Reader
from charrnn.ui.source_text import Writer
from charrnn.ui.wishes import LONGEST_TEXT

STRIDE = 16  # characters from one kept reading to the next
MOST_KEPT = 64  # readings: of what was written long ago some is read again


@dataclass
class Draft:
    """
    A text and all that it follows from: prompt, dice, edits, and the settings of the moment. A position in `edits`
    counts from the first written character, as the dice do: whatever is changed before or after, it keeps its die.
    """

    run: int  # the number of the text
    dice: Dice
    span: int  # characters of one run
    limit: int  # characters to have written at the end of the run
    text: str = ""
    prompt_length: int = 0
    edits: dict[int, str] = field(default_factory=dict)
    again: bool = False  # whether it was written again at another step of the training
    reading: Reading | None = None  # at the end of the text; None until something has read it
    kept: dict[int, Reading] = field(default_factory=dict)  # by how many characters were read
    writers: tuple[tuple[int, Writer], ...] = ()  # from which position on which network wrote

    @classmethod
    def of(cls, run: int, prompt: str, dice: Dice, span: int, edits: Mapping[int, str] | None = None) -> "Draft":
        """A prompt and nothing written yet."""
        return cls(run, dice, span, span, prompt, len(prompt), dict(edits or {}))

    @property
    def written(self) -> int:
        return len(self.text) - self.prompt_length

    @property
    def is_full(self) -> bool:
        return len(self.text) >= LONGEST_TEXT

    def copy(self) -> "Draft":
        """The same text, to be written on separately."""
        return replace(self, edits=dict(self.edits), kept=dict(self.kept))

    def forget(self) -> None:
        """Another model is going to read it."""
        self.reading, self.kept = None, {}

    def known_to(self, reader: Reader) -> list[tuple[int, str]]:
        """Leave out what a model does not know -> (position, character) of each; the edits go with the places."""
        given, _ = reader.vocab.drop_unknown(self.text[: self.prompt_length])
        self.text, dropped = reader.vocab.drop_unknown(self.text)
        self.prompt_length = len(given)
        if dropped:
            self.edits = {}
        self.edits = {at: character for at, character in self.edits.items() if not _unknown(reader, character)}
        self.forget()
        return dropped

    def prolong(self) -> None:
        """Where it has reached its end, let it become longer by as many characters again."""
        if self.written >= self.limit:
            self.limit = self.written + self.span

    def rewrite(self, position: int, character: str, reader: Reader) -> None:
        """
        Choose another character for this position of the text: what follows it is gone, what comes is drawn anew.

        Raises ValueError where that cannot be.
        """
        index = position - self.prompt_length
        if index < 0:
            raise ValueError(f"character {position + 1} was given, not written: choose at one after the prompt")
        if position > len(self.text):
            raise ValueError(f"there is no character {position + 1}: the text has {len(self.text)}")
        if position >= LONGEST_TEXT:
            raise ValueError(f"the page holds {LONGEST_TEXT} characters: choose at an earlier one")
        if _unknown(reader, character):
            raise ValueError(f"this model does not know {character!r}: choose a character of its distribution")
        if position < len(self.text):
            self.reading = None
        self.text = self.text[:position]
        self.kept = {length: reading for length, reading in self.kept.items() if length <= position}
        self.edits = {at: chosen for at, chosen in self.edits.items() if at < index} | {index: character}
        self.writers = tuple((at, writer) for at, writer in self.writers if at < position)

    def stand(self, reader: Reader) -> None:
        """Let the model stand at the end of the text: it goes on from the last place where its state was kept."""
        if self.reading is None:
            length, last = max(self.kept.items(), default=(0, reader.beginning), key=lambda item: item[0])
            self.reading = reader.decoder.prefill(reader.vocab.encode(self.text[length:]), last.state)

    def write(self, reader: Reader, settings: SamplingSettings, n: int) -> list[Step]:
        """Write n characters; those that were chosen are not drawn."""
        self.stand(reader)
        assert self.reading
        start = self.written
        chosen = {at: reader.vocab.encode(character)[0] for at, character in self.edits.items() if at >= start}
        steps = []
        for step in generate(reader.decoder, self.reading, n, settings, self.dice, start, chosen):
            steps.append(step)
            if (step.index + 1) % STRIDE == 0:
                self._keep(self.prompt_length + step.index + 1, step.reading)
        if steps:
            writer = Writer(reader.title, reader.info.sha256, reader.checkpoint.step, settings)
            if not self.writers or self.writers[-1][1] != writer:
                self.writers += ((len(self.text), writer),)
            self.reading = steps[-1].reading
            self.text += reader.vocab.decode([step.id for step in steps])
        return steps

    def _keep(self, length: int, reading: Reading) -> None:
        self.kept[length] = reading._replace(activations={})
        if len(self.kept) > MOST_KEPT:
            del self.kept[min(self.kept)]

    def draw_after(self, position: int) -> float | None:
        """The uniform of the character after this position; None where the prompt gives it."""
        index = position + 1 - self.prompt_length
        return None if index < 0 else self.dice[index]


def _unknown(reader: Reader, character: str) -> bool:
    return bool(reader.vocab.drop_unknown(character)[1])


def parted(one: str, other: str) -> int:
    """How many characters two texts have in common from their beginning."""
    shorter = min(len(one), len(other))
    return next((i for i in range(shorter) if one[i] != other[i]), shorter)
