"""Ranges accept the limits that their errors name."""

import argparse
import importlib
import math
import re
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch

from charrnn import registry, sampling, training
from charrnn.clamps import Clamp, ClampSet
from charrnn.flag_types import Number
from charrnn.model import CharRNN
from charrnn.ranges import Range, written
from charrnn.sampling import SamplingSettings, UniformStream
from charrnn.seeds import SEEDS, STREAMS, seeded
from charrnn.training import Recipe
from charrnn.ui import api
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import MAX_RUN_CHARS, SAMPLING_LIMITS, SPEEDS
from charrnn.ui.server.share_link import parse_link
from tests.small_models import SMALL, save_small

NUMBER = r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
RANGES = {
    **{f"sampling {name}": limits for name, limits in sampling.LIMITS.items()},
    **{f"page {name}": limits for name, limits in SAMPLING_LIMITS.items()},
    **{f"recipe {name}": limits for name, limits in training.LIMITS.items()},
    **{f"network {name}": limits for name, limits in registry.LIMITS.items()},
    "speed": SPEEDS,
    "seed": SEEDS,
}


def outside(limits: Range) -> list[float]:
    """The nearest excluded numbers."""
    step = 1 if limits.whole else None
    below = limits.low if limits.above else limits.low - step if step else math.nextafter(limits.low, -math.inf)
    above = limits.high + step if step else math.nextafter(limits.high, math.inf)
    return [below, above, math.nan, math.inf, -math.inf, *([limits.low + 0.5] if limits.whole else [])]


def check(limits: Range, accept, refuse) -> None:
    """Check limits: accept(number) must not raise, refuse(number) returns the error."""
    named = [float(each) for each in re.findall(NUMBER, str(limits))]
    assert {limits.low, limits.high} <= set(named)
    for number in named:
        if not (limits.above and number == limits.low):
            accept(number)
    if limits.above:
        accept(math.nextafter(limits.low, math.inf))
    for number in outside(limits):
        if limits.zero and number == 0:
            continue
        error = refuse(number)
        assert f"give {limits}" in error and "\n" not in error
        assert str(int(number) if limits.whole and math.isfinite(number) and number == int(number) else number) in error


def formatted(number: float) -> str:
    return written(number) if math.isfinite(number) else str(number)


def refusal(function, *arguments) -> str:
    with pytest.raises(ValueError) as refused:
        function(*arguments)
    return str(refused.value)


@pytest.mark.parametrize("name", RANGES)
def test_range_accepts_limits_it_names(name):
    limits = RANGES[name]
    check(limits, lambda x: limits.require("x", x), lambda x: refusal(limits.require, "x", x))
    check(limits, lambda x: limits.read("x", formatted(x)), lambda x: refusal(limits.read, "x", formatted(x)))


@pytest.mark.parametrize("name", ["beta2", "max_grad_norm", "steps"])
def test_recipe_accepts_limits_it_names(name):
    limits, kind = training.LIMITS[name], type(getattr(Recipe(), name))
    for number in re.findall(NUMBER, refusal(lambda: Recipe(**{name: kind(limits.high) + 1})).partition("give")[2]):
        Recipe(**{name: kind(float(number))})


NOT_SEEDS = ["", None, "7", "0x7", True, [7], 10**5000, -(10**5000), 0.5, "a\x1b[31m"]


@pytest.mark.parametrize("value", NOT_SEEDS, ids=range(len(NOT_SEEDS)))
def test_invalid_number_is_shown_in_one_line(value):
    error = refusal(SEEDS.require, "seed", value)
    assert re.fullmatch(r"seed is \S.{0,60}: give a whole number from 0 to 4294967295", error)
    assert error.isprintable() and "''" not in error and "None" not in error


@pytest.mark.parametrize("word", ["0x7", "１", " 7", "7 ", "1_000", "", "seven", "7.5", "1e400", "٣", "--"])
def test_number_must_be_ascii_digits(word):
    assert "give a whole number from 0 to 4294967295" in refusal(SEEDS.read, "seed", word)


@pytest.mark.parametrize("seed", [-1, STREAMS, 7 + STREAMS, 2**63, True, 0.5, "7", None, np.int64(-1), math.nan])
def test_seed_out_of_range_is_refused(seed):
    for use in (UniformStream, seeded):
        assert f"give {SEEDS}" in refusal(use, seed)


