"""What `organize` promises to do with lists, sections and tags, said a second time over a model."""

from datetime import date

from tests.mcp_server.model import INBOX, Done, Model, Place, Refusal


def organize(model: Model, _: date, kind: str, action: str, name: str, to: str = "") -> Done:
    """Create, rename, move, merge or delete one of them."""
    return _organize_tag(model, action, name, to) if kind == "tag" else _organize_place(model, kind, action, name, to)


def _organize_tag(model: Model, action: str, name: str, to: str) -> Done:
    if action == "create":
        if name in model.tags:
            return Done({"unchanged": 1})
        model.tags[name] = model.number()
        return Done({"created": 1})
    number = model.tag(name)
    if action == "rename":
        return _renamed(model, number, name, to)
    if action == "delete":
        del model.tags[name]
        return Done({"deleted": 1})
    other = model.tag(to)
    if other == number:
        raise Refusal("bad_argument")
    del model.tags[name]
    tagged = [ref for ref, item in model.items.items() if number in item.tags]
    for ref in tagged:
        model.items[ref].tags = model.items[ref].tags - {number} | {other}
    return Done(_with_tasks({"merged": 1}, "tasks moved", sum(model.items[ref].gone is None for ref in tagged)))


def _renamed(model: Model, number: int, name: str, to: str) -> Done:
    if to == name:
        return Done({"unchanged": 1})
    if to in model.tags:
        raise Refusal("name_taken")
    del model.tags[name]
    model.tags[to] = number
    return Done({"renamed": 1})


def _organize_place(model: Model, kind: str, action: str, name: str, to: str) -> Done:
    if action == "create":
        return _create(model, name)
    number = _own(model, name)
    place = model.places[number]
    match action:
        case "rename":
            if to == place.name:
                return Done({"unchanged": 1})
            _require_free(model, to, place.above)
            place.name = to
            return Done({"renamed": 1})
        case "move":
            above = _own(model, to)
            if above == place.above:
                return Done({"unchanged": 1})
            _require_free(model, place.name, above)
            place.above = above
            return Done({"moved": 1})
        case "merge":
            return _merge(model, number, to, is_list=kind == "list")
    return _delete(model, number, to)


def _create(model: Model, name: str) -> Done:
    above_name, slash, section = name.partition("/")
    above = _own(model, above_name) if slash else INBOX
    if model.find(section or name, above) is not None:
        return Done({"unchanged": 1})
    model.places[model.number()] = Place(section or name, above)
    return Done({"created": 1})


def _merge(model: Model, number: int, to: str, *, is_list: bool) -> Done:
    target = _target(model, number, to)
    heirs = {number: target}
    takes_sections = is_list and target != INBOX and not model.places[target].above
    for section in model.sections(number):
        same = model.find(model.places[section].name, target) if takes_sections else None
        if takes_sections and same is None:
            model.places[section].above = target
        else:
            heirs[section] = same or target
    return Done(_with_tasks({"merged": 1}, "tasks moved", _hand_over(model, heirs)))


def _delete(model: Model, number: int, to: str) -> Done:
    going = [number, *model.sections(number)]
    if to:
        moved = _hand_over(model, dict.fromkeys(going, _target(model, number, to)))
        return Done(_with_tasks({"deleted": 1}, "tasks moved", moved))
    trashed = [ref for ref in model.living() if model.items[ref].place in going]
    for ref in trashed:
        model.items[ref].gone = model.calls
    for one in going:
        model.places[one].gone = model.calls
    return Done(_with_tasks({"deleted": 1}, "tasks moved to the trash", len(trashed)))


def _hand_over(model: Model, heirs: dict[int, int]) -> int:
    moving = [ref for ref, item in model.items.items() if item.place in heirs]
    for ref in moving:
        model.items[ref].place = heirs[model.items[ref].place]
    for one in heirs:
        model.places[one].gone = model.calls
    return sum(model.items[ref].gone is None for ref in moving)


def _target(model: Model, number: int, to: str) -> int:
    target = model.place(to)
    if target == number:
        raise Refusal("bad_argument")
    if target and model.places[target].above == number:
        raise Refusal("cycle")
    return target


def _own(model: Model, path: str) -> int:
    number = model.place(path)
    if number == INBOX:
        raise Refusal("bad_name")
    return number


def _require_free(model: Model, name: str, above: int) -> None:
    if model.find(name, above) is not None:
        raise Refusal("name_taken")


def _with_tasks(counts: dict[str, int], what: str, tasks: int) -> dict[str, int]:
    return {**counts, what: tasks} if tasks else counts
