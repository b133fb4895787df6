from __future__ import annotations

import pytest

from loopgraph_git.library.yaml_tree import Report, read_yaml, typed


def read(text):
    report = Report("x.yml")
    entry = read_yaml(text, report)
    return entry, [str(problem) for problem in report.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-3", -3),
        ("+3", 3),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("2.5e2", 250.0),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("010", 10),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("1e999", "1e999"),
        ("9" * 400, "9" * 400),
        ("$factor", "$factor"),
    ],
)
def test_plain_scalars_are_what_people_mean(text, value):
    assert typed(text) == value
    assert type(typed(text)) is type(value)


def test_a_tree_knows_lines_and_texts():
    entry, problems = read("a: 1\nb:\n  - 2002.05202\n  - '3'\n  - |\n    text\n")
    assert problems == []
    assert entry.plain() == {"a": 1, "b": [2002.05202, "3", "text\n"]}
    assert entry.value["b"].value[0].text == "2002.05202"
    assert [item.line for item in entry.value["b"].value] == [3, 4, 5]


def test_dates_merges_and_equals_are_plain_text():
    entry, problems = read("a: 2026-01-02\nb: =\nc: <<\n")
    assert problems == []
    assert entry.plain() == {"a": "2026-01-02", "b": "=", "c": "<<"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "x.yml:1: empty"),
        ("# nothing\n", "x.yml:1: empty"),
        ("a: [1, 2\nb: 3\n", "x.yml:2: not YAML: "),
        ("a: 1\n  b: 2\n", "x.yml:2: not YAML: mapping values are not allowed"),
        ("a: *b\n", "x.yml:1: anchors and aliases (&name, *name) are not"),
        ("a: 1\n---\nb: 2\n", "x.yml:2: not YAML: "),
        ("a: \x07\n", "x.yml:1: not YAML: "),
        ("a: 1\na: 2\n", "x.yml:2: a: given twice, first on line 1"),
        ("a:\n  b: 1\n  b: 2\n", "x.yml:3: a.b: given twice, first on line 2"),
        ("a: &x [1]\nb: *x\n", "x.yml:1: anchors and aliases (&name, *name) are not"),
        ("a: &x [*x]\n", "x.yml:1: anchors and aliases (&name, *name) are not"),
        ("a: &x 1\nb: *x\n", "x.yml:1: anchors and aliases (&name, *name) are not"),
        ("a: !!python/name:os.system x\n", "x.yml:1: a: the tag tag:yaml.org,2002:pyt"),
        ("a: !local 1\n", "x.yml:1: a: the tag !local is not allowed"),
        ("a: !!binary aGk=\n", "x.yml:1: a: the tag tag:yaml.org,2002:binary"),
        ("a: !!set {b}\n", "x.yml:1: a: the tag tag:yaml.org,2002:set"),
        ("a:\n  ? [1, 2]\n  : 3\n", "x.yml:2: a: a key must be a word"),
        ("a: " + "[" * 50 + "]" * 50, "x.yml:1: nested deeper than 40 levels"),
        ("a: '" + "x" * 1_000_001 + "'", "x.yml:1: larger than 1000000 bytes"),
    ],
)
def test_what_a_pack_has_no_use_for_is_refused(text, problem):
    assert read(text)[1][0].startswith(problem)


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 12):
        inside = ", ".join([f"*a{number - 1}"] * 9)
        lines.append(f"a{number}: &a{number} [{inside}]")
    problems = read("\n".join(lines))[1]
    assert len(problems) == 12 + 11 * 9
    assert problems[1] == (
        "x.yml:2: anchors and aliases (&name, *name) are not allowed"
    )


def test_deep_nesting_is_an_error_and_no_crash():
    entry, problems = read("[" * 100_000)
    assert problems
    assert entry is None


def test_a_merge_key_merges_nothing():
    entry, problems = read("a: {b: 1}\n<<: {c: 2}\n")
    assert problems == []
    assert sorted(entry.value) == ["<<", "a"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{}", "a mapping"),
        ("[]", "a list"),
        ("null", "nothing"),
        ("12", "'12'"),
        ("'x'", "'x'"),
    ],
)
def test_an_entry_says_what_it_is(text, kind):
    assert read(text)[0].kind == kind
