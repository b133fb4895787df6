"""The shape of the index: one commented document, a version, and its history.

Every row's INTEGER PRIMARY KEY is 60 bits of a hash of the row's natural key (an
object id, a record id, the key of a paper), so that the same facts make the same
database whatever the order in which they arrived. A row may be named before it is
known (a method of another machine's pack, a commit not fetched yet): it is then a
*stub*, which keeps the foreign key and is filled in place later.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from functools import lru_cache

from loopgraph_git.researchfs.knowledge_tables import KNOWLEDGE

SCHEMA_VERSION = 5
APPLICATION_ID = 0x4C476669  # "LGfi", so that `file` and we recognise the database

TABLES = f"""\
{KNOWLEDGE}
-- A row per commit that was tried, and a summary of what came of it.
CREATE TABLE experiments(
  id INTEGER PRIMARY KEY,           -- hash of oid
  oid TEXT NOT NULL UNIQUE,
  tree TEXT NOT NULL,
  parent TEXT,                      -- oid; it need not be an experiment
  known INTEGER NOT NULL,           -- 0: only named by records, commit not seen yet
  committed INTEGER NOT NULL,       -- the commit's time, seconds since the epoch
  subject TEXT NOT NULL,
  trailer TEXT NOT NULL,            -- the session that the commit itself names
  proposer TEXT NOT NULL,
  retrieval INTEGER REFERENCES retrievals(id),
  seed_only INTEGER,                -- 1: the diff changes nothing but a seed;
                                    -- null: it was not read yet
  recognised INTEGER NOT NULL DEFAULT 0, -- 1: its change was searched for methods
  -- from here on derived from outcomes, verdicts, links and retractions
  session TEXT NOT NULL DEFAULT '', -- the trailer's, or that of an imported record
  listed INTEGER NOT NULL DEFAULT 0,-- 1: shown in lists; 0: a bare stub, or rewritten
  ts INTEGER NOT NULL DEFAULT 0,    -- committed, or the first record's time for a stub
  status TEXT,
  verdict TEXT,
  reason TEXT NOT NULL DEFAULT '',
  baseline TEXT NOT NULL DEFAULT '',
  metric TEXT NOT NULL DEFAULT '',
  value REAL,                       -- mean over the ok runs, measured one way
  runs INTEGER NOT NULL DEFAULT 0,  -- how many ok runs are in that mean
  delta REAL,                       -- gain over the baseline; positive is better
  noise REAL,                       -- standard deviation of repeated baselines
  seconds REAL NOT NULL DEFAULT 0,  -- of all runs together
  peak_memory_mb REAL,
  protocol TEXT NOT NULL DEFAULT '',
  platform TEXT NOT NULL DEFAULT '',
  excerpt TEXT NOT NULL DEFAULT '',
  tokens INTEGER NOT NULL DEFAULT 0
) STRICT;
-- of one second they are in the order of their ids, which is that of their oids
CREATE INDEX experiments_by_time ON experiments(ts) WHERE listed = 1;
CREATE INDEX experiments_by_session ON experiments(session, ts) WHERE listed = 1;
CREATE INDEX experiments_by_parent ON experiments(parent);
CREATE INDEX experiments_by_retrieval ON experiments(retrieval)
  WHERE retrieval IS NOT NULL;
CREATE INDEX experiments_unread ON experiments(id) WHERE seed_only IS NULL;

-- A row per method that an experiment tried.
CREATE TABLE experiment_methods(
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  method INTEGER NOT NULL REFERENCES methods(id),
  share REAL NOT NULL,              -- 1 / number of methods in the commit
  PRIMARY KEY(experiment, method)
) STRICT, WITHOUT ROWID;
CREATE INDEX experiment_methods_by_method ON experiment_methods(method);

-- A row per method that was recognised in an experiment whose commit names none.
CREATE TABLE recognised_methods(
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  method INTEGER NOT NULL REFERENCES methods(id),
  share REAL NOT NULL,              -- 1 / number of methods recognised in it
  how TEXT NOT NULL,                -- code, or words where it tells nothing
  PRIMARY KEY(experiment, method)
) STRICT, WITHOUT ROWID;
CREATE INDEX recognised_methods_by_method ON recognised_methods(method);

