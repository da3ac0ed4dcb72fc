"""How filters are read: every form and its canonical text, every refusal with its place, and the way back."""

import random
import re
from typing import Final

import pytest

from mcp_server.tasks.filtering.grammar import LENGTH_LIMIT, parse, show
from mcp_server.tasks.filtering.tree import CHOICES, DATE_KEYS, And, Not, Or, Term, Tree, Value, Word, leaves
from shared.errors import Problem

# A filter and how it is understood.
CANONICAL: Final = {
    "": "",
    " \t\n ": "",
    "milk": "milk",
    "  milk   eggs ": "milk eggs",
    "list:Work tag:home -tag:x p1": "list:Work tag:home -tag:x p1",
    "list:Work Home": "list:Work Home",
    'list:"Big Project"': 'list:"Big Project"',
    'list:"Big Project"/Design': 'list:"Big Project/Design"',
    'list:Big" "Project': 'list:"Big Project"',
    "list:Work,Home": "list:Work,Home",
    "list:Work, Home": "list:Work,Home",
    "list:Work,Work": "list:Work",
    "list:R&D": 'list:"R&D"',
    "tag:ho*,none": "tag:ho*,none",
    'tag:"on call"*': 'tag:"on call"*',
    'tag:"star*"': 'tag:"star*"',
    "p1": "p1",
    "P1,p2,3": "p1,p2,p3",
    "p1, p2": "p1,p2",
    "p:1,2": "p1,p2",
    "p:p3": "p3",
    "p5": "p5",
    "due:<=fri OR (p1 -is:blocked)": "due:<=fri OR p1 -is:blocked",
    "(due:<=fri OR p1) -is:blocked": "(due:<=fri OR p1) -is:blocked",
    "-(tag:a OR tag:b)": "-(tag:a OR tag:b)",
    "-(tag:a tag:b)": "-(tag:a tag:b)",
    "--p1": "--p1",
    "NOT p1": "-p1",
    "NOT(p1 OR p2)": "-(p1 OR p2)",
    "a AND b & c": "a b c",
    "a | b OR c": "a OR b OR c",
    "(a (b c)) d": "a b c d",
    "a OR (b OR c)": "a OR b OR c",
    "((a))": "a",
    "changed:today by:me": "changed:today by:me",
    "due: today": "due:today",
    "DUE:Today IS:Open": "due:today is:open",
    "due:<= fri": "due:<=fri",
    'due:"<= next fri"': 'due:<="next fri"',
    "due:2026-12-01..2026-12-31": "due:2026-12-01..2026-12-31",
    'due:"mon .. last fri"': 'due:"mon..last fri"',
    "due:..fri deadline:mon..": "due:..fri deadline:mon..",
    'done:"last  7 days"': 'done:"last 7 days"',
    "created:2026-W47": "created:2026-w47",
    "due:overdue,today,none": "due:overdue,today,none",
    "due:overdue|today|<=fri": "due:overdue,today,<=fri",
    "is:open|done": "is:open,done",
    "due:today|p1": "due:today OR p1",
    "due:today|-is:blocked": "due:today OR -is:blocked",
    "due:today|list:Work": "due:today OR list:Work",
    "due:today | milk": "due:today OR milk",
    "p1|p2": "p1 OR p2",
    "under:T12": "under:T12",
    "under:ann:T12": 'under:"ann:T12"',
    "with:ann view:Name has:notes,comments": "with:ann view:Name has:notes,comments",
    "field:Effort=3": "field:Effort=3",
    'field:"Story Points">=3,5': 'field:"Story Points">=3,5',
    "field:Effort>= 3": "field:Effort>=3",
    "field:Effort=1..3": "field:Effort=1..3",
    'field:Note="1..3"': 'field:Note="1..3"',
    "field:Client=any": "field:Client=any",
    '"a phrase" prefix* "call mum"*': '"a phrase" prefix* "call mum"*',
    '"call*"': '"call*"',
    "call**": "call*",
    "\u201ccurly quotes\u201d \u201elow\u201c": '"curly quotes" low',
    "co-op": "co-op",
    "10:30": '"10:30"',
    "http://x/y": '"http://x/y"',
    "note: note:foo": '"note:" "note:foo"',
    "AT&T": '"AT&T"',
    "don't": "don't",
    "купить 牛奶": "купить 牛奶",
    "milk(eggs)": "milk eggs",
    # Repeating what a task has one of means any of it; comparisons narrow down, and so do things it has several of.
    "p1 p2": "p1,p2",
    "p1 milk p2": "p1,p2 milk",
    "list:Work list:Home": "list:Work,Home",
    "due:today due:tomorrow": "due:today,tomorrow",
    "due:>=mon due:<=fri": "due:>=mon due:<=fri",
    "due:any due:today": "due:any due:today",
    "done:today done:yesterday": "done:today done:yesterday",
    "is:open is:done": "is:open,done",
    "is:open is:blocked": "is:open is:blocked",
    "is:trash is:done": "is:trash is:done",
    "tag:a tag:b": "tag:a tag:b",
    "with:ann with:me": "with:ann,me",
    "with:any with:me": "with:any with:me",
    "field:Client=a field:client=b field:Effort=3": "field:Client=a,b field:Effort=3",
    "-p1 -p2": "-p1 -p2",
    # Small operators are words, except between predicates.
    "milk or eggs": 'milk "or" eggs',
    "milk and p1": 'milk "and" p1',
    "p1 or milk": 'p1 "or" milk',
    "p1 or tag:x": "p1 OR tag:x",
    "p1 Or tag:x": "p1 OR tag:x",
    "p1 and not tag:x": "p1 -tag:x",
    "p1 or -tag:x": "p1 OR -tag:x",
    "not tag:x": "-tag:x",
    "p1 not tag:x": "p1 -tag:x",
    "milk not tag:x": 'milk "not" tag:x',
    "do not forget": 'do "not" forget',
    "(milk) or (eggs)": "milk OR eggs",
    'p1 "or" p2': 'p1,p2 "or"',
    '"OR"': '"OR"',
}

