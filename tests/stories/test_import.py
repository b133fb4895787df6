"""Logs that were kept elsewhere, imported as a user does it."""

from __future__ import annotations

import io

import pytest

from tests.conftest import Toy, git, make_toy

pytestmark = pytest.mark.long

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
LOST = (
    "baseline\t1.100000\t1.0\tkeep\tbaseline\n"
    "a1b2c3d\t1.050000\t1.0\tkeep\tlr 1 → 2\n"
    "dead999\t0.000000\t0.0\tcrash\tten layers\n"
    "3c22252-resid\t1.080000\t1.0\tdiscard\tno residuals\n"
)


@pytest.fixture
def log(toy):
    path = toy.root / "old.tsv"
    path.write_text(HEADER + LOST)
    return path


def test_lost_code_is_remembered_as_lost(toy, log):
    told = toy.lg("import", log.name).stdout
    assert "4 rows of session old: 1 crash, 1 discard, 2 keep" in told
    assert "0 here, 4 lost" in told
    found = {item.subject: item for item in toy.tried()}
    assert {item.session for item in found.values()} == {"old"}
    assert found["baseline"].reason == "baseline"
    assert found["lr 1 → 2"].delta == 0.05
    assert found["no residuals"].delta == -0.03
    assert found["no residuals"].baseline == found["lr 1 → 2"].commit
    assert found["ten layers"].value is None
    shown = toy.lg("show", found["lr 1 → 2"].commit).stdout
    assert "code lost: 'a1b2c3d' in the log is no commit" in shown
    assert toy.json("best", "-k", "1")[0]["subject"] == "lr 1 → 2"


def test_a_commit_on_any_branch_gets_its_own_records(toy, log):
    git(toy.root, "switch", "-q", "-c", "exp/other")
    git(toy.root, "commit", "-q", "--allow-empty", "-m", "Wider")
    oid = git(toy.root, "rev-parse", "HEAD")
    git(toy.root, "switch", "-q", "main")
    log.write_text(
        f"{HEADER}{oid[:7]}\t1.2\t2.5\tkeep\twider\n"
        f"{oid[:8]}\t1.3\t2.5\tdiscard\twider, re-run\n"
        f"{oid[:7]}\t1.1\t2.5\tkeep\tdeeper\n"
    )
    items = toy.json("import", log.name)
    assert (items[0]["resolved"], items[0]["lost"]) == (2, 1)
    shown = toy.json("show", oid)
    assert (shown["subject"], shown["runs"], shown["value"]) == ("Wider", 2, 1.25)
    assert shown["peak_memory_mb"] == 2560
    # an edit on top of a commit is not that commit
    tried = {item.subject: item for item in toy.tried()}
    assert set(tried) == {"Wider", "deeper"}
    assert {item.session for item in tried.values()} == {"old"}
    assert "is the code of row 1" in toy.lg("show", tried["deeper"].commit).stdout
    git(toy.root, "branch", "-D", "exp/other")
    git(toy.root, "reflog", "expire", "--expire=now", "--all")
    git(toy.root, "gc", "-q", "--prune=now")
    assert toy.json("show", oid)["subject"] == "Wider"
    assert "all readable" in toy.lg("doctor").stdout


def test_twice_adds_nothing_and_a_longer_log_only_what_is_new(toy, log):
    toy.lg("import", log.name)
    tips = git(toy.root, "for-each-ref")
    assert "0 added, 4 known before" in toy.lg("import", log.name).stdout
    assert git(toy.root, "for-each-ref") == tips
    log.write_text(HEADER + LOST + "feedbee\t1.04\t1.0\tkeep\tmore\n")
    assert "1 added, 4 known before" in toy.lg("import", log.name).stdout


def test_code_that_turns_up_later_is_not_counted_twice(toy, log):
    toy.lg("import", log.name)
    head = git(toy.root, "rev-parse", "HEAD")
    log.write_text(HEADER + f"{head}\t1.0\t1.0\tkeep\tx\n" + LOST)
    assert "1 added, 4 known before" in toy.lg("import", log.name).stdout


def test_every_clone_makes_the_same_stand_ins(toy, log, tmp_path):
    toy.lg("import", log.name)
    other = make_toy(tmp_path / "other", "--object-format=sha1")
    (other.root / "old.tsv").write_text(log.read_text())
    other.lg("import", "old.tsv", env={"GIT_COMMITTER_NAME": "Somebody Else"})
    assert {x.commit for x in other.tried()} == {x.commit for x in toy.tried()}


def test_reindex_gives_the_same(toy, log):
    toy.lg("import", log.name)
    before = toy.json("log", "-n", "0")
    (toy.root / ".git/loopgraph/researchfs.db").unlink()
    toy.lg("reindex")
    assert toy.json("log", "-n", "0") == before
    git(toy.root, "gc", "-q", "--prune=now")
    assert git(toy.root, "fsck", "--strict") == ""


def test_what_was_measured_here_is_not_imported_again(toy):
    toy.write(results_tsv=True, baseline_runs=1)
    toy.lg("experiment", "-n", "1")
    items = toy.json("import", "results.tsv")
    assert (items[0]["added"], items[0]["lost"]) == (0, 0)


