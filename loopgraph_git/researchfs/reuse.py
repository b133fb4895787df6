"""The same question on the same state of the code, asked again.

A question's record keeps a digest of all that its answer came from. Where the digest is
the same, the answer is: it is given again, and not recorded twice.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from loopgraph_git.records import Record
from loopgraph_git.researchfs import shelved

if TYPE_CHECKING:
    from loopgraph_git.researchfs.store import Store

_LOOKED_AT = 50
# ids are hashes: the sum of their last 24 bits tells two sets apart, whatever the order
_KNOWN = (
    """SELECT count(*), coalesce(sum(id & 16777215), 0) FROM records
        WHERE kind NOT IN ('', 'retrieval')""",
    # a commit that acts on a question is known by what it tried
    """SELECT count(*), coalesce(sum((experiment + method) & 16777215), 0)
         FROM experiment_methods""",
    """SELECT count(*), coalesce(sum((experiment + method) & 16777215), 0)
         FROM recognised_methods""",
    "SELECT count(*), coalesce(sum(id & 16777215), 0) FROM chunks",
)
_QUESTIONS = """
SELECT r.line FROM records r WHERE r.kind = 'retrieval' AND r.tree = ?
   AND r.id NOT IN (SELECT target FROM retractions)
 ORDER BY r.ts DESC, r.seq DESC, r.record DESC LIMIT ?
"""


def state_of(store: Store, *asked: object) -> str:
    """Return a digest of a question and of all that is known, but for questions."""
    known = [store.db.rows(sql) for sql in _KNOWN]
    # most have no library: what they were asked before is still the same question
    library = filter(None, [shelved.stamp(store.db)])
    whole = json.dumps([known, store.meta("packs"), *library, *map(str, asked)])
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]


def earlier(store: Store, tree: str, state: str) -> Record | None:
    """Return the record of the same question on a tree, or None."""
    lines = store.db.column(_QUESTIONS, tree, _LOOKED_AT)
    found = (Record.decode(line) for line in lines)
    return next((record for record in found if record.body.get("state") == state), None)