# A filter, where its fault stands, and a word of the remedy.
REFUSED: Final = {
    '"': (1, '"'),
    'milk "eggs': (6, '"'),
    'list:"Work': (6, '"'),
    "a OR": (3, "after it"),
    "a AND": (3, "after it"),
    "a NOT": (3, "after it"),
    "OR a": (1, "leave it out"),
    "a OR OR b": (6, "leave it out"),
    "a AND OR b": (7, "leave it out"),
    "a )": (3, "leave it out"),
    "(a": (1, "close it"),
    "a (b OR (c)": (3, "close it"),
    "()": (2, "leave it out"),
    "(": (1, "after it"),
    "-": (1, "quotes"),
    "milk - eggs": (6, "quotes"),
    "- tag:x": (1, "directly before"),
    "-)": (2, "leave it out"),
    "*": (1, "leave it out"),
    "milk *": (6, "leave it out"),
    '""': (1, "leave it out"),
    '"\u0301"': (1, "leave it out"),
    "lst:Work": (1, "list:"),
    "milk lst:Work": (6, "list:"),
    "dued:today": (1, "due:"),
    "tags:home": (1, "tag:"),
    "project:Work": (1, "list:"),
    "status:done": (1, "is:"),
    "priority:1": (1, "p:"),
    "list:": (1, "list:Name"),
    "list: p1": (1, "list:Name"),
    "list:Work,": (1, "list:Name"),
    "list:Work, tag:x": (1, "list:Name"),
    'list:""': (1, "list:Name"),
    "tag:*": (1, "tag:Name"),
    "due:": (1, "due:<=fri"),
    "p1 due:<": (4, "due:<=fri"),
    "due:(today)": (1, "due:<=fri"),
    "due:..": (1, "due:a..b"),
    "due:a..b..c": (1, "due:a..b"),
    "due:<mon..fri": (1, "due:a..b"),
    "due:dec 1": (1, 'due:"dec 1"'),
    "due:fri 5pm": (1, "quotes"),
    "due:mon .. fri": (1, "quotes"),
    "due:15th of december": (1, "quotes"),
    "due:next week": (1, 'due:"last 7 days"'),
    "due:last 7 days": (1, 'due:"last 7 days"'),
    "milk done:7 days": (6, 'done:"last 7 days"'),
    "due:mon..next": (1, 'due:"last 7 days"'),
    "is:don": (1, "is:done"),
    "is:overdue": (1, "one of open, done"),
    "has:note": (1, "has:notes"),
    "p:5": (1, "1, 2, 3, 4"),
    "p1 p:": (4, "p1"),
    "field:Effort": (1, "field:Effort>=3"),
    "field:": (1, "field:Effort>=3"),
    "field:=3": (1, "field:Effort>=3"),
    'field:" "=3': (1, "field:Effort>=3"),
    "field:Effort==3": (1, "field:Effort>=3"),
    "field:Effort=": (1, "field:Effort>=3"),
    "a\0b": (2, "remove it"),
    "ab\ud800": (3, "remove it"),
    "(((((((((a)))))))))": (9, "at most 8"),
    "-" * 9 + "a": (9, "at most 8"),
    "-" * 900 + "a": (9, "at most 8"),
    " ".join("a" * 41): (81, "at most 40"),
    "a" * 1_001: (1_001, "at most 1,000"),
}


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.items())
def test_a_filter_is_understood_as_its_canonical_text(text: str, canonical: str) -> None:
    assert show(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(("text", "fault"), REFUSED.items())
def test_a_filter_that_is_not_understood_is_refused_with_its_place(text: str, fault: tuple[int, str]) -> None:
    position, remedy = fault
    with pytest.raises(Problem) as refused:
        parse(text)
    assert refused.value.code == "bad_filter"
    assert refused.value.message.endswith(f" at {position}")
    assert remedy in refused.value.hint
    assert len(str(refused.value)) < 200


def test_what_is_at_the_limit_is_accepted() -> None:
    assert parse("((((((((a))))))))") == Word("a")
    assert parse(" ".join("a" * 40)) == And((Word("a"),) * 40)
    assert parse("a" * LENGTH_LIMIT) == Word("a" * LENGTH_LIMIT)


def test_a_tree_says_what_belongs_together_and_where_each_term_stands() -> None:
    tree = parse('due:<=fri OR (p1,p2 -is:blocked) milk* field:"Story Points"=1..3')
    assert tree == Or(
        (
            Term("due", (Value("fri", "<="),)),
            And(
                (
                    Term("p", (Value("1"), Value("2"))),
                    Not(Term("is", (Value("blocked"),))),
                    Word("milk", prefix=True),
                    Term("field", (Value("1", "..", "3"),), "Story Points"),
                )
            ),
        )
    )
    assert [leaf.position for leaf in leaves(tree)] == [1, 15, 22, 34, 40]


def test_every_tree_survives_its_text() -> None:
    for seed in range(1_000):
        tree = Trees(random.Random(seed)).any(3)
        assert parse(show(tree)) == tree, (seed, show(tree))


def test_any_characters_give_a_tree_or_a_refusal() -> None:
    dice = random.Random(7)
    pieces = [
        *'"()|&-*:,.<>=/ \t\n\0',
        "OR",
        "and",
        " not ",
        "..",
        "due:",
        "list:",
        "p1",
        "field:x",
        "is:",
        "tag:",
        "\u201c",
    ]
    trees = 0
    for _ in range(4_000):
        parts = [
            dice.choice(pieces)
            if dice.random() < 0.5
            else chr(dice.choice((dice.randrange(32, 127), dice.randrange(0x11000))))
            for _ in range(200)
        ]
        text = "".join(parts)[: dice.randrange(201)]
        try:
            tree = parse(text)
        except Problem as problem:
            assert problem.code == "bad_filter"
            assert re.search(r" at \d+$", problem.message), problem.message
        else:
            trees += 1
            assert parse(show(tree)) == tree, text
    assert trees > 100


class Trees:
    """Draws trees as `parse` makes them: nothing directly within its own kind, and nothing that would be merged."""

    LETTERS: Final = "abcXYZ019 ()|&-*:,.<>=/'@#_ñ日\u0301"

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.left = 30

    def any(self, depth: int) -> Tree:
        kind = self.dice.choice(("and", "or", "not", "leaf")) if depth else "leaf"
        if kind == "leaf" or self.left < 10:
            return self.leaf()
        if kind == "not":
            return Not(self.any(depth - 1))
        parts: list[Tree] = []
        for _ in range(self.dice.randrange(2, 5)):
            part = self.any(depth - 1)
            inside_itself = isinstance(part, And if kind == "and" else Or)
            parts.append(self.word() if inside_itself or (isinstance(part, Term) and kind == "and") else part)
        if kind == "and":
            # One term at most: a second one of the same key would become a part of it.
            parts[0] = self.term()
        return And(tuple(parts)) if kind == "and" else Or(tuple(parts))

    def leaf(self) -> Tree:
        return self.dice.choice((self.word, self.term))()

    def word(self) -> Tree:
        self.left -= 1
        common = ("or", "AND", "not", "of", "p1", "10", "milk", "call mum")
        text = self.dice.choice(common) if self.dice.random() < 0.3 else self.text()
        return Word(text, prefix=self.dice.random() < 0.3)

    def term(self) -> Tree:
        self.left -= 1
        key = self.dice.choice((*CHOICES, *DATE_KEYS, "list", "tag", "under", "with", "by", "view", "field"))
        values = {self.value(key): None for _ in range(self.dice.randrange(1, 4))}
        return Term(key, tuple(values), self.text() if key == "field" else "")

    def value(self, key: str) -> Value:
        if key in CHOICES:
            return Value(self.dice.choice(CHOICES[key]))
        if key in DATE_KEYS:
            words = ("today", "mon", "2026-12-01", "next week", "last 7 days", "01.12.2026", "dec 1, 2026")
            first, last = self.dice.choice(words), self.dice.choice(words)
            kinds = (Value(first), Value(first, self.dice.choice(("<", "<=", ">", ">="))), Value(first, "..", last))
            return self.dice.choice((*kinds, Value(first, ".."), Value("", "..", last)))
        if key == "field":
            sign = self.dice.choice(("", "", "<", ">=", ".."))
            return Value("1", "..", self.dice.choice(("", "3"))) if sign == ".." else Value(self.text(), sign)
        if key == "tag" and self.dice.random() < 0.3:
            return Value("home", "*")
        return Value(self.text())

    def text(self) -> str:
        """A text as it is after reading: one space between words, and something that a search could find."""
        drawn = "".join(self.dice.choice(self.LETTERS) for _ in range(self.dice.randrange(1, 9)))
        return " ".join(drawn.strip("\u0301 ").split()) or "x"