def test_seeds_differ_over_whole_range():
    seven: Any = np.int32(7)
    assert seeded(seven).initial_seed() == 7 and UniformStream(seven)[0] == UniformStream(7)[0]
    ends = [0, 1, 7, 2**31, STREAMS - 2, STREAMS - 1]
    assert len({UniformStream(seed)[0] for seed in ends}) == len(ends)
    assert UniformStream(7)[0] == torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(7)).item()


def test_sample_rows_have_own_seeds():
    network, ctx = CharRNN(5, 4), torch.zeros(3, 1, dtype=torch.long)
    assert network.sample(ctx, 2, seed=STREAMS - 3).shape == (3, 3)
    assert network.sample(ctx, 2, seed=None).shape == (3, 3)
    for seed in (STREAMS - 2, -1, 7 + STREAMS):
        error = refusal(lambda seed=seed: network.sample(ctx, 2, seed=seed))
        assert "give a whole number from 0 to 4294967293" in error


COMMANDS = [f"commands.{name}" for name in ("analyse", "sample", "sweep", "train")]
COMMANDS += ["bench.run_bench", "bench.engine", "bench.page_speed", "bench.server_load", "study.run_study"]


class ParserFound(BaseException):
    """Carries a parser out of the script that created it."""


def parser_of(script: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    def stop(parser, *arguments):
        raise ParserFound(parser)

    module = importlib.import_module(f"charrnn.{script}")
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.setattr("sys.argv", [script])
    with pytest.raises(ParserFound) as stopped:
        module.main([])
    return stopped.value.args[0]


def actions(parser: argparse.ArgumentParser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from actions(each)
        else:
            yield action


@pytest.mark.parametrize("script", COMMANDS)
def test_numeric_flags_have_ranges(script, monkeypatch):
    flags = [*actions(parser_of(script, monkeypatch))]
    assert not [flag.dest for flag in flags if flag.type in (int, float)]
    numeric = [flag for flag in flags if isinstance(flag.type, Number)]
    assert numeric or script == "commands.sweep"
    for action in numeric:
        read: Any = action.type
        default: Any = action.default
        for value in default if isinstance(default, (list, tuple)) else [default]:
            assert value is None or value in read.limits, action.dest

        def refused(number, read=read):
            with pytest.raises(argparse.ArgumentTypeError) as error:
                read(formatted(number))
            return str(error.value)

        check(read.limits, lambda number, read=read: read(formatted(number)), refused)


REQUEST = {"temperature": 0.8, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 7, "characters": 1}
OF_PAGE = SAMPLING_LIMITS | {"seed": SEEDS, "characters": Range(1, MAX_RUN_CHARS, whole=True), "speed": SPEEDS}


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    """Functions that request a text by the API and by a link."""
    root = tmp_path_factory.mktemp("small")
    save_small(root / "rnn", SMALL["rnn"])
    store = Store(root)
    endpoints = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "endpoint", lambda function, api_name, **_: endpoints.update({api_name: function}))
        api.build(store)

    def by_api(**settings):
        try:
            endpoints["write"](**{"prompt": "", "checkpoint": "rnn", **REQUEST, **settings})
        except gr.Error as error:
            raise ValueError(error.message) from None

    def by_link(**settings):
        if problems := parse_link(store, {name: str(value) for name, value in settings.items()}).problems:
            raise ValueError("; ".join(problems))

    return {"api": by_api, "link": by_link}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in ("api", "link") for name in OF_PAGE if (kind, name) != ("api", "speed")]
)
def test_request_numbers_name_limits(requests, kind, name):
    request = requests[kind]
    check(OF_PAGE[name], lambda x: request(**{name: x}), lambda x: refusal(lambda: request(**{name: x})))


def test_settings_and_clamps_name_limits():
    assert refusal(SamplingSettings, 1e-8) == "temperature is 1e-08: give 0 (greedy), or 1e-06 to 100"
    assert refusal(SamplingSettings, 1.0, 0, 0.0) == "top_p is 0.0: give more than 0 and at most 1"
    almost = math.nextafter(1, 2)
    assert f"{almost}: give -1 to 1" in refusal(ClampSet, [Clamp("h", 0, almost)], {"h": 3})