def test_two_metrics_of_one_commit_are_two_results(toy):
    oid = git(toy.root, "rev-parse", "HEAD")
    (toy.root / "old.jsonl").write_text(
        '{"type": "config", "metricName": "acc", "bestDirection": "higher"}\n'
        f'{{"run": 1, "commit": "{oid}", "metric": 0.5, "status": "keep"}}\n'
        '{"type": "config", "metricName": "cost", "bestDirection": "lower"}\n'
        f'{{"run": 2, "commit": "{oid}", "metric": 0.5, "status": "keep"}}\n'
    )
    told = toy.lg("import", "old.jsonl").stdout
    assert told.count("1 row of session old: 1 keep") == told.count("1 added") == 2
    told = toy.lg("import", "old.jsonl").stdout
    assert told.count("0 added, 1 known before") == 2


def test_problems_name_file_line_and_reason(toy, log):
    log.write_text(HEADER + "abc\t1.0\t1.0\tperhaps\tx\n" + LOST)
    done = toy.lg("import", log.name, code=1)
    assert "old.tsv:2: not imported: status 'perhaps' is no known" in done.stderr
    assert "4 added" in done.stdout
    assert len(toy.tried()) == 4


def test_a_dry_run_writes_nothing(toy, log):
    refs = git(toy.root, "for-each-ref")
    assert "4 would be added" in toy.lg("import", "--dry-run", log.name).stdout
    assert git(toy.root, "for-each-ref") == refs
    assert git(toy.root, "count-objects").startswith("4 objects")


def test_a_sha256_repository(tmp_path):
    toy = make_toy(tmp_path / "toy", "--object-format=sha256")
    head = git(toy.root, "rev-parse", "HEAD")
    (toy.root / "old.tsv").write_text(HEADER + LOST + f"{head[:9]}\t1\t1\tkeep\tx\n")
    items = toy.json("import", "old.tsv", "--session", "first")
    assert (items[0]["resolved"], items[0]["lost"]) == (1, 4)


def test_a_pipe_is_read(toy, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO((HEADER + LOST).encode()))
    )
    assert "stdin: 4 rows of session stdin" in toy.lg("import", "-").stdout


def test_a_line_that_was_torn_is_the_same_line_when_it_is_whole(toy, log):
    log.write_text(HEADER + LOST + "feedbee\t1.04\t1.0\tkeep\tmore la")
    toy.lg("import", log.name)
    log.write_text(HEADER + LOST + "feedbee\t1.04\t1.0\tkeep\tmore layers\n")
    assert "0 added, 5 known before" in toy.lg("import", log.name).stdout


@pytest.mark.usefixtures("log")
def test_two_clones_write_the_same_records(toy, tmp_path):
    """The same row counts once, whoever imported it, and however often."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(toy.root), str(other))
    (other / "old.tsv").write_text(HEADER + LOST + "feedbee\t1.04\t1.0\tkeep\tmore\n")
    hub = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    clones = [toy, Toy(other)]
    for clone in clones:
        git(clone.root, "remote", "add", "hub", str(hub))
        clone.lg("import", "old.tsv")
    for clone in [*clones, toy]:
        clone.lg("sync", "hub")
    assert toy.json("log", "-n", "0") == clones[1].json("log", "-n", "0")
    found = toy.tried()
    assert [item.runs for item in found if item.value] == [1, 1, 1, 1]
    assert len(found) == 5
    assert "4 known before" in toy.lg("import", "old.tsv").stdout


@pytest.mark.parametrize("form", ["tsv", "csv", "jsonl"])
def test_an_export_is_known_where_it_comes_from(toy, log, form):
    toy.write(baseline_runs=1)
    toy.lg("experiment", "-n", "2")
    toy.lg("import", log.name)
    toy.lg("export", "-o", f"all.{form}")
    before = toy.json("log", "-n", "0")
    told = toy.lg("import", f"all.{form}").stdout
    assert " 0 added" in told
    assert toy.json("log", "-n", "0") == before


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_is_read_with_its_sessions_elsewhere(toy, log, form, tmp_path):
    toy.write(baseline_runs=1)
    toy.lg("experiment", "-n", "2", "--session", "mine")
    toy.lg("import", log.name)
    toy.lg("export", "-o", f"all.{form}")
    other = make_toy(tmp_path / "other")
    git(other.root, "commit", "-q", "--allow-empty", "-m", "Another history")
    (other.root / f"all.{form}").write_text((toy.root / f"all.{form}").read_text())
    other.lg("import", f"all.{form}")

    def outcomes(lab):
        return {
            (x.subject, x.session, x.verdict, x.status, x.value, x.methods, x.ts)
            for x in lab.tried()
            # what has no session gets that of the file
            if x.session != "all"
        }

    assert outcomes(other) == outcomes(toy)


def test_wrong_calls_leave_no_trace(toy, log):
    assert "try `--session my-runs`" in toy.lg(
        "import", log.name, "--session", "My runs", code=2
    ).stderr  # fmt: skip
    assert "nothing.tsv" in toy.lg("import", log.name, "nothing.tsv", code=2).stderr
    (toy.root / "empty.tsv").write_text("")
    assert "empty.tsv" in toy.lg("import", log.name, "empty.tsv", code=2).stderr
    assert toy.tried() == []
