"""Trailers, settings and packs: any text is read, or refused with the one error."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.cli import render
from loopgraph_git.config import CONFIG_NAME, Config, load_config, parse_config
from loopgraph_git.errors import ConfigError, PackError
from loopgraph_git.git import refs, trailers
from loopgraph_git.library.packs import parse_pack
from loopgraph_git.records.texts import HIDDEN, flat
from tests.conftest import PACK
from tests.fuzz import hostile

KEYS = (trailers.METHOD, trailers.RETRIEVAL, trailers.PROPOSER, trailers.SESSION)
LINES = (
    "---", "", "  folded on", "\tfolded", "no colon at all", "Loopgraph-Method:",
    "Loopgraph-Method: swiglu", "Loopgraph-Method : x", "loopgraph-method: x",
    "Loopgraph-Session: a\u2028Loopgraph-Method: b", "Signed-off-by: Eve <e@e>",
    " Loopgraph-Method: indented", "# comment", "diff --git a/x b/x", "\r",
    "Loopgraph-Method: a\rLoopgraph-Method: b", "Loopgraph-Proposer: \x1b[2J",
    "(cherry picked from commit abc)",
)  # fmt: skip
message = st.lists(st.sampled_from(LINES) | hostile.text, max_size=12).map("\n".join)


@given(message)
def test_any_message_is_a_subject_a_body_and_trailers(text):
    subject, body, found = trailers.parse(text)
    assert "\n" not in subject
    assert all(key.startswith("Loopgraph-") for key in found)
    assert all("\n" not in value for values in found.values() for value in values)
    assert len(body) <= len(text)


@given(
    hostile.text,
    message,
    st.lists(st.tuples(st.sampled_from(KEYS), hostile.text), min_size=1, max_size=6),
)
def test_what_is_written_into_a_message_is_what_is_read(subject, body, given_):
    text = trailers.message(subject, body, given_)
    wanted = {
        key: tuple(flat(value) for name, value in given_ if name == key and flat(value))
        for key in KEYS
    }
    wanted = {key: values for key, values in wanted.items() if values}
    assert not HIDDEN.search(text)
    if wanted:
        assert trailers.parse(text) == (
            flat(subject)[:72].strip() or "experiment",
            "\n\n".join(trailers._GAP.split(HIDDEN.sub("", body).strip())),
            wanted,
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s\n\nLoopgraph-Method: a\n b\n\tc\n", ("a b c",)),
        ("s\r\n\r\nbody\r\n\r\nLoopgraph-Method: a\r\n", ("a",)),
        ("s\n\n---\nLoopgraph-Method: a\n", ("a",)),
        ("s\n\nSigned-off-by: E\n Loopgraph-Method: a\n", None),
        ("s\n\nLoopgraph-Method: a\n\nlast words\n", None),
        ("Loopgraph-Method: a\n", None),
    ],
)
def test_trailers_are_read_as_git_reads_them(text, expected):
    assert trailers.parse(text)[2].get(trailers.METHOD) == expected


def test_prose_beside_trailers_is_kept():
    text = "s\n\nWhy it may help\nLoopgraph-Method: a\nSigned-off-by: E <e@e>\n"
    assert trailers.parse(text)[1] == "Why it may help"


@pytest.mark.parametrize("line", ["Loopgraph-Method: a\n", " folded\n", "x\n \n"])
def test_a_message_of_any_length_takes_a_moment(line):
    started = time.perf_counter()
    found = trailers.parse("s\n\nLoopgraph-Method: a\n" + line * 50_000)[2]
    assert all(len(values) <= 100 for values in found.values())
    assert time.perf_counter() - started < 2


SETTINGS = (
    "run: [python, train.py]\n", "run: python train.py\n", "editable: [train.py]\n",
    "protected: [prepare.py]\n", "metric: {name: acc, direction: higher}\n",
    "budget_seconds: 20\n", "branches: ['lg/*']\n", "link: [data]\n", "goal: win\n",
    "env: [HOME]\n", "results_tsv: true\n", "baseline_runs: 3\n", "metric: acc\n",
)  # fmt: skip
YAML = (
    "&a", "*a", "!!python/name:os.system", "!!int ''", "!!bool x", "!!timestamp x",
    "2001-99-99", "1e999", ".nan", ".inf", "0x" + "f" * 5000, "9" * 5000, "<<: {run: 3}",
    "? [a, b]\n: c", "? {a: b}\n: c", "[" * 300, "{a: " * 50, "---\n", "...\n", "%TAG",
    '"\\e[2J"', '"\\u202e"', "- ", "|\n  x", ">-", "\t", "null", "~", "=", "1:60",
)  # fmt: skip


@given(
    hostile.mutated(
        st.lists(st.sampled_from(SETTINGS) | st.sampled_from(YAML), max_size=6).map(
            "".join
        )
    )
)
def test_any_settings_are_settings_or_the_one_error(text):
    with suppress(ConfigError):
        config = parse_config(text)
        assert 0 < config.budget_seconds < 1e9
        for word in (*config.run, *config.editable, *config.link, config.metric.name):
            assert not HIDDEN.search(word)
            assert "\n" not in word
        for path in (*config.editable, *config.protected, *config.link, config.packs):
            assert not path.startswith("/")
            assert ".." not in path.split("/")


@given(st.sampled_from(list(Config().__dict__)), hostile.value)
def test_any_value_of_any_key_is_refused_in_one_short_line(key, value):
    # JSON with its escapes is YAML too
    said = ".loopgraph.yml: nothing"
    try:
        parse_config(render.json_line({key: value}))
    except ConfigError as error:
        said = str(error)
    assert said.startswith(".loopgraph.yml: ")
    assert not HIDDEN.search(said)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}, *{chr(97 + n)}]\n"
    for n in range(20)
)


@pytest.mark.parametrize("text", [BOMB, f"{BOMB}run: *u\n", "goal: " + "[" * 60_000])
def test_a_bomb_is_refused_at_once(text):
    started = time.perf_counter()
    with pytest.raises(ConfigError):
        parse_config(text)
    assert time.perf_counter() - started < 2


def test_settings_that_are_no_file_are_not_waited_for(tmp_path):
    (tmp_path / CONFIG_NAME).symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="it is not a file"):
        load_config(tmp_path)


@given(hostile.mutated(st.just(PACK) | st.sampled_from(YAML)))
def test_any_pack_is_a_pack_or_the_one_error(text):
    with suppress(PackError):
        assert parse_pack(text, "toy.yml").methods


@given(hostile.text)
def test_any_name_becomes_a_slug(text):
    name = refs.slug(text)
    assert refs.slug(name) == name
    assert 0 < len(name) <= 50
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-")
    assert refs.session_branch(name) == f"refs/heads/lg/{name}"


@given(hostile.value)
def test_whatever_is_printed_moves_nothing(value):
    line = render.json_line(value)
    assert not HIDDEN.search(line)
    line.encode()
    text = str(value)
    assert "\n" not in render.plain(text)
    assert not HIDDEN.search(render.plain(text))
    assert not HIDDEN.search(render.block(text))
    assert render.block(text).count("\n") == text.count("\n")
