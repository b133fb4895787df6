from __future__ import annotations

from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loopgraph_git.errors import PackError
from loopgraph_git.library.packs import parse_pack, validate

HEAD = "pack: p\ntitle: P\nmethods:\n  - id: m\n    title: M\n    summary: S\n"


def lines(text):
    """Return the problems of one method whose further keys begin on line 7."""
    body = "".join(f"    {line}\n" for line in dedent(text).strip("\n").splitlines())
    return [str(problem) for problem in validate(HEAD + body, "p.yml")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "title: P\nmethods: [{id: a, title: b, summary: c}]\n",
            "p.yml:1: pack: missing",
        ),
        ("pack: p\ntitle: P\n", "p.yml:1: methods: missing"),
        (
            "pack: p\ntitle: P\nmethods: []\n",
            "p.yml:3: methods: expected a list of methods, not a list",
        ),
        (
            "pack: p\ntitle: P\nmethods: x\n",
            "p.yml:3: methods: expected a list of methods, not 'x'",
        ),
        (
            "pack: p\ntitle: P\nmethods: [x]\n",
            "p.yml:3: method number 1: expected a mapping, not 'x'",
        ),
        (
            "pack: p\ntitle: P\nmethods: [{title: b, summary: c}]\n",
            "p.yml:3: method number 1: id: missing",
        ),
        ("- a\n", "p.yml:1: expected a mapping, not a list"),
        ("just text\n", "p.yml:1: expected a mapping, not 'just text'"),
        (
            HEAD.replace("title: P", "title:"),
            "p.yml:2: title: expected text, not nothing",
        ),
        (
            HEAD.replace("pack: p", "pack: My Pack"),
            (
                "p.yml:1: pack: expected an id of a-z, 0-9 and -, beginning with a letter, "
                "not 'My Pack'"
            ),
        ),
        (
            HEAD.replace("title: P", "titel: P"),
            (
                "p.yml:1: title: missing\n"
                "p.yml:2: titel: unknown key, did you mean title? known are methods, pack, "
                "title"
            ),
        ),
        (
            HEAD.replace("id: m", "id: 1m"),
            (
                "p.yml:4: method 1m: id: expected an id of a-z, 0-9 and -, beginning with a "
                "letter, not '1m'"
            ),
        ),
        (
            HEAD.replace("    summary: S\n", ""),
            "p.yml:4: method m: summary: missing",
        ),
        (
            HEAD + "  - {id: m, title: N, summary: T}\n",
            "p.yml:7: method m: id: given twice, first on line 4",
        ),
        (
            HEAD + "    title: N\n",
            "p.yml:7: methods[1].title: given twice, first on line 5",
        ),
        (HEAD + "    x: [1\n", None),
        ("", "p.yml:1: empty"),
    ],
)
def test_a_pack_that_is_no_pack(text, problem):
    found = "\n".join(str(item) for item in validate(text, "p.yml"))
    assert found == problem or (problem is None and ": not YAML: " in found)
    with pytest.raises(PackError) as caught:
        parse_pack(text, "p.yml")
    assert str(caught.value) == found


