"""The card that asks before something happens, and the card of the answer."""

from datetime import UTC, datetime
from typing import Final

import pytest

from gateway.widgets import AskedCall, Card, Verdict, confirm_card, offered, verdict_card
from tests.gateway.widgets.looking import actions, of_type, press, say, sent, stored, well_made, words_in

AT: Final = datetime(2026, 11, 21, 10, 40, tzinfo=UTC)
DELETE: Final = AskedCall("Delete tasks", {"filter": "list:Work", "refs": ["T1", "T2"]}, "12 deleted\nT1 | Buy milk")
SHARE: Final = AskedCall("Share a list", {"list": "Work", "who": "bob"}, "")
VERDICTS: Final[tuple[Verdict, ...]] = ("approved", "rejected", "superseded", "expired", "failed")


def asked(*calls: AskedCall) -> Card:
    """The card that asks for these."""
    card = confirm_card("apr_1", calls, AT, say)
    well_made(card)
    return card


def test_the_question_says_what_would_happen_and_until_when_it_stands() -> None:
    card = asked(DELETE, SHARE)
    said = {
        "Delete tasks",
        "filter: list:Work",
        "refs: T1, T2",
        "12 deleted",
        "T1 | Buy milk",
        "Share a list",
        "who: bob",
    }

    assert said <= set(words_in(card))
    assert "The question stands until 2026-11-21 10:40 UTC." in words_in(card)
    assert "nothing has been done" in card.copy_text
    assert "12 deleted" in card.copy_text
    assert card.source is None


def test_nobody_is_asked_to_agree_to_what_is_not_shown() -> None:
    letter = "a long sentence, " * 40 + "and its end"
    call = AskedCall("Send a letter", {"text": letter, "to": [{"name": "bob", "copies": [{"name": "eve"}]}]}, "")
    shown = " ".join(words_in(asked(call)))
    assert "and its end" in shown
    assert "eve" in shown
    endless = asked(AskedCall("Send", {"text": "\n".join(map(str, range(500)))}, ""))
    assert "There is more of this." in words_in(endless)


def test_the_button_for_yes_names_what_it_does_and_is_not_the_first() -> None:
    assert [one["label"] for one in of_type(asked(DELETE), "Button")] == ["Reject", "Approve: Delete tasks"]
    assert [one["label"] for one in of_type(asked(DELETE, SHARE), "Button")] == ["Reject", "Approve all 2"]
    for button in of_type(asked(DELETE), "Button"):
        assert "submit" not in button
        assert button.get("style") != "primary"


def test_both_answers_are_offered_and_an_answer_to_another_question_is_not() -> None:
    card = asked(DELETE)
    yes, no = press(card, "Approve: Delete tasks")[0], press(card, "Reject")[0]
    other = {**yes, "payload": {"id": "apr_2", "answer": "approve"}}

    for config in (yes, no):
        offer = offered(stored(card), sent(config))
        assert offer is not None
        assert (offer.type, offer.payload, offer.call) == ("approval", config["payload"], None)
        assert config["streaming"] is True
    assert yes["payload"] == {"id": "apr_1", "answer": "approve"}
    assert no["payload"] == {"id": "apr_1", "answer": "reject"}
    assert offered(stored(card), sent(other)) is None


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_cannot_be_pressed(verdict: Verdict) -> None:
    card = verdict_card([DELETE], verdict, AT, say)
    well_made(card)

    assert not actions(card)
    assert "Delete tasks" in words_in(card)
    assert card.copy_text.splitlines()[0] == words_in(card)[1]
    for config in actions(asked(DELETE)):
        assert offered(stored(card), sent(config)) is None


def test_every_verdict_has_words_of_its_own() -> None:
    assert len({words_in(verdict_card([DELETE], verdict, AT, say))[1] for verdict in VERDICTS}) == len(VERDICTS)


def test_many_long_calls_stay_within_the_limits_and_say_what_is_hidden() -> None:
    words = "👾 long " * 3_000
    call = AskedCall(words, {f"argument {n}": words for n in range(50)}, f"{words}\n" * 50)
    card = asked(*[call] * 40)

    [hidden] = [one for one in words_in(card) if one.startswith("and ")]
    assert int(hidden.split()[1]) >= 30
    assert press(card, "Approve all 40")
    assert "There is more of this." in words_in(card)
