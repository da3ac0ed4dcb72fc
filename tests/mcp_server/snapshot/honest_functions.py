"""Every function and operator that people may use."""

from typing import Final

from tests.mcp_server.snapshot.honest_sql import Honest, average_by, numbers, same
from tests.mcp_server.snapshot.sql_stage import fields, mean, tally

FUNCTIONS: Final = (
    Honest(
        "like",
        "SELECT no FROM tasks WHERE title LIKE 'buy%' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.title.lower().startswith("buy")]),
    ),
    Honest(
        "like in the middle",
        "SELECT no FROM tasks WHERE title LIKE '%milk%' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if "milk" in t.title]),
    ),
    Honest(
        "like with an escape",
        r"SELECT no FROM tasks WHERE title LIKE '%100\% \_%' ESCAPE '\' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if "100% _" in t.title]),
    ),
    Honest(
        "not like",
        "SELECT count(*) FROM tasks WHERE title NOT LIKE 'buy%'",
        lambda s: [[sum(not t.title.lower().startswith("buy") for t in s.tasks)]],
    ),
    Honest(
        "glob",
        "SELECT no FROM tasks WHERE title GLOB 'Buy*' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.title.startswith("Buy")]),
    ),
    Honest(
        "glob of sets",
        "SELECT no FROM tasks WHERE title GLOB '[A-C]* [0-9]' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.title[0] in "ABC" and t.no < 10]),
    ),
    Honest(
        "letters of others",
        "SELECT no FROM tasks WHERE title LIKE '牛奶%' OR title LIKE 'Übung%' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.title[0] in "牛Ü"]),
    ),
    Honest(
        "apostrophes",
        "SELECT count(*) FROM tasks WHERE title LIKE 'Ann''s plan%'",
        lambda s: [[sum(t.title.startswith("Ann's") for t in s.tasks)]],
    ),
    Honest(
        "semicolons and dashes in text",
        "SELECT count(*) FROM tasks WHERE title LIKE '%; draft -- not%'",
        lambda s: [[sum("; draft -- not" in t.title for t in s.tasks)]],
    ),
    Honest(
        "letters counted",
        "SELECT no, length(title) FROM tasks ORDER BY no",
        lambda s: [[t.no, len(t.title)] for t in s.tasks],
    ),
    Honest("longest title", "SELECT max(length(title)) FROM tasks", lambda s: [[max(len(t.title) for t in s.tasks)]]),
    Honest(
        "first words",
        "SELECT substr(title, 1, instr(title, ' ') - 1) AS word, count(*) FROM tasks WHERE instr(title, "
        "' ') > 0 GROUP BY word ORDER BY word",
        lambda s: tally(t.title.split(" ")[0] for t in s.tasks),
    ),
    Honest(
        "upper and lower",
        "SELECT no, upper(list), lower(list) FROM tasks ORDER BY no",
        lambda s: [[t.no, t.list.upper(), t.list.lower()] for t in s.tasks],
    ),
    Honest(
        "replaced",
        "SELECT replace(title, ' ', '_') FROM tasks ORDER BY no",
        lambda s: [[t.title.replace(" ", "_")] for t in s.tasks],
    ),
    Honest(
        "joined text",
        "SELECT id || ': ' || title FROM tasks ORDER BY no",
        lambda s: [[f"{t.id}: {t.title}"] for t in s.tasks],
    ),
    Honest(
        "joined by group",
        "SELECT task, group_concat(tag, '+') FROM (SELECT task, tag FROM tags ORDER BY task, tag) GROUP "
        "BY task ORDER BY task",
        lambda s: sorted([t.id, "+".join(t.tags)] for t in s.tasks if t.tags),
    ),
    Honest(
        "notes",
        "SELECT no, notes FROM tasks WHERE notes LIKE '%' || char(10) || '%' ORDER BY no",
        lambda s: [[t.no, t.notes] for t in s.tasks if "\n" in t.notes],
    ),
    Honest(
        "with notes",
        "SELECT count(*) FROM tasks WHERE coalesce(notes, '') <> ''",
        lambda s: [[sum(bool(t.notes) for t in s.tasks)]],
    ),
    Honest(
        "comments by text",
        "SELECT body FROM comments WHERE body LIKE 'Comment 0%' ORDER BY body",
        lambda s: sorted([c] for t in s.tasks for c in t.comments if c.startswith("Comment 0")),
    ),
    Honest(
        "field as text",
        "SELECT fields ->> '$.Client' AS client, count(*) FROM tasks GROUP BY client ORDER BY client",
        lambda s: tally(t.client for t in s.tasks),
    ),
    Honest(
        "field by its bare name",
        "SELECT fields ->> 'Client', count(*) FROM tasks WHERE fields ->> 'Client' IS NOT NULL GROUP BY 1 ORDER BY 1",
        lambda s: tally(t.client for t in s.tasks if t.client),
    ),
    Honest(
        "field as a number",
        "SELECT sum(json_extract(fields, '$.\"Effort\"')) FROM tasks",
        lambda s: [[sum(t.effort or 0 for t in s.tasks)]],
    ),
    Honest(
        "field in a filter",
        "SELECT no FROM tasks WHERE fields ->> '$.Effort' > 2 ORDER BY no",
        lambda s: numbers([t for t in s.tasks if (t.effort or 0) > 2]),
    ),
    Honest(
        "average of a field",
        "SELECT priority, avg(fields ->> 'Effort') FROM tasks GROUP BY priority ORDER BY 1",
        lambda s: average_by(s.tasks, lambda t: t.priority, lambda t: t.effort),
    ),
    Honest(
        "fields by name",
        "SELECT j.key, count(*) FROM tasks t, json_each(t.fields) j GROUP BY j.key ORDER BY 1",
        lambda s: [
            ["Client", sum(t.client is not None for t in s.tasks)],
            ["Effort", sum(t.effort is not None for t in s.tasks)],
        ],
    ),
    Honest(
        "without fields",
        "SELECT no FROM tasks WHERE fields IS NULL ORDER BY no",
        lambda s: numbers([t for t in s.tasks if fields(t) is None]),
    ),
    Honest(
        "tree of json",
        "SELECT count(*) FROM tasks t, json_tree(t.fields) j WHERE j.type = 'text'",
        lambda s: [[sum(t.client is not None for t in s.tasks)]],
    ),
    Honest(
        "rows as json",
        "SELECT json_group_array(no) FROM (SELECT no FROM tasks WHERE priority = 1 ORDER BY no)",
        lambda s: [[f"[{','.join(str(t.no) for t in s.tasks if t.priority == 1)}]"]],
    ),
    Honest(
        "greatest and least",
        "SELECT no, max(priority, 2), min(priority, 3) FROM tasks ORDER BY no",
        lambda s: [[t.no, max(t.priority, 2), min(t.priority, 3)] for t in s.tasks],
    ),
    Honest(
        "choices",
        "SELECT no, iif(status = 'open', 'o', '-'), coalesce(section, list), nullif(list, 'Inbox'), "
        "ifnull(due, '?') FROM tasks ORDER BY no",
        lambda s: [
            [t.no, "o" if t.is_open else "-", t.section or t.list, t.list if t.list != "Inbox" else None, t.due or "?"]
            for t in s.tasks
        ],
    ),
    Honest(
        "averages",
        "SELECT round(avg(days_open), 3), min(days_open), max(days_open), sum(days_open), total(days_open) FROM tasks",
        lambda s: [
            [round(mean(a) or 0, 3), min(a), max(a), sum(a), float(sum(a))] for a in [[t.days_open for t in s.tasks]]
        ],
    ),
    Honest(
        "variance by hand",
        "SELECT sqrt(avg(days_open * days_open) - avg(days_open) * avg(days_open)) FROM tasks",
        lambda s: [
            [((mean([a * a for a in d]) or 0) - (mean(d) or 0) ** 2) ** 0.5] for d in [[t.days_open for t in s.tasks]]
        ],
    ),
    Honest(
        "a task as json",
        "SELECT json_object('no', no, 'list', list) FROM tasks WHERE no = 1",
        lambda s: [[f'{{"no":1,"list":"{s.tasks[0].list}"}}']],
    ),
    same("rounded", "SELECT round(2.567, 2)", [2.57]),
    same("whole division", "SELECT 7 / 2", [3]),
    same("arithmetic", "SELECT 7 / 2.0, 7 % 3, -7 / 2, 1 + 2 * 3, (1 + 2) * 3", [3.5, 1, -3, 7, 9]),
    same("bits", "SELECT 6 & 3, 6 | 3, 1 << 4, 256 >> 2, ~0", [2, 7, 16, 64, -1]),
    same("powers", "SELECT power(2, 10), sqrt(81), mod(17, 5), sign(-3), abs(-4)", [1024.0, 9.0, 2.0, -1, 4]),
    same(
        "rounding", "SELECT ceil(1.2), ceiling(1.2), floor(-1.2), trunc(1.9), round(-2.5)", [2.0, 2.0, -2.0, 1.0, -3.0]
    ),
    same(
        "comparisons",
        "SELECT 1 = 1, 1 <> 2, 1 != 1, 2 >= 3, 1 == 1, NULL = NULL, NULL IS NULL",
        [1, 1, 0, 0, 1, None, 1],
    ),
    same(
        "logic",
        "SELECT 1 AND 0, 1 OR 0, NOT 1, NULL AND 0, NULL OR 1, TRUE, FALSE, 1 IS TRUE",
        [0, 1, 0, 0, 1, 1, 0, 1],
    ),
    same("nothing divided", "SELECT 1 / 0, 1 % 0, 1 / 0.0", [None, None, None]),
    same(
        "casts",
        "SELECT CAST('12' AS INTEGER), CAST(3.9 AS INTEGER), CAST(5 AS TEXT), CAST('2.5' AS REAL)",
        [12, 3, "5", 2.5],
    ),
    same(
        "types",
        "SELECT typeof(1), typeof(1.5), typeof('a'), typeof(NULL), typeof(x'00')",
        ["integer", "real", "text", "null", "blob"],
    ),
    same(
        "trimmed", "SELECT trim('  a '), ltrim('xxa', 'x'), rtrim('a..', '.'), trim('-a-', '-')", ["a", "a", "a", "a"]
    ),
    same(
        "parts",
        "SELECT substr('abcdef', 2, 3), substr('abcdef', -2), substring('abc', 2), instr('abc', 'c')",
        ["bcd", "ef", "bc", 3],
    ),
    same(
        "letters",
        "SELECT char(65, 8364, 128690), unicode('€'), quote('it''s'), quote(NULL)",
        ["A€🚲", 8364, "'it''s'", "NULL"],
    ),
    same(
        "formats",
        "SELECT printf('%05.1f|%5s|%-5s|%03d', 3.14159, 'ab', 'cd', 7), format('%d%%', 50)",
        ["003.1|   ab|cd   |007", "50%"],
    ),
    same("thousands", "SELECT printf('%,d', 1234567)", ["1,234,567"]),
    same(
        "days",
        "SELECT date('2024-02-28', '+1 day'), date('2024-02-28', '+2 days'), date('2023-02-28', '+1 day')",
        ["2024-02-29", "2024-03-01", "2023-03-01"],
    ),
    same(
        "months",
        "SELECT date('2026-11-20', 'start of month'), date('2026-11-20', 'start of month', '+1 month', "
        "'-1 day'), date('2026-11-20', '+1 year')",
        ["2026-11-01", "2026-11-30", "2027-11-20"],
    ),
    same(
        "weekdays",
        "SELECT date('2026-11-20', 'weekday 1'), strftime('%w', '2026-11-20'), strftime('%j', '2026-11-20')",
        ["2026-11-23", "5", "324"],
    ),
    same(
        "parts of days",
        "SELECT strftime('%Y-%m', '2026-11-20'), strftime('%H:%M', '2026-11-20 09:41'), "
        "strftime('%d.%m.%Y', '2026-11-20')",
        ["2026-11", "09:41", "20.11.2026"],
    ),
    same(
        "times",
        "SELECT time('09:41', '+30 minutes'), datetime('2026-11-20 23:30', '+1 hour'), unixepoch('1970-01-02')",
        ["10:11:00", "2026-11-21 00:30:00", 86400],
    ),
    same(
        "hours between", "SELECT round((julianday('2026-11-20 12:00') - julianday('2026-11-20 09:30')) * 24, 2)", [2.5]
    ),
    same("bad days", "SELECT date('tomorrow'), date('2026-13-01'), julianday('x')", [None, None, None]),
    same(
        "json read",
        """SELECT json_extract('{"a":[1,{"b":3}]}', '$.a[1].b'), '{"a":"x"}' ->> 'a', '{"a":"x"}' -> 'a',
        json_array_length('[1,2,3]')""",
        [3, "x", '"x"', 3],
    ),
    same(
        "json made",
        "SELECT json_object('a', 1, 'b', NULL), json_array(1, 'x', NULL), json_type('{}'), json_valid('{')",
        ['{"a":1,"b":null}', '[1,"x",null]', "object", 0],
    ),
    same("json rows", """SELECT key, value FROM json_each('{"a":1,"b":[2]}')""", ["a", 1], ["b", "[2]"]),
    same(
        "json objects of many",
        "SELECT json_group_object(k, v) FROM (SELECT 'a' AS k, 1 AS v UNION ALL SELECT 'b', 2)",
        ['{"a":1,"b":2}'],
    ),
    same(
        "text in text",
        "SELECT 'SELECT 1; DROP TABLE tasks', 'now', '--', '/*'",
        ["SELECT 1; DROP TABLE tasks", "now", "--", "/*"],
    ),
    same("strings in double quotes", 'SELECT "no such column, so a text"', ["no such column, so a text"]),
    same(
        "great numbers",
        "SELECT 9223372036854775807, -9223372036854775808, 1e15, 0x10",
        [9223372036854775807, -9223372036854775808, 1e15, 16],
    ),
    same("numbers that are none", "SELECT 9e999, -9e999, sqrt(-1)", [None, None, None]),
    same("control characters", "SELECT 'a' || char(9) || 'b' || char(10) || 'c'", ["a\tb\nc"]),
)
