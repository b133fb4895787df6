"""Search quality on what every Python brings along: docstring finds its function.

The whole measurement, beside other engines, is benchmarks/search_quality.py.
"""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from benchmarks import search_quality as quality

FEW_FILES = 12


def scores(corpus):
    with quality.shelf(corpus.documents) as store:
        return [
            fmean(quality.ndcg(answer(query), right) for query, right in corpus.queries)
            for answer in (quality.ours(store), quality.every_word(store))
        ]


def test_any_word_finds_far_more_than_all_words():
    corpus = quality.from_stdlib(quality.stdlib_files()[:FEW_FILES], 60, seed=1)
    some, every = scores(corpus)
    assert some > 0.4
    assert some > 4 * every


@pytest.mark.long
def test_the_whole_standard_library():
    corpus = quality.from_stdlib(quality.stdlib_files(), 600, seed=1)
    assert len(corpus.documents) > 10_000
    some, every = scores(corpus)
    assert some >= 0.37
    assert some > 10 * every


def test_a_labelled_corpus_is_read(tmp_path):
    rows = {
        "corpus.jsonl": [
            {"_id": "a", "title": "Rates", "text": "warmup of the learning rate"},
            {"_id": "b", "title": "Gates", "text": "a gated linear unit"},
            {"_id": "c", "text": "nothing of that"},
        ],
        "queries.jsonl": [
            {"_id": "1", "text": "gated units"},
            {"_id": "2", "text": "nobody labelled this"},
        ],
    }
    for name, items in rows.items():
        (tmp_path / name).write_text("\n".join(map(json.dumps, items)) + "\n")
    (tmp_path / "qrels").mkdir()
    labels = "query-id\tcorpus-id\tscore\n1\tb\t2\n1\ta\t0\n1\tgone\t1\n"
    (tmp_path / "qrels" / "dev.tsv").write_text(labels)
    corpus = quality.from_beir(tmp_path, "dev")
    assert corpus.documents[2] == ("", "nothing of that")
    assert corpus.queries == [("gated units", {1: 2.0})]
    assert scores(corpus)[0] == 1


def test_gains_are_those_of_the_book():
    assert quality.ndcg([3, 1], {1: 1.0}) == pytest.approx(1 / 1.584962500721156)
    assert quality.ndcg([1, 2], {1: 1.0, 2: 3.0}) < quality.ndcg(
        [2, 1], {1: 1.0, 2: 3.0}
    )
    assert quality.ndcg([7], {1: 1.0}) == quality.recall([7], {1: 1.0}) == 0
    assert quality.recall([1, 5], {1: 1.0, 2: 1.0}) == 0.5
