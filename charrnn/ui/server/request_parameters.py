"""Types and limits of request parameters, and messages for invalid ones."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from charrnn.checkpoint import MAX_NAME_CHARS
from charrnn.ranges import Range, shown
from charrnn.sampling import LIMITS, SamplingSettings
from charrnn.seeds import SEEDS
from charrnn.ui.server.generation_defaults import PROMPT, SEED

MAX_PROMPT_CHARS = 1000
MAX_PASSAGE_CHARS = 5000  # of a text in a link
MAX_READ_CHARS = 20_000  # of a text to score
MAX_TEXT_CHARS = 24_000  # of a page's text
MAX_EDITS = 500
MAX_RUN_CHARS = 3000
SPEEDS = Range(1, 1000, zero="as fast as possible")  # characters per second
SAMPLING_LIMITS = LIMITS | {"temperature": replace(LIMITS["temperature"], high=2)}
MAX_SAFE_INTEGER = 2**53 - 1  # largest exact integer in JavaScript
STEPS = Range(0, MAX_SAFE_INTEGER, whole=True)  # of training
CHARACTERS = Range(1, MAX_RUN_CHARS, whole=True)


def within(limits: Range) -> PlainValidator:
    """Return a validator of a number in a range. 7.0 counts as a whole number."""

    def number(value: Any) -> Any:
        if value not in limits:
            raise ValueError(f"give {limits}")
        return int(value) if limits.whole else float(value)

    return PlainValidator(number)


Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]
Step = Annotated[int, within(STEPS)]
Seed = Annotated[int, within(SEEDS)]
Characters = Annotated[int, within(CHARACTERS)]
Character = Annotated[str, Field(min_length=1, max_length=1)]
Temperature = Annotated[float, within(SAMPLING_LIMITS["temperature"])]
TopK = Annotated[int, within(SAMPLING_LIMITS["top_k"])]
TopP = Annotated[float, within(SAMPLING_LIMITS["top_p"])]
MinP = Annotated[float, within(SAMPLING_LIMITS["min_p"])]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Choice:
    """A checkpoint and training step; None for the first one and its last step."""

    name: Name | None = None
    step: Step | None = None


Chosen = Annotated[Choice, BeforeValidator(lambda sent: Choice() if sent is None else sent)]


class Sampling(BaseModel):
    """Sampling settings, by default those of the page."""

    temperature: Temperature = 0.8
    top_k: TopK = 0
    top_p: TopP = 1.0
    min_p: MinP = 0.0

    @property
    def settings(self) -> SamplingSettings:
        return SamplingSettings(self.temperature, self.top_k, self.top_p, self.min_p)


class Writing(Sampling):
    """Prompt, seed and sampling settings."""

    prompt: Prompt = PROMPT
    seed: Seed = SEED


def validate(of: Any, sent: Any) -> Any:
    """Parse a value as this type. Raises ValueError for the first invalid field."""
    try:
        return TypeAdapter(of).validate_python(sent)
    except ValidationError as error:
        raise ValueError(describe_error(error)) from None


def describe_error(error: ValidationError) -> str:
    """Describe the first error of a request: name, value and allowed values."""
    return next(iter(describe_errors(error).values()))


def describe_errors(error: ValidationError) -> dict[Any, str]:
    """Describe the first error of each field, by its name."""
    found: dict[Any, str] = {}
    for fault in error.errors(include_url=False):
        name = next((part for part in reversed(fault["loc"]) if isinstance(part, str)), "the request")
        name = (name if name.isprintable() else ascii(name))[:MAX_NAME_CHARS]  # an unknown field can have any name
        found.setdefault((*fault["loc"], "")[0], _describe(fault, name))
    return found


def _describe(fault: Any, name: str) -> str:
    context = fault.get("ctx", {})
    if fault["type"].endswith("too_long"):
        return f"the length of {name} is {len(fault['input'])}: give at most {context['max_length']}"
    message = fault["msg"]
    words = f"{context['error']}" if "error" in context else f"give what fits: {message[0].lower()}{message[1:]}"
    if not words.startswith("give "):  # already names the value
        return words
    value = None if fault["type"] == "missing" else fault["input"]
    return f"{name} is {shown(value)}: {'give a text' if fault['type'] == 'string_type' else words}"


def count_of(name: str, data: Any) -> int:
    """Return a counter sent by the page, or 0."""
    count = data.get(name) if isinstance(data, Mapping) else None
    return count if type(count) is int and 0 <= count <= MAX_SAFE_INTEGER else 0