-- A row per experiment: the text that a search sees.
CREATE TABLE experiment_texts(
  id INTEGER PRIMARY KEY REFERENCES experiments(id),
  title TEXT NOT NULL,              -- subject and methods
  message TEXT NOT NULL,            -- body of the commit and, once read, its diff
  said TEXT NOT NULL,               -- reason of the verdict and excerpt of the log
  body TEXT GENERATED ALWAYS AS (message || char(10) || said) VIRTUAL,
  idents TEXT NOT NULL
) STRICT;

-- A row per line of a note; a stub (empty kind) is named by another line or a commit.
CREATE TABLE records(
  id INTEGER PRIMARY KEY,           -- hash of record
  record TEXT NOT NULL,             -- the record's own id, 16 hex digits
  kind TEXT NOT NULL,
  experiment INTEGER REFERENCES experiments(id),
  tree TEXT NOT NULL,
  writer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  ts INTEGER NOT NULL,              -- milliseconds since the epoch
  line TEXT NOT NULL                -- the whole record, as it stands in the note;
                                    -- empty until asked for, if it was read in bulk
) STRICT;
CREATE INDEX records_by_experiment ON records(experiment);

-- A row per record that was adopted from somebody's log.
CREATE TABLE imports(
  id INTEGER PRIMARY KEY REFERENCES records(id),
  row TEXT NOT NULL,                -- what names the row of the log in every clone
  session TEXT NOT NULL
) STRICT;
CREATE INDEX imports_by_row ON imports(row);

-- A row per question asked of the memory; the code it was about is its record's.
CREATE TABLE retrievals(
  id INTEGER PRIMARY KEY REFERENCES records(id),
  goal TEXT NOT NULL,
  query TEXT NOT NULL,
  tokens INTEGER NOT NULL           -- size of the brief it led to
) STRICT;