ORIGIN = "expected exactly one of arxiv, url, commit, log"
KINDS = (
    "expected exactly one of defines, calls, constant, pattern, imports, equal, "
    "differ, any, not"
)
VERBS = (
    "expected exactly one of set, replace, search, insert, import, delete, wrap, "
    "parameter, any"
)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("helps: [a]", 7, "helps: expected text, not a list"),
        (
            "family: A B",
            7,
            "family: expected an id of a-z, 0-9 and -, beginning with a ",
        ),
        (
            "sumary: S",
            7,
            "sumary: unknown key, did you mean summary? known are aliases",
        ),
        ("zzz: S", 7, "zzz: unknown key, known are aliases, conflicts, detect, family"),
        ("aliases: a", 7, "aliases: expected a list, not 'a'"),
        ("aliases: ['']", 7, "aliases[1]: expected text, not ''"),
        (f"aliases: [{'a' * 99}]", 7, "aliases[1]: longer than 80 characters"),
        ("conflicts: [A]", 7, "conflicts[1]: expected an id of "),
        # sources
        ("sources: x", 7, "sources: expected a list, not 'x'"),
        ("sources:\n  - x", 8, "sources[1]: expected a mapping, not 'x'"),
        ("sources:\n  - {title: T}", 8, f"sources[1]: {ORIGIN}"),
        (
            "sources:\n  - {log: a, url: 'http://b'}",
            8,
            f"sources[1]: {ORIGIN}, not url and log",
        ),
        (
            "sources:\n  - arxiv: 123\n",
            8,
            "sources[1].arxiv: expected an arXiv id such as 2002.05202, not '123'",
        ),
        (
            "sources:\n  - url: ftp://x",
            8,
            "sources[1].url: expected an http(s) address",
        ),
        (
            "sources:\n  - commit: xyz",
            8,
            "sources[1].commit: expected [owner/repo@] and",
        ),
        (
            "sources:\n  - arxve: 1",
            8,
            "sources[1].arxve: unknown key, did you mean arxiv?",
        ),
        # priors
        (
            "priors:\n  - {gain: 1, n: 1}",
            8,
            "priors[1].source: missing: a number without",
        ),
        ("priors:\n  - {n: 1, source: s}", 8, "priors[1].gain: missing"),
        ("priors:\n  - {gain: 1, source: s}", 8, "priors[1].n: missing"),
        (
            "priors:\n  - {gain: big, n: 1, source: s}",
            8,
            "priors[1].gain: expected a number, not 'big'",
        ),
        (
            "priors:\n  - {gain: 1, n: 0, source: s}",
            8,
            "priors[1].n: expected a number above 0, not '0'",
        ),
        (
            "priors:\n  - {gain: 1, n: 1, source: s, spread: -1}",
            8,
            "priors[1].spread: expected a number above 0, not '-1'",
        ),
        (
            "priors:\n  - {gain: 1, n: 1, source: ''}",
            8,
            "priors[1].source: expected text, not ''",
        ),
        (
            "priors:\n  - {gain: 1e999, n: 1, source: s}",
            8,
            "priors[1].gain: expected a",
        ),
        # knobs
        ("knobs: {name: a}", 7, "knobs: expected a list, not a mapping"),
        ("knobs:\n  - {name: a}", 8, "knobs[1].default: missing"),
        ("knobs:\n  - {default: 1}", 8, "knobs[1].name: missing"),
        (
            "knobs:\n  - {name: A b, default: 1}",
            8,
            "knobs[1].name: expected a knob's name",
        ),
        (
            "knobs:\n  - {name: a, default: [1]}",
            8,
            "knobs[1].default: expected a number or text, not a list",
        ),
        (
            "knobs:\n  - {name: a, default: true}",
            8,
            "knobs[1].default: expected a number or text, not 'true'",
        ),
        (
            "knobs:\n  - {name: a, default: 1, values: [1, {}]}",
            8,
            "knobs[1].values[2]: expected a number or text, not a mapping",
        ),
        (
            "knobs:\n  - {name: a, default: 1}\n  - {name: a, default: 2}",
            9,
            "knobs[2].name: the knob a is given twice",
        ),
        (
            "knobs:\n  - {name: a, default: 1}\nrecipe:\n  - {set: X, to: 1}",
            10,
            "recipe: does not use the knob $a",
        ),
        # conditions
        ("detect: MLP", 7, "detect: expected a condition, not 'MLP'"),
        ("detect:\n  - MLP", 8, "detect[1]: expected a condition, not 'MLP'"),
        ("detect: {}", 7, f"detect: {KINDS}"),
        (
            "detect: {call: f}",
            7,
            "detect: unknown key, did you mean calls? known are any",
        ),
        (
            "detect: {calls: f, defines: g}",
            7,
            f"detect: {KINDS}, not defines and calls",
        ),
        (
            "detect: {calls: f(x)}",
            7,
            "detect.calls: expected a dotted name, not 'f(x)'",
        ),
        ("detect: {calls: 5}", 7, "detect.calls: expected a dotted name, not '5'"),
        (
            "detect: {defines: [a]}",
            7,
            "detect.defines: expected a dotted name, not a list",
        ),
        (
            "detect: {calls: f, equals: 1}",
            7,
            "detect.equals: unknown key, known are calls",
        ),
        (
            "detect: {constant: A B}",
            7,
            "detect.constant: expected a name or a call(key",
        ),
        (
            "detect: {constant: A, equal: 1}",
            7,
            f"detect: {KINDS}, not constant and equal",
        ),
        (
            "detect: {constant: A, equals: {}}",
            7,
            "detect.equals: expected a value or a",
        ),
        (
            "detect: {pattern: '('}",
            7,
            "detect.pattern: not a regular expression: missing",
        ),
        (f"detect: {{pattern: {'a' * 501}}}", 7, "detect.pattern: longer than 500"),
        ("detect: {pattern: ''}", 7, "detect.pattern: expected text, not ''"),
        ("requires: {equal: [A]}", 7, "requires.equal: expected two names"),
        ("requires: {differ: A}", 7, "requires.differ: expected a list, not 'A'"),
        (
            "requires: {differ: [A, 2]}",
            7,
            "requires.differ[2]: expected a name or a call",
        ),
        (
            "requires: {any: {calls: f}}",
            7,
            "requires.any: expected a list, not a mapping",
        ),
        (
            "requires: {any: [[x]]}",
            7,
            "requires.any[1][1]: expected a condition, not 'x'",
        ),
        (
            "requires: {not: {cals: f}}",
            7,
            "requires.not: unknown key, did you mean calls?",
        ),
        # recipes
        ("recipe: []", 7, "recipe: expected at least one operation"),
        ("recipe: {set: X}", 7, "recipe: expected a list, not a mapping"),
        ("recipe:\n  - set X", 8, "recipe[1]: expected an operation, not 'set X'"),
        ("recipe:\n  - {sett: X, to: 1}", 8, f"recipe[1]: {VERBS}; did you mean set?"),
        ("recipe:\n  - {set: X, delete: Y}", 8, f"recipe[1]: {VERBS}"),
        ("recipe:\n  - {}", 8, f"recipe[1]: {VERBS}"),
        (
            "recipe:\n  - {set: X}",
            8,
            "recipe[1]: expected exactly one of to, times, code",
        ),
        (
            "recipe:\n  - {set: X, to: 1, times: 2}",
            8,
            "recipe[1]: expected exactly one of to, times, code, not to and times",
        ),
        (
            "recipe:\n  - {set: X Y, to: 1}",
            8,
            "recipe[1].set: expected a name or a call",
        ),
        ("recipe:\n  - {set: X, to: {a: 1}}", 8, "recipe[1].to: expected a value or a"),
        (
            "recipe:\n  - {set: X, times: a}",
            8,
            "recipe[1].times: expected a number or $k",
        ),
        (
            "recipe:\n  - {set: X, to: 1, if: 2}",
            8,
            "recipe[1].if: unknown key, known are ",
        ),
        (
            "recipe:\n  - {set: X, code: 1 +}",
            8,
            "recipe[1].code: not an expression: 1 +",
        ),
        ("recipe:\n  - {set: X, code: $a}", 8, "recipe[1]: the knob $a has no value"),
        ("recipe:\n  - {set: X, to: $a}", 8, "recipe[1]: the knob $a has no value"),
        ("recipe:\n  - {replace: X}", 8, "recipe[1].with: missing"),
        (
            "recipe:\n  - replace: A.f\n    with: 'def g(): pass'",
            9,
            "recipe[1].with: does not define f",
        ),
        (
            "recipe:\n  - replace: f\n    with: 'def f(:'",
            9,
            "recipe[1].with: does not parse: line 1: ",
        ),
        ("recipe:\n  - {search: X}", 8, "recipe[1].replace: missing"),
        ("recipe:\n  - {search: '', replace: a}", 8, "recipe[1].search: expected text"),
        (
            "recipe:\n  - {search: a, replace: [a]}",
            8,
            "recipe[1].replace: expected text",
        ),
        (
            "recipe:\n  - {insert: a}",
            8,
            "recipe[1]: expected exactly one of after, before, at",
        ),
        (
            "recipe:\n  - {insert: a, at: top}",
            8,
            "recipe[1].at: expected one of imports, start, end, not 'top'",
        ),
        (
            "recipe:\n  - {insert: a b, at: end}",
            8,
            "recipe[1].insert: does not parse: ",
        ),
        (
            "recipe:\n  - {insert: a, after: 'f(x)'}",
            8,
            "recipe[1].after: expected a dotted name, or a call's with (), not 'f(x)'",
        ),
        (
            "recipe:\n  - {wrap: f, as: norm(x)}",
            8,
            "recipe[1].as: expected one of $call, $term, $argument in it",
        ),
        (
            "recipe:\n  - {wrap: f, as: norm($call}",
            8,
            "recipe[1].as: not an expression: norm(x",
        ),
        ("recipe:\n  - {wrap: f}", 8, "recipe[1].as: missing"),
        (
            "recipe:\n  - {parameter: 'a, b', of: f}",
            8,
            "recipe[1].parameter: not one parameter: a, b",
        ),
        ("recipe:\n  - {import: math}", 8, "recipe[1].import: not an import: math"),
        (
            "recipe:\n  - {import: import}",
            8,
            "recipe[1].import: does not parse: line 1: ",
        ),
        ("recipe:\n  - {delete: a b}", 8, "recipe[1].delete: expected a dotted name"),
        (
            "recipe:\n  - {delete: a, unless: b}",
            8,
            "recipe[1].unless: expected a condition",
        ),
        (
            "recipe:\n  - any: [{set: X}]",
            8,
            "recipe[1].any[1]: expected a list, not a map",
        ),
        (
            "recipe:\n  - any:\n      - - {set: X, too: 1}",
            9,
            "recipe[1].any[1][1].too: unknown key, did you mean to?",
        ),
        (
            "recipe:\n  - any: [[]]",
            8,
            "recipe[1].any[1]: expected at least one operation",
        ),
    ],
)
def test_a_broken_rule_names_file_line_method_and_key(text, line, problem):
    found = [
        item for item in lines(text) if item.startswith(f"p.yml:{line}: method m: ")
    ]
    assert any(item.partition("method m: ")[2].startswith(problem) for item in found)


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file():
    found = lines(
        """
        aliases: x
        priors:
          - {gain: 1, n: 1}
        recipe:
          - {set: X}
          - {search: a}
        """
    )
    assert found == [
        "p.yml:7: method m: aliases: expected a list, not 'x'",
        (
            "p.yml:9: method m: priors[1].source: missing: a number without a source is not "
            "shipped"
        ),
        "p.yml:11: method m: recipe[1]: expected exactly one of to, times, code",
        "p.yml:12: method m: recipe[2].replace: missing",
    ]


