"""
The nginx that stands before several processes of the page: the system's, else the package manager's.

    python scripts/nginx.py     prints its path; where there is none, root's apt-get installs it; else exit code 1
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from charrnn import command

MISSING = "no nginx: install it (`apt-get install nginx`, `brew install nginx`); it need not run as a service"


def find_nginx() -> Path | None:
    """The system's; an administrator's folders are looked into although they are not on everybody's path."""
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    found = shutil.which("nginx", path=folders)
    return Path(found) if found else None


def install_nginx() -> Path | None:
    """By apt-get, and only as root: on a person's own machine the package would start a web server."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        for words in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "nginx"]):
            print("no nginx yet:", *words, file=sys.stderr, flush=True)
            subprocess.run(words, stdout=sys.stderr, timeout=900)
    return find_nginx()


def main() -> int:
    """Print the path of nginx, installed first if needed; the exit code."""
    if (found := find_nginx() or install_nginx()) is None:
        sys.exit(MISSING)
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
