"""
Calls of `charrnn.hub`, each list in a process of its own: the Hub library reads its address when it is imported.

    python tests/hub_calls.py      reads {"calls", "environment", "out", "err"} a line, prints the exit code of each

What takes long to import is imported once; every list of calls runs in a fork, which imports the Hub's client afresh.
"""

import importlib
import json
import os
import sys
import traceback
import urllib.request
from pathlib import Path

SLOW = ("PIL.ImageDraw", "PIL.ImageFont", "torch", "charrnn.training")  # to import


def run(calls: list[list]) -> None:
    """What each call gave, as JSON, a line each."""
    from charrnn import hub

    for name, *arguments in calls:
        said: list[str] = []
        try:
            match name:
                case "fail":
                    address = os.environ["HF_ENDPOINT"] + "/faults"
                    urllib.request.urlopen(address, json.dumps(arguments[0]).encode()).close()
                    continue
                case "push":
                    options = arguments[2] if len(arguments) > 2 else {}
                    pushed = hub.push(Path(arguments[0]), arguments[1], **options, say=said.append)
                    outcome = vars(pushed) | {"said": said}
                case "push_space":
                    options = arguments[3] if len(arguments) > 3 else {}
                    outcome = vars(hub.push_space(Path(arguments[0]), *arguments[1:3], **options, say=said.append))
                case "fetch_or":
                    origin = hub.fetch_or(arguments[0], Path(arguments[1]), always=arguments[2])
                    outcome = {"folder": str(origin.folder), "commit": origin.commit, "notice": origin.notice}
                case _:
                    origin = hub.fetch(arguments[0])
                    outcome = {"folder": str(origin.folder), "commit": origin.commit, "notice": origin.notice}
                    assert origin.commit == hub.commit_of(origin.folder)
        except hub.HubError as error:
            outcome = {"error": str(error), "kind": error.kind, "to_visitor": error.to_visitor}
        print(json.dumps(outcome))


def fork(request: dict) -> int:
    """The exit code of a child that makes the calls."""
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
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    for module in SLOW:
        importlib.import_module(module)
    assert "huggingface_hub" not in sys.modules, "then every fork would have the first one's address"
    for line in sys.stdin:
        print(fork(json.loads(line)), flush=True)
