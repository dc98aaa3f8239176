"""
A fake of the HTTP interface of the Hugging Face Hub.

    python tests/fake_hub.py FOLDER [PORT]     serves until killed; stores uploads by Xet in FOLDER

The first line it prints is its address; the others are shell commands that publish to it and load from it, without an
account. It runs in a process of its own, so that a test can kill it. A repository is a list of commits, a commit a
tree of files; both are in memory.

POST /faults {"route": [status, error code, message, headers, times]} makes a route answer with an error from then on,
or so many times; {"race": "owner/name"} commits a file to it at the next preupload. GET /counts: requests by route.
"""

import base64
import hashlib
import json
import re
import struct
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hf_xet import XetFileInfo, XetSession  # pyright: ignore[reportAttributeAccessIssue]

TOKEN = "hf_a_token_that_may_write"
PRIVATE_ORGANIZATION = "private-lab"  # its new repositories are private by default


@dataclass
class Repository:
    private: bool = False
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)  # (oid, path -> content), newest last
    tags: dict[str, str] = field(default_factory=dict)  # name -> oid
    variables: dict[str, str] = field(default_factory=dict)  # of a Space
    hardware: str = "cpu-basic"  # of a Space

    def commit(self, files: dict[str, bytes]) -> str:
        digests = [(path, hashlib.sha1(content).hexdigest()) for path, content in sorted(files.items())]
        oid = hashlib.sha1(repr((len(self.commits), digests)).encode()).hexdigest()
        self.commits.append((oid, files))
        return oid

    def find(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit for `main`, `HEAD`, a tag or an oid; None if there is none."""
        if revision in ("main", "HEAD"):
            return self.commits[-1]
        revision = self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit[0] == revision), None)


class Xet:
    """The folder of files uploaded by Xet: maps sha256 to Xet hash."""

    def __init__(self, folder: Path):
        self.folder = folder

    def hashes(self) -> dict[str, str]:
        """Read sha256 -> Xet hash of every uploaded file from the shards."""
        found = {}
        for shard in self.folder.rglob("*.mdb"):
            data = shard.read_bytes()
            at = 48  # the header
            while data[at : at + 32] != b"\xff" * 32:  # the end of the files' part
                name = data[at : at + 32]
                flags, entries = struct.unpack_from("<II", data, at + 32)
                verified, has_metadata = bool(flags & 1 << 31), bool(flags & 1 << 30)
                at += 48 * (1 + entries * (1 + verified))
                if has_metadata:
                    found[_as_hex(data[at : at + 32])] = _as_hex(name)
                    at += 48
        return found

    def content(self, sha256: str, size: int) -> bytes | None:
        """Reassemble an upload by the Xet client; None if there is none."""
        if (name := self.hashes().get(sha256)) is None:
            return None
        path = self.folder.with_name(f"{self.folder.name}-{sha256}")
        with XetSession().new_file_download_group(f"local://{self.folder}", token="x") as group:
            group.start_download_file(XetFileInfo(name, size), str(path))
        content = path.read_bytes()
        path.unlink()
        return content


def _as_hex(words: bytes) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", words))


class Hub(BaseHTTPRequestHandler):
    """One request; class attributes hold the state of the server."""

    protocol_version = "HTTP/1.1"
    repositories: dict[str, Repository] = {}
    objects: dict[str, bytes] = {}  # sha256 -> content, uploaded but perhaps not yet committed
    sizes: dict[str, int] = {}  # sha256 -> size that an upload announced, received or not
    faults: dict[str, list] = {}
    race: str | None = None
    counts: Counter[str] = Counter()
    xet: Xet

    def repos_create(self) -> None:
        body = json.loads(self.body)
        repo_id = f"{body.get('organization') or 'me'}/{body['name']}"
        repo_id = f"spaces/{repo_id}" if body.get("type") == "space" else repo_id
        address = {"url": f"{self.address}/{repo_id}"}
        if repo_id in self.repositories:
            return self.answer(409, {"error": "exists", **address})
        is_private = body.get("private", body.get("organization") == PRIVATE_ORGANIZATION)
        visibility = body.get("visibility") or ("private" if is_private else "public")
        self.repositories[repo_id] = Repository(visibility == "private")
        self.repositories[repo_id].hardware = body.get("hardware") or Repository.hardware
        self.repositories[repo_id].commit({".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
        self.answer(200, address)

    def validate_yaml(self) -> None:
        self.answer(200, {"errors": [], "warnings": []})

    def preupload(self, repo_id: str, revision: str) -> None:
        if type(self).race == repo_id:
            type(self).race = None
            repository = self.repositories[repo_id]
            repository.commit(repository.commits[-1][1] | {"theirs.txt": b"first"})
        _, files = self.commit_of(repo_id, revision)
        uploads = [(file["path"], file["path"].endswith(".safetensors")) for file in json.loads(self.body)["files"]]
        modes = [
            {
                "path": path,
                "uploadMode": "lfs" if is_large else "regular",
                "shouldIgnore": False,
                "oid": (_sha256 if is_large else _git_sha1)(files[path]) if path in files else None,
            }
            for path, is_large in uploads
        ]
        self.answer(200, {"files": modes})

    def lfs_batch(self, repo_id: str) -> None:
        objects = json.loads(self.body)["objects"]
        for item in objects:
            item["actions"] = {"upload": {"href": f"{self.address}/lfs/{item['oid']}"}}
        self.answer(200, {"objects": objects})

    def lfs_put(self, sha256: str) -> None:
        self.objects[sha256] = self.body
        self.answer(200, {})

    def xet_token(self, repo_id: str, revision: str) -> None:
        address, expiry = f"local://{self.xet.folder}", 4102444800  # in the year 2100
        headers = {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": "x", "X-Xet-Token-Expiration": str(expiry)}
        self.answer(200, {"casUrl": address, "accessToken": "x", "exp": expiry}, headers)

    def make_commit(self, repo_id: str, revision: str) -> None:
        parent, files = self.commit_of(repo_id, revision)
        files = dict(files)
        for line in self.body.decode().splitlines():
            key, value = (part := json.loads(line))["key"], part["value"]
            if key == "header" and value.get("parentCommit", parent) != parent:
                return self.answer(412, {"error": "A commit has happened since."})
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                sha256: str = value["oid"]
                content = self.objects.get(sha256) or self.xet.content(sha256, value["size"])
                files[value["path"]] = content or f"nothing:{sha256}".encode()
                self.sizes[sha256] = value["size"]
            elif key == "deletedFile":
                del files[value["path"]]
        oid = self.repositories[repo_id].commit(files)
        self.answer(200, {"commitOid": oid, "commitUrl": f"{self.address}/{repo_id}/commit/{oid}"})

    def refs(self, repo_id: str) -> None:
        oid, _ = self.commit_of(repo_id, "main")
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": target}
            for name, target in self.repositories[repo_id].tags.items()
        ]
        branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": oid}]
        self.answer(200, {"branches": branches, "converts": [], "tags": tags})

    def make_tag(self, repo_id: str, revision: str) -> None:
        oid, _ = self.commit_of(repo_id, revision)
        name = json.loads(self.body)["tag"]
        if name in self.repositories[repo_id].tags:
            return self.answer(409, {"error": "exists"})
        self.repositories[repo_id].tags[name] = oid
        self.answer(200, {})

    def set_variable(self, repo_id: str) -> None:
        body = json.loads(self.body)
        variables = self.repositories[repo_id].variables
        variables[body["key"]] = body["value"]
        self.answer(200, {key: {"key": key, "value": value} for key, value in variables.items()})

    def runtime(self, repo_id: str) -> None:
        hardware = self.repositories[repo_id].hardware
        self.answer(200, {"stage": "RUNNING", "hardware": {"current": hardware, "requested": hardware}})

    def info(self, repo_id: str, revision: str | None) -> None:
        oid, files = self.commit_of(repo_id, revision or "main")
        siblings = [self.sibling(path, content) for path, content in sorted(files.items())]
        private = self.repositories[repo_id].private
        name = repo_id.removeprefix("spaces/")
        self.answer(200, {"id": name, "sha": oid, "siblings": siblings, "private": private, "tags": []})

    def sibling(self, path: str, content: bytes) -> dict:
        entry = self.entry(path, content)
        described = {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]}
        if lfs := entry.get("lfs"):
            described["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
        return described

    def tree(self, repo_id: str, revision: str) -> None:
        _, files = self.commit_of(repo_id, revision)
        self.answer(200, [self.entry(path, content) for path, content in sorted(files.items())])

    def entry(self, path: str, content: bytes) -> dict:
        if (sha256 := _sha256(content)) in self.sizes:
            size = self.sizes[sha256]
            lfs = {"oid": sha256, "size": size, "pointerSize": 130}
            return {"type": "file", "path": path, "size": size, "oid": "0" * 40, "lfs": lfs}
        return {"type": "file", "path": path, "size": len(content), "oid": _git_sha1(content)}

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        oid, files = self.commit_of(repo_id, revision)
        headers = {"X-Repo-Commit": oid, "ETag": f'"{_git_sha1(files[path])}"'}
        self.answer(200, files[path], headers)

    def commit_of(self, repo_id: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self.repositories.get(repo_id)
        if repository is None or repository.private and not self.may_write:
            raise Refused(404 if self.may_write else 401, "RepoNotFound")
        commit = repository.find(unquote(revision))
        if commit is None:
            raise Refused(404, "RevisionNotFound")
        return commit

    def handle_request(self) -> None:
        self.address = f"http://{self.headers['Host']}"
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        path = re.sub("^/api/spaces/", "/api/models/spaces/", path)
        self.may_write = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if path == "/faults":
            faults = json.loads(self.body)
            type(self).race = faults.pop("race", None)
            type(self).faults = faults
            return self.answer(200, {})
        if path == "/counts":
            return self.answer(200, dict(self.counts))
        try:
            for method, pattern, route in ROUTES:
                match = re.fullmatch(pattern, path)
                if match and self.command in method:
                    self.counts[route.__name__] += 1
                    if self.command == "POST" and not self.may_write:
                        raise Refused(401, "", "Invalid credentials in Authorization header")
                    self.fail_if_set(route.__name__)
                    return route(self, **match.groupdict())
            raise Refused(404, "EntryNotFound")
        except Refused as refusal:
            status, code, message, headers = refusal.args
            self.answer(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message} | headers)

    def fail_if_set(self, route: str) -> None:
        if fault := self.faults.get(route):
            if len(fault) == 5:
                fault[4] -= 1
                if fault[4] <= 0:
                    del self.faults[route]
            raise Refused(*fault[:4])

    def answer(self, status: int, body: dict | list | bytes, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = handle_request  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class Refused(Exception):
    """An error answer: status, Hub error code, message, headers."""

    def __init__(self, status: int, code: str = "", message: str = "refused", headers: dict[str, str] | None = None):
        super().__init__(status, code, message, headers or {})


REPO, REVISION = r"(?P<repo_id>(?:spaces/)?[^/]+/[^/]+)", r"(?P<revision>[^/]+)"
ROUTES: list[tuple[str, str, Callable[..., None]]] = [
    ("POST", "/api/repos/create", Hub.repos_create),
    ("POST", "/api/validate-yaml", Hub.validate_yaml),
    ("POST", f"/api/models/{REPO}/preupload/{REVISION}", Hub.preupload),
    ("POST", f"/{REPO}.git/info/lfs/objects/batch", Hub.lfs_batch),
    ("PUT", r"/lfs/(?P<sha256>\w+)", Hub.lfs_put),
    ("GET", f"/api/models/{REPO}/xet-(read|write)-token/{REVISION}", Hub.xet_token),
    ("POST", f"/api/models/{REPO}/commit/{REVISION}", Hub.make_commit),
    ("GET", f"/api/models/{REPO}/refs", Hub.refs),
    ("POST", f"/api/models/{REPO}/tag/{REVISION}", Hub.make_tag),
    ("POST", f"/api/models/{REPO}/variables", Hub.set_variable),
    ("GET", f"/api/models/{REPO}/runtime", Hub.runtime),
    ("GET", f"/api/models/{REPO}(/revision/{REVISION})?", Hub.info),
    ("GET", f"/api/models/{REPO}/tree/{REVISION}", Hub.tree),
    ("GET HEAD", f"/{REPO}/resolve/{REVISION}/(?P<path>.+)", Hub.resolve),
]


def _sha256(content: bytes) -> str:
    return content[8:].decode() if content.startswith(b"nothing:") else hashlib.sha256(content).hexdigest()


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


if __name__ == "__main__":
    Hub.xet = Xet(Path(sys.argv[1]).resolve())
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Hub)
    address = f"http://127.0.0.1:{server.server_port}"
    home = f"{Path(sys.argv[1]).resolve()}-client"
    print(f"{address}\nexport HF_ENDPOINT={address} HF_TOKEN={TOKEN} HF_HOME={home}", flush=True)
    print("python scripts/publish.py checkpoints me/lab\npython app.py --checkpoints me/lab", flush=True)
    server.serve_forever()
