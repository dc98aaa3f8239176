"""Several processes of the page behind nginx, and visitors who keep their cookies as a browser does."""

import base64
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx

from charrnn.checkpoint import load
from charrnn.sampling import Dice, SamplingSettings, generate
from scripts import visitor
from scripts.nginx import MISSING, find_nginx
from scripts.visitor import SETTINGS, Door
from tests.calling import ROOT, command

COOKIE = "charrnn_process"
MODEL, LAST = "rnn", 2000


class Lab:
    """What serve.py runs: its address, and the process ids by the numbers that the cookies name."""

    def __init__(self, log: Path, running: subprocess.Popen):
        self.log, self.running = log, running

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def address(self) -> str:
        return re.findall(r"Char-RNN Lab: (\S+)", self.said)[0] + "/"

    @property
    def processes(self) -> dict[str, int]:
        """The newest process id of each number."""
        return {number: int(pid) for number, pid in re.findall(r"process (\d+): pid (\d+)", self.said)}

    def lives(self, number: str) -> bool:
        """Whether this process answers."""
        port = re.findall(rf"process {number}: .*port (\d+)", self.said)[-1]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, number: str) -> None:
        os.kill(self.processes[number], signal.SIGKILL)


@contextmanager
def lab(folder: Path, processes: int = 2) -> Iterator[Lab]:
    """Several processes of the page on the bundled checkpoints. No nginx at all is a failure, never a skip."""
    assert find_nginx() is not None, MISSING
    log = folder / "serve.log"
    environment = os.environ | {"CHARRNN_CACHE": str(folder / "no-corpus"), "HF_HUB_OFFLINE": "1"}
    with log.open("w") as file:
        running = subprocess.Popen(
            command("serve.py", "--processes", processes, "--port", 0, "--allowed-hosts", "lab.example"),
            stdout=file,
            stderr=file,
            env=environment,
            cwd=ROOT,
        )
    try:
        while "Char-RNN Lab" not in log.read_text():
            assert running.poll() is None, log.read_text()
            time.sleep(0.1)
        yield Lab(log, running)
    finally:
        running.terminate()
        assert running.wait(60) == 0, log.read_text()


def alone(seed: int, characters: int) -> str:
    """What the prompt of the visitors becomes where there is nobody else."""
    trained = load(ROOT / "checkpoints" / MODEL)
    decoder, prompt = trained.model.decoder(), str(SETTINGS["prompt"])
    reading = decoder.prefill(trained.vocab.encode(prompt))
    steps = generate(decoder, reading, characters, SamplingSettings(temperature=0.8), Dice(seed))
    return prompt + trained.vocab.decode([step.id for step in steps])


class Visitor:
    """
    One browser, without one to draw, until the house is closed.

    process: the number of the one that answers it, by its cookie; text and columns: what has come.
    """

    def __init__(self, house: AsyncExitStack, address: str, seed: int):
        self.client = httpx.AsyncClient(base_url=address, timeout=120)
        house.push_async_callback(self.client.aclose)
        self.seed, self.text, self.columns = seed, "", 0

    @property
    def process(self) -> str:
        return self.client.cookies[COOKIE]

    async def open(self) -> str:
        """Ask for the page -> the number of the process that answered."""
        (await self.client.get("")).raise_for_status()
        return self.process

    async def write(self, characters: int, speed: float) -> str:
        """Write -> the text. Raises httpx.HTTPError where the connection breaks; `text` is what had come till then."""
        door = Door(self.client, (await self.client.get("config")).json()["dependencies"])
        choice = {"name": MODEL, "step": LAST}
        wish = {"speed": speed, "characters": characters, "seed": self.seed, "checkpoint": choice}
        self.text, self.columns, rows = "", 0, 1
        async for message in visitor.Visitor(door).writing(**wish):
            rows = message["view"]["rows"] if message["kind"] == "start" else rows
            self.text += message.get("text", "")
            self.columns += len(base64.b64decode(message.get("columns", ""))) // (2 * rows)  # half precision
        return self.text
