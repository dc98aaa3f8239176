"""
The stateless call that reads a page's text and continues it.

A call contains the model, the whole text and everything else that determines the next characters, so that any process
can answer it, and equal calls have equal answers. Recent prefixes are cached (`prefix_cache`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, cast

import gradio as gr
import numpy as np
from anyio.to_thread import run_sync
from gradio.events import api as endpoint
from pydantic import ConfigDict, Field, ValidationError

from charrnn.gradient_flow import SCALE_RANGE, scale_recurrent
from charrnn.ranges import Range
from charrnn.sampling import DecoderOutput, UniformStream, generate
from charrnn.ui.server.activation_views import nearest_view
from charrnn.ui.server.analysis_cache import Cache, fingerprint
from charrnn.ui.server.call_limit import BusyError, CallLimit
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import MAX_CLAMPS, ActivationStats, clamps_of
from charrnn.ui.server.error_location import locate_error
from charrnn.ui.server.malloc_trim import MEMORY_USE
from charrnn.ui.server.page_messages import dropped_notice, packed
from charrnn.ui.server.prefix_cache import PrefixCache
from charrnn.ui.server.request_body import TEXT_ENDPOINT
from charrnn.ui.server.request_parameters import (
    MAX_EDITS,
    MAX_TEXT_CHARS,
    Character,
    Choice,
    Chosen,
    Sampling,
    Seed,
    describe_error,
    within,
)
from charrnn.ui.server.view_query import IsCurrent, Superseded, require_current

MAX_CALL_CHARS = 1000  # that one call reads or writes
STRIDE = 256  # characters between two cached states of a text that is read
CHECK_EVERY = 32  # generated characters between two checks of the connection
MAX_VIEW_CHARS = 200
MAX_SCALED = 8  # decoders with scaled weights, a few MB each
MAX_FLOAT16 = 65504.0
Position = Annotated[int, within(Range(0, MAX_TEXT_CHARS, whole=True))]


class TextRequest(Sampling):
    """
    Everything the next characters of a text depend on.

    text[:prompt] was given, the rest generated. start: the first position whose outputs the page lacks. count: number
    of characters to generate after the text.
    """

    model_config = ConfigDict(extra="forbid")
    checkpoint: Chosen = Choice()
    text: str = Field("", max_length=MAX_TEXT_CHARS)
    prompt: Position = 0
    start: Position = 0
    count: Annotated[int, within(Range(0, MAX_CALL_CHARS, whole=True))] = 0
    seed: Seed = 0
    edits: list[tuple[Position, Character]] = Field(default_factory=list, max_length=MAX_EDITS)
    view: str = Field("", max_length=MAX_VIEW_CHARS)
    clamps: list[Any] = Field(default_factory=list, max_length=MAX_CLAMPS)
    recurrent_scale: Annotated[float, within(Range(*SCALE_RANGE))] = 1.0


def build(store: Store) -> None:
    """Offer the call as a private, unqueued endpoint: one HTTP request, no stream."""
    texts, limit = TextCalls(store), CallLimit()

    async def continue_text(request: dict, http: gr.Request) -> dict:
        """Answer a `TextRequest` with characters, draws, logits and states, or an error."""
        try:
            parsed = TextRequest.model_validate(request)
            async with limit.slot():
                with MEMORY_USE.block():
                    return await _while_connected(partial(texts.answer, parsed), http)
        except ValidationError as error:
            return {"error": describe_error(error)}
        except BusyError as error:
            return {"busy_ms": error.retry_ms}
        except Superseded:
            return {}
        except ValueError as error:
            return {"error": f"{error}"}
        except Exception as error:  # an edited cell can raise any
            return {"error": locate_error(error)}

    endpoint(continue_text, api_name=TEXT_ENDPOINT, queue=False, api_visibility="private")


async def _while_connected(work: Callable[[IsCurrent], dict], http: gr.Request) -> dict:
    """Run `work` in a thread; its argument returns False after a disconnect."""
    is_connected = True
    connection = cast(Any, http.request)

    async def watch() -> None:
        nonlocal is_connected
        while not await connection.is_disconnected():
            await asyncio.sleep(0.05)
        is_connected = False

    watching = asyncio.create_task(watch())
    try:
        return await run_sync(partial(work, lambda: is_connected))
    finally:
        watching.cancel()


class TextCalls:
    """Answers text calls with the checkpoints of a store."""

    def __init__(self, store: Store):
        self.store = store
        self.prefixes = PrefixCache()
        self.scaled = Cache(MAX_SCALED)

    def answer(self, request: TextRequest, is_current: IsCurrent = lambda: True) -> dict[str, Any]:
        """
        Read text[start:] and write `count` characters after it.

        From start = 0 the answer also describes the model, and characters unknown to it are dropped. Raises ValueError,
        Superseded.
        """
        loaded = self.store.load(request.checkpoint.name, request.checkpoint.step)
        view = nearest_view(loaded.view_names, request.view)
        text, prompt, uniforms = request.text, min(request.prompt, len(request.text)), UniformStream(request.seed)
        head: dict[str, Any] = {}
        if request.start == 0:
            head, text, prompt = self._head(loaded, view, text, prompt)
            head["start_draw"] = None if prompt else uniforms[0]
        elif request.start > len(text):
            raise ValueError(f"start is {request.start}: give 0 to {len(text)}, the length of the text")
        end = min(len(text), request.start + MAX_CALL_CHARS)
        decoders = self._decoders(loaded, request, prompt)
        part = _TextPart(loaded, request, text, prompt, *decoders, self.prefixes, is_current)
        columns = part.read(request.start, end, view)
        if end == len(text):
            columns += part.write(request.count, uniforms, view)
        draws = [uniforms[i + 1 - prompt] if i + 1 >= prompt else None for i in range(request.start, part.end)]
        return {
            **head,
            "text": part.text[request.start : part.end],
            "columns": _bytes(np.clip(np.array([values for values, _ in columns]), -MAX_FLOAT16, MAX_FLOAT16), "<f2"),
            "logits": _bytes(np.array([logits for _, logits in columns]), "<f4"),
            "draws": draws,
        }

    def _head(self, loaded: LoadedModel, view: str, text: str, prompt: int) -> tuple[dict[str, Any], str, int]:
        """Describe model and text; also return the known text and its prompt length."""
        known_prompt, _ = loaded.vocab.drop_unknown(text[:prompt])
        known, dropped = loaded.vocab.drop_unknown(text)
        head = {
            "model": loaded.metadata(),
            "view": loaded.view(view).to_json(),
            "prompt": len(known_prompt),
            "known": known if dropped else None,
            "notice": dropped_notice(dropped),
            "start_logits": _bytes(np.asarray(loaded.initial_output.logits), "<f4"),
        }
        return head, known, len(known_prompt)

    def _decoders(self, loaded: LoadedModel, request: TextRequest, prompt: int) -> tuple[Any, Any, tuple]:
        """Return the decoders of the given and the generated part, and their cache key."""
        key: tuple = (fingerprint(loaded), request.recurrent_scale)
        given = loaded.decoder
        if request.recurrent_scale != 1:
            given = self.scaled.compute(_scaled_decoder, loaded, request.recurrent_scale)
        if not request.clamps:
            return given, given, key
        clamps = clamps_of(ActivationStats.of(self.store, loaded), request.clamps)
        return given, given.clamped(clamps), (*key, clamps, prompt)


def _scaled_decoder(loaded: LoadedModel, scale: float) -> Any:
    """Return the decoder of the model with W_hh scaled."""
    return scale_recurrent(loaded.checkpoint.model, scale).decoder()


@dataclass
class _TextPart:
    """Reads and writes the characters of one call, from the longest cached prefix on."""

    loaded: LoadedModel
    request: TextRequest
    text: str
    prompt: int
    given_decoder: Any
    generated_decoder: Any
    key: tuple  # of the decoders
    prefixes: PrefixCache
    is_current: IsCurrent
    end: int = 0  # of the characters read so far
    output: DecoderOutput = field(init=False)  # after them

    def read(self, start: int, to: int, view: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Read text[:to]; return (values, logits) of each character from `start` on."""
        self.end, cached = self.prefixes.longest(self.key, self.text, start)
        self.output = cached or self.given_decoder.prefill([])
        columns = []
        while self.end < to:
            require_current(self.is_current)
            stop = min(to, (self.end // STRIDE + 1) * STRIDE)
            if self.end < self.prompt:
                stop = min(stop, self.prompt)
            if self.end < start:
                stop = min(stop, start)
            decoder = self.given_decoder if self.end < self.prompt else self.generated_decoder
            ids = self.loaded.vocab.encode(self.text[self.end : stop])
            if stop <= start:
                self.output = decoder.prefill(ids, self.output.state)
            else:
                trace = decoder.read(ids, self.output.state)
                columns += zip(trace.activations[view], trace.logits, strict=True)
                self.output = trace.end
            self.end = stop
            if stop % STRIDE == 0 or stop == len(self.text):
                self.prefixes.put(self.key, self.text[:stop], self.output)
        return columns

    def write(self, count: int, uniforms: UniformStream, view: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Generate characters after the text; return (values, logits) of each."""
        if not count:
            return []
        request, vocab, start = self.request, self.loaded.vocab, len(self.text) - self.prompt
        edits = {i: vocab.ids[character] for i, character in request.edits if character in vocab.ids and i >= start}
        columns, ids = [], []
        steps = generate(self.generated_decoder, self.output, count, request.settings, uniforms, start, edits)
        for step in steps:
            columns.append((step.output.activations[view], step.output.logits))
            ids.append(step.id)
            self.output = step.output
            if len(ids) % CHECK_EVERY == 0:
                require_current(self.is_current)
        self.text += vocab.decode(ids)
        self.end = len(self.text)
        self.prefixes.put(self.key, self.text, self.output)
        return columns


def _bytes(array: np.ndarray, dtype: str) -> str:
    return packed(array.astype(dtype))
