"""Places in an order that people arrange by hand: texts whose byte order is that order, with room between any two.

A place is eight digits to base 36, a whole number, and then a fraction that never ends in `0`. New things go to the
place of their own number, so they come in the order of their creation without anybody looking for the last place.
"""

from typing import Final

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE: Final = len(DIGITS)
_WHOLE: Final = 8
_MIDDLE: Final = DIGITS[_BASE // 2]
# Other fractions than a new thing has, so that none gets the place of something that was moved.
_MOVED_UP: Final = "r"
_MOVED_DOWN: Final = "9"
_ZERO: Final = _BASE**_WHOLE // 2  # half of the numbers are for what is moved above the first


def place_of(no: int) -> str:
    """The place of a thing that was never moved."""
    return _whole(_ZERO + no) + _MIDDLE


def before(place: str) -> str:
    """A place above this one, however often that is asked."""
    return _whole(int(place[:_WHOLE], _BASE) - 1) + _MOVED_UP


def after(place: str) -> str:
    """A place below this one, and above what is made later."""
    return _whole(int(place[:_WHOLE], _BASE) + 1) + _MOVED_DOWN


def between(upper: str, lower: str) -> str:
    """A place between two, with the shortest fraction that fits; after both if they are equal."""
    place = ""
    while True:
        index = len(place)
        low = DIGITS.index(upper[index]) if index < len(upper) else 0
        high = DIGITS.index(lower[index]) if index < len(lower) else _BASE
        if high - low > 1 and index >= _WHOLE:
            return place + DIGITS[(low + high) // 2]
        place += DIGITS[low]
        if low != high:
            lower = ""  # from here on everything is below `lower`


def _whole(number: int) -> str:
    if not 0 <= number < _BASE**_WHOLE:
        raise OverflowError("no place is left at this end of the order")
    digits = ""
    for _ in range(_WHOLE):
        number, digit = divmod(number, _BASE)
        digits = DIGITS[digit] + digits
    return digits
