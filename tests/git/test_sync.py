"""What servers, settings and strangers do to an exchange between clones."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loopgraph_git.errors import GitError, LockedError
from loopgraph_git.git import archive, commits, refs, sync
from loopgraph_git.git.lock import locked
from loopgraph_git.git.notes import Notes
from loopgraph_git.git.repo import Repo
from loopgraph_git.records import Kind, Oid
from tests.conftest import SOURCE, git

pytestmark = pytest.mark.long

STRICT = (
    "receive.fsckObjects=true transfer.fsckObjects=true "
    "receive.denyNonFastForwards=true receive.denyDeletes=true"
)
OLD = "receive.advertiseAtomic=false core.logAllRefUpdates=always"
PUSHING = (
    "push.followTags=true push.gpgSign=true push.recurseSubmodules=only "
    "fetch.prune=true fetch.pruneTags=true remote.origin.prune=true "
    "remote.origin.mirror=true fetch.recurseSubmodules=true fetch.output=compact "
    "remote.origin.tagOpt=--tags fetch.parallel=2 push.default=nothing"
)
SIGNING = (
    "commit.gpgSign=true gpg.program=false tag.gpgSign=true core.abbrev=5 "
    "core.logAllRefUpdates=always fetch.writeCommitGraph=true"
)


class Clone:
    """A clone that writes records without training anything."""

    def __init__(self, folder, *, remote="origin"):
        self.folder, self.remote = folder, remote
        self.repo = Repo(folder)
        self.notes = Notes(self.repo)
        self.writer = self.notes.writer()
        self.count = 0

    def experiment(self) -> Oid:
        """Pin a discarded experiment with code of its own, and record a result."""
        self.count += 1
        head = self.repo.oid("HEAD")
        code = f"STEP = '{self.writer}-{self.count}'\n"
        tree = commits.write_tree(self.repo, head, {"train.py": code})
        oid = commits.commit_tree(
            self.repo, tree, head, f"Try {self.count}", timestamp=1_760_000_000
        )
        commits.pin(self.repo, oid)
        self.record(oid)
        return oid

    def record(self, oid):
        body = {"status": "ok", "metric": "m", "value": self.count}
        self.notes.append(self.notes.make(Kind.RESULT, oid, body))

    def sync(self, **options):
        return sync.exchange(self.repo, self.remote, self.notes.writer(), **options)

    def ids(self):
        tips = dict.fromkeys(self.notes.refs(), "")
        return {record.id for record in self.notes.records(tips)}

    def kept(self):
        return archive.archived(self.repo, archive.archives(self.repo))


@pytest.fixture
def hub(tmp_path):
    """Return a bare remote with one commit."""
    git(tmp_path, "init", "-q", "-b", "main", "first")
    first = tmp_path / "first"
    (first / "train.py").write_text("STEP = 0\n")
    (first / "data.txt").write_text("much\n" * 1000)
    git(first, "add", ".")
    git(first, "commit", "-q", "-m", "Start")
    git(tmp_path, "clone", "-q", "--bare", "first", "hub.git")
    return tmp_path / "hub.git"


@pytest.fixture
def clone(hub, tmp_path):
    """Return a function that clones the hub over its whole protocol."""

    def make(name, *options):
        git(tmp_path, "clone", "-q", *options, f"file://{hub}", name)
        return Clone(tmp_path / name)

    return make


def hook(hub, text):
    path = hub / "hooks" / "pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("settings", [STRICT, OLD])
def test_strict_and_old_servers_take_what_we_send(hub, clone, settings):
    for setting in settings.split():
        git(hub, "config", *setting.split("="))
    one, two = clone("one"), clone("two")
    git(two.folder, "config", "fetch.fsckObjects", "true")
    oid = one.experiment()
    for _ in range(2):
        one.experiment()
        assert one.sync().refused == ""
    assert two.sync().left_out == ()
    assert two.ids() == one.ids()
    assert "STEP" in git(two.folder, "show", f"{oid}:train.py")
    git(hub, "fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("settings", [PUSHING, SIGNING])
def test_settings_of_the_user_change_nothing(hub, clone, settings):
    one, two = clone("one"), clone("two")
    oid = one.experiment()
    git(one.folder, "tag", "-a", "-m", "Mine", "mine", oid)
    for setting in settings.split():
        git(one.folder, "config", *setting.split("="))
        git(two.folder, "config", *setting.split("="))
    assert one.sync()[:2] == (1, 1)
    assert one.sync()[:2] == (0, 0)
    two.sync()
    assert two.ids() == one.ids()
    assert oid in two.kept()
    listed = git(hub, "for-each-ref", "--format=%(refname)").split()
    assert listed == [
        "refs/heads/main", refs.keep(one.writer), refs.notes(one.writer)
    ]  # fmt: skip


def test_a_server_that_refuses_says_so_and_is_read_all_the_same(hub, clone):
    one, two = clone("one"), clone("two")
    one.experiment()
    one.sync()
    two.experiment()
    hook(hub, "while read -r o n ref; do case $ref in refs/notes/*) exit 1; esac; done")
    moved = two.sync()
    assert "pre-receive hook declined" in moved.refused
    assert moved[:2] == (0, 0)
    assert one.ids() < two.ids()
    # both refs or neither
    assert git(hub, "for-each-ref", f"refs/loopgraph/keep/{two.writer}") == ""
    (hub / "hooks" / "pre-receive").unlink()
    assert two.sync()[:3] == (1, 1, "")


def test_hidden_refs_are_a_refusal(hub, clone):
    one = clone("one")
    one.experiment()
    git(hub, "config", "transfer.hideRefs", "refs/loopgraph")
    assert "hidden ref" in one.sync().refused
    git(hub, "config", "--unset", "transfer.hideRefs")
    assert one.sync().refused == ""


def test_only_fetching_sends_nothing(hub, clone):
    one, two = clone("one"), clone("two")
    one.experiment()
    one.sync()
    two.experiment()
    two.sync(push=False)
    assert one.ids() < two.ids()
    assert git(hub, "for-each-ref", refs.keep(two.writer)) == ""


def test_pushing_to_another_place_than_fetching_from(hub, clone, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", str(hub), "fork.git")
    one, two = clone("one"), clone("two")
    git(one.folder, "config", "remote.origin.pushurl", str(tmp_path / "fork.git"))
    one.experiment()
    assert one.sync()[:2] == (1, 1)
    assert one.sync()[:2] == (0, 0)
    one.experiment()
    assert one.sync()[:2] == (1, 1)
    git(two.folder, "config", f"url.{tmp_path}/fork.git.insteadOf", f"file://{hub}")
    two.sync()
    assert two.ids() == one.ids()


@pytest.mark.parametrize("name", ["team=gpu", "team/gpü", "$(touch${IFS}x)", "-x"])
def test_remotes_with_odd_names(hub, clone, name):
    one, two = clone("one"), clone("two")
    git(two.folder, "remote", "add", "--", name, str(hub))
    git(two.folder, "config", f"remote.{name}.mirror", "true")
    two.remote = name
    one.experiment()
    two.experiment()
    one.sync()
    two.sync()
    one.sync()
    assert sync.check_remote(two.repo, name) == name
    assert one.ids() == two.ids()
    assert not (two.folder / "x").exists()


def test_a_mirror_clone_neither_loses_nor_renames_anything(hub, clone):
    one, mirror = clone("one"), clone("mirror", "--mirror")
    one.experiment()
    one.sync()
    # as `git remote update` does in a mirror: the refs of others become local ones
    git(mirror.folder, "fetch", "-q", "origin")
    mirror.experiment()
    mirror.sync()
    one.experiment()
    one.sync()
    mirror.experiment()
    known = mirror.ids()
    moved = mirror.sync()
    assert (moved.refused, moved.writer) == ("", "")
    assert mirror.ids() >= known
    one.sync()
    assert one.ids() == mirror.ids()
    assert len(git(hub, "for-each-ref", "refs/notes/loopgraph").splitlines()) == 2


def test_partial_and_shallow_clones_on_either_side(hub, clone):
    git(hub, "config", "uploadpack.allowFilter", "true")
    git(clone("seed").folder, "commit", "-q", "--allow-empty", "-m", "Second")
    git(hub.parent / "seed", "push", "-q", "origin", "HEAD")
    clones = [
        clone("partial", "--filter=blob:none"),
        clone("shallow", "--depth=1"),
        clone("tree", "--filter=tree:0", "--no-checkout"),
        clone("whole"),
    ]
    oids = [one.experiment() for one in clones]
    for one in [*clones, *clones]:
        assert one.sync().refused == ""
    # the code of others is here, and not only promised
    hub.rename(hub.parent / "away")
    for one in clones:
        assert one.ids() == clones[-1].ids()
        for oid in oids:
            assert "STEP" in git(one.folder, "show", f"{oid}:train.py")


def test_a_shallow_hub(hub, tmp_path, clone):
    git(tmp_path / "first", "commit", "-q", "--allow-empty", "-m", "Second")
    git(tmp_path, "clone", "-q", "--bare", "--depth=1", f"file://{tmp_path}/first", "s")
    hub.rename(tmp_path / "old.git")
    (tmp_path / "s").rename(hub)
    one, two = clone("one"), clone("two")
    oid = one.experiment()
    one.sync()
    two.sync()
    assert oid in two.kept()


def test_an_empty_remote_is_filled(tmp_path, clone):
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    one = clone("one")
    git(one.folder, "remote", "add", "spare", str(tmp_path / "empty.git"))
    one.remote = "spare"
    assert one.sync() == sync.Moved()
    one.experiment()
    assert one.sync()[:3] == (1, 1, "")


def test_pending_asks_nobody_and_counts_what_was_not_sent(hub, clone):
    one = clone("one")
    one.experiment()
    oid = one.experiment()
    assert sync.pending(one.repo, "origin")[:2] == (2, 2)
    one.sync()
    one.record(oid)
    hub.rename(hub.parent / "away")
    assert sync.pending(one.repo, "origin")[:2] == (0, 1)
    with pytest.raises(GitError, match="does not"):
        one.sync()


def test_a_second_sync_of_the_clone_waits(clone, monkeypatch):
    one = clone("one")
    monkeypatch.setattr("loopgraph_git.git.lock.time.monotonic", iter((0, 99)).__next__)
    with (one.repo.home / "sync.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match="git lg sync"):
            one.sync()


def put(hub, ref, content=b"", *, kind="blob"):
    """Put an object under a ref of the hub, as anybody may who can push."""
    path = hub / "object"
    path.write_bytes(content)
    oid = git(hub, "hash-object", "-w", "-t", kind, "--literally", str(path))
    git(hub, "update-ref", ref, oid)
    return oid


def test_refs_that_no_writer_makes_are_left_out(hub, clone):
    one, two = clone("one"), clone("two")
    one.experiment()
    one.sync()
    head = git(hub, "rev-parse", "main")
    git(hub, "tag", "-a", "-m", "A tag", "tagged", "main")
    git(hub, "update-ref", "refs/notes/loopgraph/tag", "refs/tags/tagged")
    put(hub, "refs/notes/loopgraph/blob", b"{}\n")
    put(hub, "refs/loopgraph/keep/tree", kind="tree")
    for name in ("--upload-pack=x", "a/b", "$(id)", "ü", "\u202egnp", "-", "x" * 99):
        git(hub, "update-ref", f"refs/notes/loopgraph/{name}", head)
        git(hub, "update-ref", f"refs/loopgraph/keep/{name}", head)
    git(hub, "update-ref", "refs/notes/loopgraph/code", head)
    git(hub, "update-ref", "refs/loopgraph/keep/code", head)
    moved = two.sync()
    assert len(moved.left_out) == 3 + 2 * 7
    assert two.ids() == one.ids()
    assert two.kept() == one.kept()
    assert len(two.repo.refs(refs.REMOTE_NOTES, refs.REMOTE_KEEP)) == 4


def test_what_was_fetched_is_not_taken_back(hub, clone):
    one, two = clone("one"), clone("two")
    one.experiment()
    oid = one.experiment()
    one.sync()
    two.sync()
    known = two.ids()
    for ref in (refs.notes(one.writer), refs.keep(one.writer)):
        git(hub, "update-ref", ref, git(hub, "rev-parse", "main"))
    moved = two.sync()
    assert [words.split()[1] for words in moved.left_out] == ["(non-fast-forward)"] * 2
    assert two.ids() == known
    assert oid in two.kept()
    # the writer itself goes on under another name
    one.experiment()
    moved = one.sync()
    assert moved.writer == one.notes.writer() != one.writer
    two.sync()
    assert two.ids() == one.ids()


def test_a_record_that_another_wrote_in_our_name_does_no_harm(hub, clone):
    one, two = clone("one"), clone("two")
    one.experiment()
    one.sync()
    two.experiment()
    git(hub, "update-ref", refs.notes(two.writer), f"refs/notes/loopgraph/{one.writer}")
    moved = two.sync()
    assert moved.writer
    one.sync()
    assert one.ids() == two.ids()


def test_the_lock_of_a_killed_git_is_named(clone):
    one = clone("one")
    one.experiment()
    lock = one.repo.common_dir / f"{refs.keep(one.writer)}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    with pytest.raises(GitError, match=r"keep/.*\.lock"):
        one.sync()
    lock.unlink()
    assert one.sync()[:2] == (1, 1)


def test_a_pin_of_a_commit_that_is_not_here_stays(clone):
    one = clone("one")
    oid = one.experiment()
    path = one.repo.common_dir / "objects" / oid[:2] / oid[2:]
    content = path.read_bytes()
    path.unlink()
    archive.fold(one.repo, one.writer)
    assert list(one.repo.refs(refs.PINS)) == [refs.pin(oid)]
    path.write_bytes(content)
    archive.fold(one.repo, one.writer)
    assert one.repo.refs(refs.PINS) == {}
    assert one.kept() == {oid}


def test_a_lock_is_free_once_its_holder_is_gone(tmp_path):
    with locked(tmp_path / "lock"):
        pass
    child = os.fork()
    if not child:
        with locked(tmp_path / "lock"):
            os._exit(0)
    os.waitpid(child, 0)
    with locked(tmp_path / "lock", seconds=0):
        pass


class Smart(BaseHTTPRequestHandler):
    """Git over HTTP, as `git http-backend` speaks it; `secret` asks for a password."""

    protocol_version = "HTTP/1.0"
    folder = ""

    def do_GET(self):
        if self.path.startswith("/secret"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="hub"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(length),
            capture_output=True,
            check=True,
            env={
                **os.environ,
                "GIT_PROJECT_ROOT": self.folder,
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "ada",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(lines.pop("Status", "200").split()[0]))
        for key, value in lines.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  the names that http.server calls

    def log_message(self, *words):
        pass


@pytest.fixture
def web(tmp_path):
    """Serve the folder of the test over HTTP and return its address."""
    handler = type("Handler", (Smart,), {"folder": str(tmp_path)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(
    not (Path(git(Path.cwd(), "--exec-path")) / "git-remote-http").exists(),
    reason="needs a git that speaks HTTP",
)
def test_over_http_and_without_anybody_to_type_a_password(hub, web, clone, monkeypatch):
    monkeypatch.delenv("GIT_TERMINAL_PROMPT")
    one, two = clone("one"), clone("two")
    one.experiment()
    git(one.folder, "remote", "set-url", "origin", f"{web}/hub.git")
    git(hub, "config", "http.receivepack", "false")
    assert "403" in one.sync().refused
    git(hub, "config", "--unset", "http.receivepack")
    assert one.sync()[:3] == (1, 1, "")
    two.sync()
    assert two.ids() == one.ids()
    git(one.folder, "remote", "set-url", "origin", f"{web}/secret/hub.git")
    with pytest.raises(GitError, match="could not read Username"):
        one.sync()


def test_ctrl_c_while_a_remote_does_not_answer(hub, clone):
    one = clone("one")
    one.experiment()
    hook(hub, "touch waiting; exec sleep 60")
    # a test run in the background of a shell ignores Ctrl-C, and hands that on
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "loopgraph_git", "sync"],
        cwd=one.folder, env={**os.environ, **SOURCE}, text=True, process_group=0,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    while not (hub / "waiting").exists():
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert error.strip() == "git-lg: interrupted"
    (hub / "hooks" / "pre-receive").unlink()
    assert one.sync()[:3] == (1, 1, "")
