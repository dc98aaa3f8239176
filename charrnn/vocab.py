"""Vocabulary: characters ↔ ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

MAX_CHARACTERS = 1 << 16  # limit of a vocabulary, also in checkpoints
MAX_NAMED = 8  # unknown characters named in one message


class UnknownCharacterError(ValueError):
    """
    A text has characters that are not in the vocabulary.

    `character` and `position`: the first one.
    """

    def __init__(self, unknown: Sequence[tuple[int, str]]):
        first = {character: position for position, character in reversed(unknown)}
        kinds = sorted(first, key=first.__getitem__)
        named = ", ".join(f"{character!r} at position {first[character]}" for character in kinds[:MAX_NAMED])
        more = f" and {len(kinds) - MAX_NAMED} others" if len(kinds) > MAX_NAMED else ""
        noun, pronoun = ("characters", "them") if len(kinds) > 1 else ("character", "it")
        super().__init__(f"the model does not know the {noun} {named}{more}; leave {pronoun} out")
        self.position, self.character = unknown[0]


@dataclass(frozen=True)
class Vocab:
    """The distinct characters of a corpus; a character's id is its index."""

    characters: str

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("a vocabulary needs at least one character")
        if len(self.characters) > MAX_CHARACTERS:
            raise ValueError(
                f"there are {len(self.characters)} different characters: give a text of 1 to {MAX_CHARACTERS}"
            )
        if len(set(self.characters)) != len(self.characters):
            raise ValueError("a vocabulary lists every character once")

    @classmethod
    def from_text(cls, text: str) -> "Vocab":
        """Build the vocabulary of a corpus: `sorted(set(text))`."""
        return cls("".join(sorted(set(text))))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each character."""
        return {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Encode a text. Raises UnknownCharacterError, which names unknown characters."""
        try:
            return [self.ids[character] for character in text]
        except KeyError:
            raise UnknownCharacterError(self.drop_unknown(text)[1]) from None

    def decode(self, ids: Iterable[int]) -> str:
        """Decode ids."""
        return "".join(self.characters[i] for i in ids)

    def drop_unknown(self, text: str) -> tuple[str, list[tuple[int, str]]]:
        """Return the text without unknown characters, and those with their positions."""
        unknown = [(i, character) for i, character in enumerate(text) if character not in self.ids]
        return "".join(character for character in text if character in self.ids), unknown

    def default_prompt(self, prompt: str) -> str:
        """Return the known characters of a prompt, else a newline or printable character."""
        known = self.drop_unknown(prompt)[0] or ("\n" if "\n" in self.ids else "")
        return known or next((c for c in self.characters if c.isprintable()), self.characters[0])
