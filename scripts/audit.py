"""
Look up what is known against every installed package, what the app needs and what that needs. `make audit` calls this.

    python scripts/audit.py .venv/audit/bin/pip-audit

pip-audit has an environment of its own, so that the app depends on none of it. Where no service can be asked, or none
knows a package, that is said, and it is no success.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from charrnn import command

SERVICES = {"pypi": "https://pypi.org", "osv": "https://api.osv.dev"}
WAIT_S = 20  # for each answer


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing is known against any of them; 1: something is; 2: that could not be found out."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        print("audit.py: say which pip-audit to run: make audit", file=sys.stderr)
        return 2
    packages = installed()
    unknown, flaws, silent = dict(packages), set[str](), []
    for service, address in SERVICES.items():
        answer = asked(words, service, unknown) if unknown else []
        if isinstance(answer, str):
            silent.append(f"{address} could not be asked: {answer}")
            continue
        for each in answer:
            if "skip_reason" not in each:
                unknown.pop(each["name"], None)
                flaws |= set(flaws_of(each))
    print("".join(f"{flaw}\n" for flaw in sorted(flaws)), end="")
    if unknown:
        silent.append(
            f"{len(unknown)} of {len(packages)} packages could not be looked up: {', '.join(unknown)[:200]} …"
        )
        print("".join(f"audit.py: {line}\n" for line in silent), end="", file=sys.stderr)
    elif not flaws:
        print(f"{len(packages)} packages: nothing is known against any of them")
    return 1 if flaws else 2 if unknown else 0


def installed() -> dict[str, str]:
    """The packages of this environment, their versions without what a builder added to them."""
    found = {
        each.metadata["Name"].lower().replace("_", "-"): each.version.partition("+")[0] for each in distributions()
    }
    return dict(sorted(found.items()))


def asked(command: Sequence[str], service: str, packages: Mapping[str, str]) -> list[dict[str, Any]] | str:
    """What a service says of each package; in one line why it does not, where so."""
    options = ["--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off", "--timeout", str(WAIT_S)]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
        whole = [*command, "-r", str(wanted), *options, "--vulnerability-service", service]
        try:
            run = subprocess.run(whole, capture_output=True, text=True)
            return json.loads(run.stdout)["dependencies"]
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        except (ValueError, KeyError):
            return (run.stderr.strip().splitlines() or ["no answer"])[-1][:120]


def flaws_of(package: dict[str, Any]) -> list[str]:
    """A line for each thing that is known against a package."""
    which = f"{package['name']} {package['version']}"
    return [
        f"{which}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'no version'}"
        for each in package.get("vulns", [])
    ]


if __name__ == "__main__":
    sys.exit(command.run(main))
