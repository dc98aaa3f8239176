"""The limit on text calls: concurrency, queue and refusal."""

import asyncio

import pytest

from charrnn.ui.server.call_limit import BusyError, CallLimit


def run(limit: CallLimit, calls: int) -> tuple[list[str], int]:
    """Make calls at the same time -> events in order, maximum concurrency."""
    events, running, most = [], 0, 0

    async def call(number: int) -> None:
        nonlocal running, most
        try:
            async with limit.slot():
                running, most = running + 1, max(most, running + 1)
                events.append(f"{number} starts")
                await asyncio.sleep(0.01)
                running -= 1
        except BusyError as error:
            assert error.retry_ms >= 50 and f"{error.retry_ms} ms" in str(error)
            events.append(f"{number} busy")

    async def everything() -> None:
        await asyncio.gather(*map(call, range(calls)))

    asyncio.run(everything())
    return events, most


def test_calls_wait_in_order_until_busy():
    events, most = run(CallLimit(running=2, waiting=3), 7)
    assert events == ["0 starts", "1 starts", "5 busy", "6 busy", "2 starts", "3 starts", "4 starts"]
    assert most == 2


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
def test_failed_call_frees_its_slot(error):
    limit = CallLimit(running=1, waiting=1)

    async def fail() -> None:
        async with limit.slot():
            raise error

    with pytest.raises(error):
        asyncio.run(fail())
    assert run(limit, 2)[0] == ["0 starts", "1 starts"] and limit.waiting == 0


def test_cancelled_caller_frees_its_place():
    limit = CallLimit(running=1, waiting=1)

    async def take_slot() -> None:
        async with limit.slot():
            pass

    async def everything() -> None:
        async with limit.slot():
            waiting = asyncio.ensure_future(take_slot())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert limit.waiting == 0
        await asyncio.wait_for(take_slot(), 5)

    asyncio.run(everything())
