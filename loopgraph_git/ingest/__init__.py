"""The ingest: from what a person names to passages that are searched.

    targets ─▶ taking ─▶ the shelf ─▶ indexing ─▶ the index
    what is    fetched   library/     chosen,     passages and
    meant      and read               chunked     mentions

Only the first half knows a network; the second makes the same index from the same shelf.
"""
