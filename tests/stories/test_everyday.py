"""Whole commands, as a user types them, on real repositories."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from loopgraph_git.loop.scripted import scripted_server
from tests.conftest import PACK, SOURCE, TRAIN, Toy, git, make_toy


def test_from_init_to_the_best_experiment(tmp_path):
    toy = make_toy(tmp_path / "toy")
    (toy.root / ".loopgraph.yml").unlink()
    assert "would write" in toy.lg("init", "--dry-run").stdout
    assert not (toy.root / ".loopgraph.yml").exists()
    shown = toy.lg("init").stdout
    assert "metric: {name: val_bpb, direction: lower}" in shown
    assert "protected: [prepare.py]" in shown
    assert "nothing to do" in toy.lg("init").stdout
    refused = toy.lg("experiment", "-n", "1", code=3)
    assert "run `git lg trust`" in refused.stderr
    toy.lg("trust")
    done = toy.lg("experiment", "-n", "3", "--budget", "1")
    assert "[3/3]" in done.stderr
    assert "keep" in done.stdout
    best = toy.json("best", "-k", "1")[0]
    assert best["verdict"] == "keep"
    assert "+LEARNING_RATE = " in toy.lg("show", best["commit"]).stdout


@pytest.mark.long
def test_the_users_checkout_is_the_same_before_and_after(toy):
    def looks() -> list[object]:
        own = [toy.root / ".git" / name for name in ("HEAD", "index", "config")]
        files = [
            p for p in toy.root.rglob("*") if ".git" not in p.parts and p.is_file()
        ]
        return [
            git(toy.root, "status", "--porcelain=v2", "--branch"),
            git(toy.root, "rev-parse", "HEAD"),
            *(path.read_bytes() for path in sorted([*own, *files])),
        ]

    (toy.root / "train.py").write_text(TRAIN + "# my own half-done edit\n")
    git(toy.root, "add", "train.py")
    (toy.root / "notes.txt").write_text("untracked\n")
    before = looks()
    toy.lg("experiment", "-n", "2")
    assert looks() == before


def test_experiments_survive_reset_reflog_expiry_and_gc(toy):
    toy.lg("experiment", "-n", "3")
    found = toy.tried()
    subprocess.run(["rm", "-rf", toy.root / ".git/loopgraph/worktrees"], check=True)
    git(toy.root, "worktree", "prune")
    git(toy.root, "branch", "-D", "lg/main")
    git(toy.root, "reset", "-q", "--hard")
    git(toy.root, "reflog", "expire", "--expire=now", "--all")
    git(toy.root, "gc", "-q", "--prune=now", "--aggressive")
    for item in found:
        assert "LEARNING_RATE" in git(toy.root, "show", f"{item.commit}:train.py")
    assert found[0].subject in toy.lg("show", found[0].commit[:9]).stdout
    assert "all readable" in toy.lg("doctor").stdout


@pytest.mark.long
def test_a_deleted_index_is_rebuilt_with_the_same_answers(toy):
    toy.lg("experiment", "-n", "4")
    toy.lg("suggest", "--goal", "learning rate")

    def answers() -> list[str]:
        commands = [
            ("log", "-n", "0", "--json"),
            ("rank", "--json", "-k", "99"),
            ("search", "learning rate", "--json"),
            ("doctor", "--dump"),
        ]
        return [toy.lg(*command).stdout for command in commands]

    before = answers()
    for path in (toy.root / ".git" / "loopgraph").glob("researchfs.db*"):
        path.unlink()
    toy.lg("reindex")
    assert answers() == before
    assert len(json.loads(before[0])["items"]) == 5


def test_a_broken_index_names_reindex_and_reindex_mends_it(toy):
    toy.lg("experiment", "-n", "1")
    path = toy.root / ".git" / "loopgraph" / "researchfs.db"
    for extra in path.parent.glob("researchfs.db-*"):
        extra.unlink()
    path.write_bytes(b"SQLite format 3\0" + b"garbage" * 500)
    assert "git lg reindex" in toy.lg("log", code=1).stderr
    toy.lg("reindex")
    assert len(toy.json("log")) == 2


def start(toy: Toy, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "loopgraph_git", *args],
        cwd=toy.root,
        env={**os.environ, **SOURCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_ctrl_c_ends_the_bookkeeping_and_the_same_command_goes_on(toy, tmp_path):
    marker = tmp_path / "slow"
    wait = f"    import pathlib, time\n    time.sleep(60 * pathlib.Path({str(marker)!r}).exists())\n"
    (toy.root / "train.py").write_text(
        TRAIN.replace("    budget =", wait + "    budget =")
    )
    git(toy.root, "commit", "-qam", "Can be slow")
    toy.write(timeout_seconds=100, read=[str(tmp_path)])
    toy.lg("experiment", "-n", "1")
    marker.touch()
    running = start(toy, "experiment", "-n", "2")
    journal = toy.root / ".git" / "loopgraph" / "journal" / "main.json"
    deadline = time.monotonic() + 30
    while '"committed"' not in journal.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    marker.unlink()
    toy.lg("experiment", "-n", "2")
    found = toy.tried()
    assert len(found) == 3
    assert all(item.runs == 1 for item in found)


@pytest.mark.long
class TestEveryKindOfRepository:
    def story(self, toy: Toy) -> None:
        toy.lg("experiment", "-n", "2", "--session", "s")
        found = toy.tried()
        assert len(found) == 2
        assert any(item.verdict == "keep" for item in found)
        toy.lg("reindex")
        assert toy.tried() == found

    def test_sha256(self, tmp_path):
        self.story(make_toy(tmp_path / "r", "--object-format=sha256"))

    def test_a_path_with_spaces_and_other_letters(self, tmp_path):
        self.story(make_toy(tmp_path / "мой репозиторий (1)" / "a b"))

    def test_no_user_name(self, tmp_path, monkeypatch):
        toy = make_toy(tmp_path / "r")
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.delenv(f"GIT_{role}_NAME")
            monkeypatch.delenv(f"GIT_{role}_EMAIL")
        git(toy.root, "config", "user.useConfigOnly", "true")
        self.story(toy)

    def test_a_linked_worktree(self, tmp_path):
        main = make_toy(tmp_path / "main")
        git(main.root, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
        toy = Toy(tmp_path / "linked")
        packs = toy.root / ".loopgraph" / "packs"
        packs.mkdir(parents=True)
        (packs / "toy.yml").write_text(PACK)
        toy.write()
        self.story(toy)
        # one memory for all worktrees of a clone
        assert main.tried() == toy.tried()

    def test_a_clone_of_a_bare_remote(self, tmp_path):
        first = make_toy(tmp_path / "first")
        git(tmp_path, "clone", "-q", "--bare", str(first.root), "hub.git")
        git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), "second")
        toy = Toy(tmp_path / "second")
        packs = toy.root / ".loopgraph" / "packs"
        packs.mkdir(parents=True)
        (packs / "toy.yml").write_text(PACK)
        toy.write()
        self.story(toy)
        git(toy.root, "push", "-q", "origin", "lg/s", "refs/notes/loopgraph/*")
        assert "lg/s" in git(tmp_path / "hub.git", "branch")

    def test_a_detached_head(self, tmp_path):
        toy = make_toy(tmp_path / "r")
        git(toy.root, "checkout", "-q", "--detach")
        self.story(toy)

    def test_a_folder_below_the_top(self, tmp_path):
        toy = make_toy(tmp_path / "r")
        toy.lg("experiment", "-n", "1")
        (toy.root / "below").mkdir()
        assert len(Toy(toy.root / "below").json("log")) == 2

    def test_read_only_questions_in_a_bare_repository(self, tmp_path):
        toy = make_toy(tmp_path / "r")
        toy.lg("experiment", "-n", "1")
        git(tmp_path, "clone", "-q", "--mirror", str(toy.root), "bare.git")
        assert len(Toy(tmp_path / "bare.git").json("log")) == 2


def test_a_session_that_is_checked_out_elsewhere_is_left_there(toy):
    toy.lg("experiment", "-n", "1")
    subprocess.run(["rm", "-rf", toy.root / ".git/loopgraph/worktrees"], check=True)
    git(toy.root, "worktree", "prune")
    git(toy.root, "stash", "-u", "-q")
    git(toy.root, "checkout", "-q", "lg/main")
    git(toy.root, "stash", "pop", "-q")
    refused = toy.lg("experiment", "-n", "1", code=2)
    assert "leave that branch there first" in refused.stderr


def test_a_long_list_of_suggestions_still_fits_its_record(toy):
    shown = toy.json("suggest", "-k", "50", "--goal", "x" * 5000)
    assert shown["retrieval"]
    assert shown["tokens"] <= 600


@pytest.mark.long
def test_untracked_data_is_linked_into_the_run(toy):
    (toy.root / "data").mkdir()
    (toy.root / "data" / "x.txt").write_text("1")
    code = TRAIN.replace("    budget =", "    open('data/x.txt').read()\n    budget =")
    (toy.root / "train.py").write_text(code)
    git(toy.root, "commit", "-qam", "Read data")
    failed = toy.lg("experiment", "-n", "1", code=1)
    assert "No such file or directory: 'data/x.txt'" in failed.stderr
    toy.write(link=["data"])
    toy.lg("experiment", "-n", "1")
    assert toy.json("best")[0]["value"]


def test_changed_settings_have_to_be_trusted_again(toy):
    toy.lg("trust", "--check")
    text = (toy.root / ".loopgraph.yml").read_text()
    (toy.root / ".loopgraph.yml").write_text(text.replace("train.py", "evil.py"))
    refused = toy.lg("experiment", "-n", "1", code=3)
    assert "has changed since you trusted it" in refused.stderr
    toy.lg("trust", "--check", code=3)


def test_a_changed_pack_has_to_be_trusted_again(toy):
    (toy.root / ".loopgraph" / "packs" / "toy.yml").write_text(
        PACK.replace("0.5", "0.25")
    )
    toy.lg("experiment", "-n", "1", code=3)


@pytest.mark.long
def test_results_tsv_is_kept_where_it_is_in_use(toy):
    (toy.root / ".gitignore").write_text("results.tsv\n")
    mine = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\nabc1234\t1.5\t0.1\tkeep\tmine\n"
    (toy.root / "results.tsv").write_text(mine)
    toy.lg("experiment", "-n", "2")
    text = (toy.root / "results.tsv").read_text()
    assert text.startswith(mine)
    rows = [line.split("\t") for line in text.splitlines()[2:]]
    assert [row[3:] for row in rows[:1]] == [["keep", "baseline"]]
    assert len(rows) == 3
    assert all(len(row) == 5 for row in rows)


def test_results_tsv_is_left_alone_elsewhere(toy):
    toy.lg("experiment", "-n", "1")
    assert not (toy.root / "results.tsv").exists()


def test_run_records_the_outcome_of_any_commit(toy):
    shown = toy.json("run", "HEAD", "--seed", "3")
    assert shown["value"] == pytest.approx(1.113)
    assert toy.json("log")[0]["commit"] == git(toy.root, "rev-parse", "HEAD")
    (toy.root / "train.py").write_text("import nothing_of_that_name\n")
    assert "uncommitted changes are not part" in toy.lg("run").stderr
    git(toy.root, "commit", "-qam", "Break")
    failed = toy.lg("run", code=1)
    assert "ModuleNotFoundError" in failed.stdout
    broken = git(toy.root, "rev-parse", "HEAD")
    git(toy.root, "reset", "-q", "--hard", "HEAD~")
    git(toy.root, "reflog", "expire", "--expire=now", "--all")
    git(toy.root, "gc", "-q", "--prune=now")
    assert "nothing_of_that_name" in git(toy.root, "show", f"{broken}:train.py")


@pytest.mark.long
def test_an_llm_proposes_over_the_real_protocol(toy):
    good = (
        "Title: Raise the learning rate\nMethod: learning-rate\n\nIt is too low.\n\n"
        "train.py\n<<<<<<< SEARCH\nLEARNING_RATE = 1e-3\n=======\n"
        "LEARNING_RATE = 4e-3\n>>>>>>> REPLACE\n"
    )
    bad = good.replace("LEARNING_RATE = 1e-3", "LEARNING = 1e-3")
    nothing = "I would rather not."
    with scripted_server([bad, good, nothing]) as (url, asked):
        env = {"OPENAI_BASE_URL": url}
        command = ("experiment", "-n", "2", "--proposer", "chat", "--model", "tiny")
        toy.lg(*command, env=env)
    found = {item["subject"]: item for item in toy.json("log")}
    kept = found["Raise the learning rate"]
    assert kept["verdict"] == "keep"
    assert kept["methods"] == ["learning-rate"]
    assert kept["tokens"] > 0
    notes = git(toy.root, "log", "--all", "--format=%N", "--notes=loopgraph/*")
    edits = [
        record["edit"]
        for record in map(json.loads, filter(None, notes.splitlines()))
        if "edit" in record
    ]
    # about how much the LLM was told, for each of the two
    assert all(edit.pop("told") > 100 for edit in edits)
    assert {
        "answers": 2, "blocks": 1, "form": "search", "fuzz": 0, "rung": "exact",
    } in edits  # fmt: skip
    assert {"answers": 4, "form": "whole"} in edits
    failed = found["An edit that cannot be used"]
    assert failed["status"] == "rejected"
    assert "neither SET, nor a SEARCH block" in failed["reason"]
    # two forms, each with one repair
    assert len(asked) == 2 + 4
    assert "What to try next" in asked[0]["messages"][1]["content"]
    assert "cannot be used" in asked[1]["messages"][-1]["content"]
    assert "in another form" in asked[4]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["show", "no-such"], 1, "'no-such' is no experiment"),
        (["show", "--evil"], 2, "No such option"),
        (["run", "--", "-x"], 1, "'-x' names no commit here"),
        (["experiment", "-n", "0"], 2, "0 is not in the range"),
        (["experiment", "--budget", "-1"], 2, "not in the range"),
        (["experiment", "--session", "A b"], 2, "try `--session a-b`"),
        (["experiment", "--proposer", "chat", "-n", "1"], 2, "name the LLM"),
        (["experiment", "--proposer", "psychic"], 2, "is not one of"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["log", "--verdict", "great"], 2, "is not one of"),
    ],
)
def test_wrong_commands_are_answered_in_words(toy, command, code, words):
    assert words in toy.lg(*command, code=code).stderr


def test_an_answer_to_a_wrong_command_is_no_traceback_in_a_process_of_its_own(toy):
    running = start(toy, "show", "no-such")
    _, said = running.communicate(timeout=20)
    assert running.returncode == 1
    assert said == "git-lg: 'no-such' is no experiment: `git lg log` lists them\n"


def test_a_folder_that_may_not_be_written_is_named(toy):
    said = toy.lg("trust", code=1, env={"HOME": os.devnull}).stderr
    assert said.startswith(f"git-lg: {os.devnull}")
    assert "Not a directory" in said


def test_outside_a_repository_the_next_step_is_named(tmp_path):
    said = Toy(tmp_path).lg("log", code=1).stderr
    assert "is not in a git repository" in said
    assert "git init" in said


def test_without_settings_questions_work_and_commands_name_init(tmp_path):
    toy = make_toy(tmp_path / "r")
    (toy.root / ".loopgraph.yml").unlink()
    assert "no experiments yet" in toy.lg("log").stdout
    assert "git lg init" in toy.lg("experiment", "-n", "1", code=2).stderr


def test_an_empty_repository_is_answered_in_words(tmp_path):
    git(tmp_path, "init", "-q")
    toy = Toy(tmp_path)
    assert toy.json("log") == []
    assert "there is no commit yet" in toy.lg("init", code=1).stderr


@pytest.mark.long
def test_hostile_text_of_others_cannot_move_the_cursor(toy):
    toy.lg("experiment", "-n", "1")
    commit = toy.json("log")[0]["commit"]
    tree = git(toy.root, "rev-parse", f"{commit}^{{tree}}")
    evil = git(
        toy.root, "commit-tree", "-p", commit, tree, stdin="\x1b[2Jgone\x07 [red]x[/]\n"
    )
    git(toy.root, "update-ref", f"refs/loopgraph/pins/{evil}", evil)
    for command in (["log"], ["show", evil], ["search", "red"]):
        shown = toy.lg(*command).stdout
        assert "\x1b" not in shown
        assert "gone [red]x[/]" in shown


@pytest.mark.long
def test_the_index_is_shared_by_processes_that_record_at_once(toy):
    code = """