def test_a_problem_can_be_read_by_a_program():
    problem = validate(HEAD + "    helps: []\n", "p.yml")[0]
    assert (problem.file, problem.line, problem.method, problem.key) == (
        "p.yml",
        7,
        "method m",
        "helps",
    )


def test_knobs_may_stand_inside_code():
    assert (
        lines(
            """
            knobs:
              - {name: n, default: 3}
            recipe:
              - {set: X, code: f($n)}
              - insert: |
                  Y = $n
                after: X
            """
        )
        == []
    )


def test_code_that_is_indented_as_a_whole_is_accepted():
    assert (
        lines(
            """
            recipe:
              - replace: A.f
                with: |2
                      def f(self):
                          return 1
            """
        )
        == []
    )


@given(st.text(max_size=200))
def test_no_text_is_more_than_a_refused_pack(text):
    for candidate in (text, HEAD + text, HEAD + f"    helps: {text}"):
        problems = "\n".join(map(str, validate(candidate, "p.yml")))
        if problems:
            with pytest.raises(PackError) as caught:
                parse_pack(candidate, "p.yml")
            assert str(caught.value) == problems
        else:
            assert parse_pack(candidate, "p.yml").name == "p"


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "set",
                    "to",
                    "times",
                    "any",
                    "not",
                    "calls",
                    "search",
                    "replace",
                    "name",
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(
        [
            "detect",
            "requires",
            "recipe",
            "knobs",
            "priors",
            "sources",
            "aliases",
            "helps",
        ]
    ),
    JUNK,
)
def test_no_value_of_a_key_is_more_than_a_problem(key, junk):
    text = yaml.safe_dump(
        {"pack": "p", "title": "P", "methods": [{"id": "m", key: junk}]}
    )
    assert all(str(problem).startswith("p.yml:") for problem in validate(text, "p.yml"))
