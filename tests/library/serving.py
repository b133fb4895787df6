"""A web server on loopback that answers as arXiv does, also when it is ill."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Reply:
    """One answer; `promised` is a length that is not kept, `drop` hangs up at once.

    It begins `slow` seconds late, and pauses `drip` seconds after every byte.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int = 0
    drop: bool = False
    slow: float = 0.0
    drip: float = 0.0


class Server(ThreadingHTTPServer):
    """Answers by path, in turn; the last answer of a path is given for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.entries: dict[str, str] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]

    def answer(self, path: str, *replies: Reply | bytes) -> None:
        self.replies[path] = [
            Reply(reply) if isinstance(reply, bytes) else reply for reply in replies
        ]

    def handle_error(self, request, client_address) -> None:
        """Say nothing of a client that hung up."""

    def reply(self, path: str) -> Reply:
        parts = urlsplit(path)
        if parts.path in self.replies:
            waiting = self.replies[parts.path]
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if parts.path == "/api/query":
            return self._feed(parse_qs(parts.query))
        return Reply(b"no such paper", 404)

    def _feed(self, query: dict[str, list[str]]) -> Reply:
        limit = int(query["max_results"][0])
        if "id_list" in query:
            name = query["id_list"][0]
            found = [name] if name in self.entries else []
        else:
            found = list(dict.fromkeys(self.entries.values()))[:limit]
            return Reply(feed(*found))
        return Reply(feed(*(self.entries[item] for item in found)))

    def paper(self, name: str, version: str = "v1", **words: str) -> None:
        """Let arXiv know a paper in one version; its newest is the one told last."""
        made = entry(f"{name}{version}", **words)
        self.entries[name] = self.entries[f"{name}{version}"] = made


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((time.time(), self.path, dict(self.headers)))
        reply = self.server.reply(self.path)
        time.sleep(reply.slow)
        if reply.drop:
            return
        self.send_response(reply.status)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(reply.promised or len(reply.body)),
            **reply.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if not reply.drip:
            self.wfile.write(reply.body)
            return
        with contextlib.suppress(OSError):
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                time.sleep(reply.drip)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving():
    """Run a server on a free port of loopback."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def feed(*entries: str) -> bytes:
    """Return an Atom feed as the API writes one."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom">'
        "<title>arXiv Query</title><id>http://arxiv.org/api/x</id>"
        '<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"{len(entries)}</opensearch:totalResults>{''.join(entries)}</feed>"
    ).encode()


def entry(
    name: str,
    title: str = "Gates in\n  feed-forward layers",
    abstract: str = "We try gates.\n They  help.",
    authors: tuple[str, ...] = ("Ada Writer", "Ben Writer"),
    year: int = 2020,
) -> str:
    """Return one paper of a feed."""
    people = "".join(f"<author><name>{who}</name></author>" for who in authors)
    return (
        f"<entry><id>http://arxiv.org/abs/{name}</id><title>{title}</title>"
        f"<published>{year}-02-12T18:00:00Z</published><summary>{abstract}</summary>"
        f'{people}<link href="http://arxiv.org/abs/{name}" rel="alternate"/></entry>'
    )


ERROR = feed(
    "<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_x</id>"
    "<title>Error</title><summary>incorrect id format for x</summary></entry>"
)
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>
<feed xmlns="http://www.w3.org/2005/Atom"><title>&d;</title></feed>"""


def tarball(**files: str) -> bytes:
    """Return a gzipped tarball; `__` in a name stands for a dot."""
    return packed({name.replace("__", "."): text for name, text in files.items()})


def packed(files: dict[str, str | bytes]) -> bytes:
    """Return a gzipped tarball of files by path."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def gzipped(data: bytes) -> Reply:
    """Return an answer that is packed on the way."""
    return Reply(gzip.compress(data), headers={"Content-Encoding": "gzip"})
