"""
Call `charrnn.hub`, each list of calls in a process of its own.

    python tests/hub_calls.py      reads {"calls", "environment", "out", "err"} a line, prints the exit code of each

Slow imports happen once. Every list of calls runs in a fork, which imports the Hub's client, because the client reads
its address on import.
"""

import errno
import importlib
import io
import itertools
import json
import os
import sys
import traceback
import urllib.request
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any

SLOW = ("torch", "charrnn.training")  # to import

# ruff: noqa: E402
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fault_injection import Killed, faults


def run(calls: list[list]) -> None:
    """Print the result of each call as JSON, one a line."""
    from charrnn import hub

    for name, *arguments in calls:
        notices: list[str] = []
        try:
            match name:
                case "fail":
                    address = os.environ["HF_ENDPOINT"] + "/faults"
                    urllib.request.urlopen(address, json.dumps(arguments[0]).encode()).close()
                    continue
                case "push":
                    folder, *names = arguments
                    options = names.pop() if isinstance(names[-1], dict) else {}
                    pushed = hub.push(Path(folder), *names, **options, notify=notices.append)
                    outcome = vars(pushed) | {"notices": notices}
                case "push_space":
                    root, repo_id, checkpoints, *more = arguments
                    options = more[0] if more else {}
                    release = hub.space_release(
                        Path(root), repo_id, checkpoints, zero_gpu=options.get("zero_gpu", False)
                    )
                    pushed = hub.push_space(release, repo_id, checkpoints=checkpoints, **options, notify=notices.append)
                    outcome = vars(pushed) | {"notices": notices}
                case "main":
                    outcome = call_main(*arguments)
                case "push_with_faults":
                    outcome = push_with_faults([Path(folder) for folder in arguments[:2]], arguments[2])
                case "fetch_with_fallback":
                    origin = hub.fetch_with_fallback(arguments[0], Path(arguments[1]), always=arguments[2])
                    outcome = {"folder": str(origin.folder), "commit": origin.commit, "notice": origin.notice}
                case _:
                    origin = hub.fetch(arguments[0])
                    outcome = {"folder": str(origin.folder), "commit": origin.commit, "notice": origin.notice}
                    assert origin.commit == hub.commit_of(origin.folder)
        except hub.HubError as error:
            outcome = {"error": str(error), "kind": error.kind, "user_message": error.user_message}
        print(json.dumps(outcome))


def call_main(command: str, *arguments: str) -> dict[str, Any]:
    """Call the `main` of a command; return its exit code and output."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            code = importlib.import_module(f"charrnn.commands.{command}").main([*arguments])
        except SystemExit as end:
            code = end.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def push_with_faults(folders: list[Path], repo_id: str) -> dict[str, Any]:
    """
    Push two folders alternately, with a fault in each file operation in turn.

    Returns the number of operations and a line for each fault after which the repository was neither the old nor the
    new release, or a second push did not succeed.
    """
    from huggingface_hub import HfApi

    from charrnn import checkpoint, hub

    api, wrong = HfApi(), []
    errors = [partial(OSError, number, os.strerror(number)) for number in (errno.ENOSPC, errno.EACCES, errno.EIO)]
    ends = itertools.cycle([*errors, KeyboardInterrupt, None])

    def state() -> set[tuple[str, str | None]]:
        files = api.model_info(repo_id, files_metadata=True).siblings or []
        return {(file.rfilename, file.lfs.sha256 if file.lfs else file.blob_id) for file in files}

    states = []
    for folder in folders:
        with faults(folder) as undisturbed:
            hub.push(folder, repo_id)
        states.append(state())
    old, done = 1, len(undisturbed.done)
    for at, error in zip(range(done), ends, strict=False):
        new = 1 - old
        with faults(folders[new], at, error), suppress(checkpoint.CheckpointError, hub.HubError, OSError, Killed):
            with suppress(KeyboardInterrupt):
                hub.push(folders[new], repo_id)
        found = state()
        if found not in states:
            wrong.append(f"{at} {undisturbed.done[at]}, {error or 'killed'}: neither the old nor the new")
        if found != states[old] or at == done - 1:  # otherwise nothing was published
            pushed = hub.push(folders[new], repo_id)
            tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
            if state() != states[new] or tags.get(pushed.tag) != pushed.commit:
                wrong.append(f"{at} {undisturbed.done[at]}: not the second push")
            old = new
    return {"operations": len(undisturbed.done), "wrong": wrong}


def fork(request: dict) -> int:
    """Make the calls in a child process; return its exit code."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.environ.clear()
        os.environ.update(request["environment"])
        for number, path in ((1, request["out"]), (2, request["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        run(request["calls"])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for module in SLOW:
        importlib.import_module(module)
    assert "huggingface_hub" not in sys.modules, "each fork must import it with its own address"
    for line in sys.stdin:
        print(fork(json.loads(line)), flush=True)