-- A row per ranked method of a retrieval.
CREATE TABLE suggestions(
  retrieval INTEGER NOT NULL REFERENCES retrievals(id),
  rank INTEGER NOT NULL,            -- 1 is the first
  method INTEGER NOT NULL REFERENCES methods(id),
  score REAL NOT NULL,
  slot TEXT NOT NULL,               -- exploit or explore
  why TEXT NOT NULL,
  factors TEXT NOT NULL,            -- JSON: every factor of the score
  outcomes TEXT NOT NULL,           -- JSON: ids of the records behind it
  PRIMARY KEY(retrieval, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX suggestions_by_method ON suggestions(method);

-- A row per run of the training command: what it measured, or how it failed.
CREATE TABLE outcomes(
  id INTEGER PRIMARY KEY REFERENCES records(id),
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  status TEXT NOT NULL,
  metric TEXT NOT NULL,
  value REAL,
  seed INTEGER,
  seconds REAL NOT NULL,
  peak_memory_mb REAL,
  protocol TEXT NOT NULL,
  platform TEXT NOT NULL,
  evaluation TEXT NOT NULL,         -- verified or self_reported
  excerpt TEXT NOT NULL,
  tokens INTEGER NOT NULL
) STRICT;

-- A row per experiment and way of measuring it: results compare only within one.
CREATE TABLE scores(
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  metric TEXT NOT NULL,
  protocol TEXT NOT NULL,
  platform TEXT NOT NULL,
  value REAL NOT NULL,              -- mean over the ok runs
  runs INTEGER NOT NULL,
  PRIMARY KEY(experiment, metric, protocol, platform)
) STRICT, WITHOUT ROWID;
CREATE INDEX scores_by_value ON scores(value);

-- A row per decision about an experiment.
CREATE TABLE verdicts(
  id INTEGER PRIMARY KEY REFERENCES records(id),
  experiment INTEGER NOT NULL REFERENCES experiments(id),
  value TEXT NOT NULL,              -- keep, discard, crash or retest
  reason TEXT NOT NULL,
  baseline TEXT NOT NULL,           -- oid, or empty
  delta REAL,
  noise REAL,
  n INTEGER NOT NULL                -- runs behind the noise
) STRICT;

-- A row per rewrite, squash or cherry-pick of an experiment.
CREATE TABLE links(
  id INTEGER PRIMARY KEY REFERENCES records(id),
  old INTEGER NOT NULL REFERENCES experiments(id),
  new INTEGER NOT NULL REFERENCES experiments(id),
  how TEXT NOT NULL
) STRICT;
CREATE INDEX links_by_old ON links(old);
CREATE INDEX links_by_new ON links(new);

-- A row per record taken back; the record stays, and counts no more.
CREATE TABLE retractions(
  id INTEGER PRIMARY KEY REFERENCES records(id),
  target INTEGER NOT NULL REFERENCES records(id),
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX retractions_by_target ON retractions(target);

-- A row per ref: where it pointed when it was last indexed.
CREATE TABLE refs(
  name TEXT PRIMARY KEY,
  oid TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A row per fact about the index itself.
CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# UPDATE OF names the stored columns: a trigger on the generated column never fires,
# and one on every column would write the index anew for each touched summary.
_SEARCHED = (
    ("chunks", "title, body, idents"),
    ("experiment_texts", "title, message, said, idents"),
)
SEARCHED_TABLES = tuple(table for table, _ in _SEARCHED)
_FTS = """\
-- A row per row of {table}: its words. Columns weigh 3, 1 and 0.5.
CREATE VIRTUAL TABLE {table}_fts USING fts5(
  title, body, idents, content='{table}', content_rowid='id',
  tokenize="porter unicode61 remove_diacritics 2"
);
INSERT INTO {table}_fts({table}_fts, rank) VALUES('rank', 'bm25(3.0, 1.0, 0.5)');

-- A row per word of {table}_fts: in how many rows it stands.
CREATE VIRTUAL TABLE {table}_vocab USING fts5vocab({table}_fts, row);
"""
_TRIGGERS = """\
CREATE TRIGGER {table}_ai AFTER INSERT ON {table} BEGIN
  INSERT INTO {table}_fts(rowid, title, body, idents)
    VALUES(new.id, new.title, new.body, new.idents);
END;
CREATE TRIGGER {table}_ad AFTER DELETE ON {table} BEGIN
  INSERT INTO {table}_fts({table}_fts, rowid, title, body, idents)
    VALUES('delete', old.id, old.title, old.body, old.idents);
END;
CREATE TRIGGER {table}_au AFTER UPDATE OF {columns} ON {table} BEGIN
  INSERT INTO {table}_fts({table}_fts, rowid, title, body, idents)
    VALUES('delete', old.id, old.title, old.body, old.idents);
  INSERT INTO {table}_fts(rowid, title, body, idents)
    VALUES(new.id, new.title, new.body, new.idents);
END;
"""
SEARCH_TABLES = "\n".join(_FTS.format(table=table) for table in SEARCHED_TABLES)
TRIGGERS = "\n".join(
    _TRIGGERS.format(table=table, columns=columns) for table, columns in _SEARCHED
)
DDL = f"{TABLES}\n{SEARCH_TABLES}\n{TRIGGERS}"

CHILDREN_FIRST = (
    "retractions", "imports", "links", "verdicts", "scores", "outcomes", "suggestions",
    "experiment_texts", "experiment_methods", "recognised_methods", "method_sources",
    "mentions", "shelved", "retrievals", "records", "experiments", "methods", "chunks",
    "papers", "refs", "meta",
)  # fmt: skip
"""Our tables, each before those it refers to (experiments.retrieval apart)."""


LANDED = "('squash', 'cherry-pick', 'merge')"
"""How an experiment became ordinary work, in a list of SQL; others are rewrites."""
_HASHED = ("commit", "record")
_HASH = re.compile(r"[0-9a-f]{16,64}\Z")


def row_id(*parts: str) -> int:
    """Return the primary key of a natural key: 60 bits, equal on every machine.

    What is a hash already gives its first bits.
    """
    if len(parts) == 2 and parts[0] in _HASHED and _HASH.match(parts[1]):  # noqa: PLR2004
        return hash_id(parts[1])
    return _hashed(*parts)


@lru_cache(maxsize=1 << 16)
def _hashed(*parts: str) -> int:
    text = "\x1f".join(parts).encode("utf-8", "replace").replace(b"\0", b" ")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 4


def hash_id(name: str) -> int:
    """Return the primary key of an object id or a record's id, known to be one."""
    return int(name[:15], 16)


def statements(script: str) -> list[str]:
    """Split a script into statements, so that one transaction can hold them all.

    `executescript` would commit the transaction that is open.
    """
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return found


def write_triggers(table: str) -> dict[str, str]:
    """Return the triggers for new and changed rows of a searched table, by name."""
    made = triggers()
    return {name: made[name] for name in (f"{table}_ai", f"{table}_au")}


def triggers() -> dict[str, str]:
    """Return the triggers of all searched tables, by name."""
    return {item.split()[2]: item for item in statements(TRIGGERS)}


def table_names() -> list[str]:
    """Return the names of our own tables, FTS5 and its shadow tables left out."""
    return sorted(re.findall(r"^CREATE TABLE (\w+)", DDL, re.MULTILINE))
