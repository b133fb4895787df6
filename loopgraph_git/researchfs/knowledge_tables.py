"""The tables of what is known besides experiments: papers, passages and methods."""

from __future__ import annotations

KNOWLEDGE = """\
-- A row per source of knowledge: a paper, a repository or a pack.
CREATE TABLE papers(
  id INTEGER PRIMARY KEY,           -- hash of key
  key TEXT NOT NULL UNIQUE,         -- arxiv:<id>, pack:<name>, ...
  title TEXT NOT NULL,
  authors TEXT NOT NULL,
  year INTEGER,
  url TEXT NOT NULL,
  version TEXT NOT NULL,
  from_pack INTEGER NOT NULL,       -- 1: a pack names it
  from_library INTEGER NOT NULL     -- 1: it was ingested; its words win over a pack's
) STRICT;

-- A row per passage of a paper.
CREATE TABLE chunks(
  id INTEGER PRIMARY KEY,           -- hash of paper, origin and ord
  paper INTEGER NOT NULL REFERENCES papers(id),
  origin TEXT NOT NULL,             -- 'pack' or 'library'
  ord INTEGER NOT NULL,             -- position in the paper
  kind TEXT NOT NULL,               -- text, code, abstract, ...
  place TEXT NOT NULL,              -- section or file
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  idents TEXT NOT NULL,             -- identifiers of title and body, split and joined
  UNIQUE(paper, origin, ord)
) STRICT;

-- A row per method; a stub (empty definition) is named somewhere, defined nowhere.
CREATE TABLE methods(
  id INTEGER PRIMARY KEY,           -- hash of name
  name TEXT NOT NULL UNIQUE,        -- the method's id in its pack
  title TEXT NOT NULL,
  family TEXT NOT NULL,
  pack TEXT NOT NULL,
  definition TEXT NOT NULL          -- JSON of the whole method
) STRICT;

-- A row per source that a method's pack cites for it.
CREATE TABLE method_sources(
  method INTEGER NOT NULL REFERENCES methods(id),
  ord INTEGER NOT NULL,
  paper INTEGER NOT NULL REFERENCES papers(id),
  title TEXT NOT NULL,              -- what the pack calls the paper
  place TEXT NOT NULL,              -- section, log line or commit
  PRIMARY KEY(method, ord)
) STRICT, WITHOUT ROWID;
CREATE INDEX method_sources_by_paper ON method_sources(paper);

-- A row per ingested paper whose passages are here: the entry of the shelf they are of.
CREATE TABLE shelved(
  paper INTEGER PRIMARY KEY REFERENCES papers(id),
  entry TEXT NOT NULL,
  how TEXT NOT NULL                 -- what its text was read from: latex, pdf, abstract
) STRICT;

-- A row per method that an ingested passage speaks of, by id, title or alias.
CREATE TABLE mentions(
  chunk INTEGER NOT NULL REFERENCES chunks(id),
  method INTEGER NOT NULL REFERENCES methods(id),
  times INTEGER NOT NULL,
  PRIMARY KEY(chunk, method)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_method ON mentions(method);
"""

ADDED_IN_4 = ("shelved", "mentions")
"""The tables that databases of version 3 have not."""
