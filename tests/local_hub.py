"""A hub on this machine: what the Hugging Face Hub answers to huggingface_hub, to push and to open presets.

The paths are those of huggingface_hub 2.4 (`_commit_api.py`, `lfs.py`, `file_download.py`).
"""

import base64
import hashlib
import json
import re
import threading
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

import yaml

TOKEN, READER = "hf_writer", "hf_reader"


class Repository:
    """Commits, the newest last, each a dict of name to bytes, and the large files that were uploaded."""

    def __init__(self):
        self.commits, self.messages, self.large = [{".gitattributes": b""}], [""], {}

    files = property(lambda self: self.commits[-1])

    @property
    def oid(self):
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status=200, body=None, headers=(), content=None):
        content = json.dumps({} if body is None else body).encode() if content is None else content
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **dict(headers)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status, code, message=""):
        self.answer(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message})

    def route(self):
        hub, path = self.server, urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hub.asked.append((self.command, path))
        reading = self.command in ("GET", "HEAD") or path == "/api/validate-yaml"
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not (reading or "/upload/" in path) and token != TOKEN:
            return self.refuse(403 if token == READER else 401, "", "this token may not write")
        if path == "/api/repos/create":
            asked = json.loads(content)
            repo = f"{asked['organization']}/{asked['name']}"
            if asked["organization"] != "me":
                return self.refuse(403, "", "you are not of this organization")
            there = repo in hub.repositories
            hub.repositories.setdefault(repo, Repository())
            hub.created.append(asked)
            return self.answer(409 if there else 200, {"url": f"{hub.address}/{repo}"})
        if path == "/api/validate-yaml":
            text = json.loads(content)["content"]
            front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
            wrong = [] if front and isinstance(yaml.safe_load(front[1]), dict) else [{"message": "no YAML"}]
            return self.answer(400 if wrong else 200, {"errors": wrong, "warnings": []})
        found = re.match(r"/(?:api/models/)?([\w.-]+/[\w.-]+?)(?:\.git)?(?:/(.*))?$", path)
        repository = found and hub.repositories.get(found[1])
        if repository is None:
            return self.refuse(404, "RepoNotFound")
        return self.of_repository(repository, found[1], found[2] or "", content)

    do_GET = do_HEAD = do_POST = do_PUT = route  # noqa: N815 (names of http.server)

    def of_repository(self, repository, repo, path, content):
        if path == "tree/main":
            about = [
                {"type": "file", "path": n, "size": len(c), "oid": "0"} for n, c in repository.files.items()
            ]
            return self.answer(200, about)
        if path in ("", "revision/main"):
            return self.answer(200, {"id": repo, "sha": repository.oid, "siblings": [], "xetEnabled": False})
        if path == "preupload/main":
            names = [file["path"] for file in json.loads(content)["files"]]
            modes = ["lfs" if self.server.large and name.endswith(".h5") else "regular" for name in names]
            files = [
                {"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in zip(names, modes, strict=True)
            ]
            return self.answer(200, {"files": files})
        if path == "info/lfs/objects/batch":
            place = f"{self.server.address}/{repo}/upload/"
            objects = [
                {**one, "actions": {"upload": {"href": place + one["oid"]}}}
                for one in json.loads(content)["objects"]
            ]
            return self.answer(200, {"transfer": "basic", "objects": objects})
        if path.startswith("upload/"):
            oid = path.split("/")[1]
            assert hashlib.sha256(content).hexdigest() == oid
            repository.large[oid] = content
            return self.answer()
        if path == "commit/main":
            return self.commit(repository, repo, [json.loads(line) for line in content.splitlines()])
        if path.startswith("resolve/"):
            return self.resolve(repository, path.split("/", 2)[2])
        return self.refuse(404, "", f"this hub knows no {path}")

    def commit(self, repository, repo, lines):
        files = dict(repository.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                repository.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = repository.large[value["oid"]]
            else:
                del files[value["path"]]  # deletedFile
        repository.commits.append(files)
        url = f"{self.server.address}/{repo}/commit/{repository.oid}"
        self.answer(200, {"commitUrl": url, "commitOid": repository.oid})

    def resolve(self, repository, name):
        if name not in repository.files:
            return self.refuse(404, "EntryNotFound")
        content = repository.files[name]
        headers = {"X-Repo-Commit": repository.oid, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        return self.answer(headers=headers, content=content)


@contextmanager
def local_hub():
    """A hub: `.address`, `.repositories`, `.created` and `.asked`; `.large`: whether weights go by LFS.

    Who has `TOKEN` may write below "me/", who has `READER` may read, and so may everybody.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.repositories, server.created, server.asked, server.large = {}, [], [], True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
