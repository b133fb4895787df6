"""Answers come from indexes: what they cost does not grow with what is stored."""

from __future__ import annotations

import json

import pytest

from loopgraph_git.records import Direction
from loopgraph_git.researchfs.store import Store
from tests.researchfs.making import commit, result, verdict


@pytest.fixture(scope="module")
def many():
    with Store.open(":memory:") as store:
        names = [str(number) for number in range(3000)]
        with store.transaction():
            store.put_commits(
                [
                    commit(
                        name, ts=n, session=f"s{n // 50}", parent=str(n - 1), method="m"
                    )
                    for n, name in enumerate(names)
                ]
            )
            store.put_records(
                [result(name, 1 + n / 1e4) for n, name in enumerate(names)]
            )
            store.put_records([verdict(name) for name in names[::3]])
        yield store


def plans(store, ask):
    """Return how SQLite answers each statement that a question runs."""
    seen = []
    store.db._connection.set_trace_callback(seen.append)
    ask()
    store.db._connection.set_trace_callback(None)
    return [
        row[3]
        for sql in seen
        for row in store.db._connection.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("experiments_by_time", lambda store: store.experiments(limit=20)),
        ("experiments_by_session", lambda store: store.experiments(session="s3")),
        ("scores_by_value", lambda store: store.best(20, Direction.LOWER)),
        ("scores_by_value", lambda store: store.best(20, Direction.HIGHER, metric="m")),
        ("oid", lambda store: store.experiment("abcdef")),
        ("records_by_experiment", lambda store: store.records_of("ab" * 20)),
    ],
)
def test_a_question_walks_an_index(many, index, ask):
    plan = plans(many, lambda: ask(many))
    assert any(index in step or "AUTOINDEX" in step.upper() for step in plan)
    scanned = [step for step in plan if step.startswith(("SCAN e", "SCAN s"))]
    assert all("USING" in step for step in scanned), plan
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan[:1])


def steps(store, ask):
    """Count the steps of SQLite's machine that a question takes, in hundreds."""
    count = 0

    def step():
        nonlocal count
        count += 1

    store.db._connection.set_progress_handler(step, 100)
    ask()
    store.db._connection.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.experiments(limit=20),
        lambda store: store.best(20, Direction.LOWER),
        lambda store: store.experiment("abcdef"),
        lambda store: store.experiments(session="s2", limit=20),
    ],
)
def test_twenty_of_many_cost_as_much_as_twenty_of_few(many, ask):
    with Store.open(":memory:") as few:
        for number in range(150):
            few.put_commits(
                [commit(str(number), ts=number, session=f"s{number // 50}")]
            )
            few.put_records([result(str(number), 1 + number / 1e4)])
        assert steps(many, lambda: ask(many)) <= 2 * steps(few, lambda: ask(few)) + 5


def test_a_dump_is_canonical(many):
    lines = list(many.dump())
    keys = [(json.loads(line)["table"]) for line in lines]
    assert keys == sorted(keys)
    ids = [json.loads(line)["id"] for line in lines if '"table":"records"' in line]
    assert ids == sorted(ids)
    assert len(set(lines)) == len(lines)
    assert not any("_fts" in line[:60] for line in lines)