import sys
from loopgraph import LoopGraph
from loopgraph_git.records import Result, Status
with LoopGraph.open(sys.argv[1]) as lab:
    head = lab.repo.oid("HEAD")
    for n in range(5):
        lab.record(head, Result(status=Status.OK, metric="val_bpb", value=1.0 + n))
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(toy.root)],
            env={**os.environ, **SOURCE},
            stderr=subprocess.PIPE,
        )
        for _ in range(8)
    ]
    for process in running:
        _, error = process.communicate(timeout=100)
        assert process.returncode == 0, error
    toy.lg("reindex")
    assert toy.json("show", "HEAD")["runs"] == 40


def python(folder, code: str) -> str:
    """Run some code in a process of its own; returns what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **SOURCE},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_the_sdk_works_as_the_readme_shows(toy):
    code = """
from loopgraph import ResearchFSClient
train_py = open("train.py").read()
client = ResearchFSClient("researchfs.db")
context = client.suggest_query(goal="improve validation bpb", current_code=train_py)
print(context.brief)
print(len(context.suggestions))
client.close()
"""
    printed = python(toy.root, code)
    assert "What to try next" in printed
    assert printed.endswith("5")


def imported(folder, args: list[str], names: tuple[str, ...]) -> str:
    """Return which of some modules a command imports, as a list is printed."""
    code = (
        "import sys; from loopgraph_git.cli import cli; "
        f"cli({args}, standalone_mode=False); "
        f"print([m for m in {names} if m in sys.modules])"
    )
    return python(folder, code).splitlines()[-1]


def test_start_up_imports_neither_torch_nor_git_nor_openai(tmp_path):
    names = ("torch", "git", "openai", "rich", "yaml", "sqlite3")
    assert imported(tmp_path, ["-h"], names) == "[]"


@pytest.mark.parametrize("question", ["log", "best", "show HEAD", "reindex"])
def test_questions_do_without_what_only_changes_need(toy, question):
    toy.lg("run")
    names = ("torch", "git", "openai")
    assert imported(toy.root, question.split(), names) == "[]"
