"""What people write for other databases, and what is written here instead: functions and turns of phrase.

Whatever stands between backticks runs as it is: a whole statement, or an expression or clause over tasks.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from mcp_server.snapshot.teaching.words import Kind, Token

_TODAY: Final = "`(SELECT today FROM me)`"
_DAYS_AGO: Final = "`date((SELECT today FROM me), '-7 days')`"
_MEDIAN: Final = (
    "`SELECT avg(days_open) FROM (SELECT days_open, row_number() OVER (ORDER BY days_open) AS r, count(*) OVER () AS n"
    " FROM tasks) WHERE r IN ((n + 1) / 2, (n + 2) / 2)`"
)
_FIRST_EACH: Final = (
    "`SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY list ORDER BY due) AS r FROM tasks) WHERE r = 1`"
)
_TOTALS: Final = "`SELECT list, count(*) FROM tasks GROUP BY list UNION ALL SELECT 'all', count(*) FROM tasks`"
_PATTERN: Final = "`title LIKE '%word%'` or `title GLOB '[A-Z]*'`"
_PARTS: Final = "use done_week, done_month, due_weekday or done_hour; else `strftime('%d.%m.%Y', due)`"
_FIELD: Final = "`fields ->> '$.\"Effort\"'`"
_ONE_OF: Final = "`id IN ('T1', 'T2')`"
_NUMBER: Final = "`CAST(no AS INTEGER)`"
_JOINED: Final = "`group_concat(title, ', ')`"
_PER_TASK: Final = "a subquery: `(SELECT count(*) FROM tags WHERE task = tasks.id)`"
_TAGGED: Final = "`EXISTS (SELECT 1 FROM tags WHERE task = tasks.id AND tag = 'home')`"
_SUBSTRING: Final = "`substr(title, 1, 10)`"
_LIMITED: Final = "`ORDER BY due LIMIT 5`"
_WITHOUT: Final = "leave it out; nothing here is like it."

# What to write instead, and the functions it is for.
_INSTEAD: Final = (
    (
        "`(SELECT now FROM me)`",
        "now getdate getutcdate sysdate sysdatetime localtimestamp clock_timestamp utc_timestamp",
    ),
    ("`(SELECT now FROM me)`", "statement_timestamp transaction_timestamp"),
    (_TODAY, "today curdate utc_date current_date"),
    ("`substr((SELECT now FROM me), 12)`", "curtime localtime utc_time current_time"),
    (
        "days_open, days_late or `julianday(done) - julianday(created)`",
        "datediff date_diff timestampdiff days_between age timediff",
    ),
    (_DAYS_AGO, "date_add dateadd adddate date_sub datesub subdate timestampadd add_months interval make_interval"),
    ("use done_week or done_month.", "date_trunc datetrunc date_bin time_bucket"),
    (_PARTS, "to_char date_format format_date formatdatetime extract date_part datepart datename"),
    ("`substr(due, 1, 4)`", "year"),
    ("use due_month or done_month; else `substr(created, 1, 7)`", "month monthname"),
    ("use done_week, due_week or created_week.", "week weekofyear yearweek isoweek weeknum"),
    ("`substr(due, 9, 2)`", "day dayofmonth"),
    ("use done_hour; else `substr(created, 12, 2)`", "hour"),
    ("`substr(created, 15, 2)`", "minute second"),
    ("use due_weekday or done_weekday; as a number `strftime('%w', due)`", "dayname dayofweek weekday isodow dow"),
    ("`strftime('%j', due)`", "dayofyear"),
    ("`(substr(due, 6, 2) + 2) / 3`", "quarter"),
    ("`date(due, 'start of month', '+1 month', '-1 day')`", "last_day eomonth"),
    (
        "days are text already: `date(created)`",
        "to_date str_to_date to_timestamp parse_date strptime todate date_parse",
    ),
    ("`printf('%04d-%02d-%02d', 2026, 11, 20)`", "make_date makedate datefromparts"),
    ("`strftime('%s', created)`", "unix_timestamp to_unixtime unixepoch epoch"),
    ("`datetime(1795168800, 'unixepoch')`", "from_unixtime to_datetime"),
    ("`title || ' ' || coalesce(list, '')`", "concat concat_ws"),
    (_JOINED, "string_agg listagg array_to_string wm_concat"),
    ("`json_group_array(title)`", "array_agg json_agg jsonb_agg json_arrayagg collect_list list"),
    ("`json_group_object(id, title)`", "json_object_agg jsonb_object_agg json_objectagg"),
    ("`json_object('id', id, 'title', title)`", "json_build_object jsonb_build_object row_to_json to_json to_jsonb"),
    (_FIELD, "json_value json_query json_unquote json_extract_path_text jsonb_extract_path_text json_extract_string"),
    (_FIELD, "json jsonb jsonb_extract json_pretty json_set json_patch json_insert json_replace json_remove"),
    (
        "`SELECT t.id, f.key, f.value FROM tasks t, json_each(t.fields) f`",
        "json_array_elements jsonb_array_elements jsonb_each json_table json_keys jsonb_object_keys openjson",
    ),
    ("tags has a row for each: " + _TAGGED, "unnest array_contains list_contains find_in_set string_to_array"),
    ("`max(overdue)`", "bool_or logical_or bit_or some"),
    ("`min(overdue)`", "bool_and logical_and bit_and every"),
    (_ONE_OF, "any all array"),
    ("`min(title)`", "any_value arbitrary first last"),
    ("`SELECT title, max(days_open) FROM tasks`", "max_by min_by arg_max arg_min argmax argmin"),
    ("`SELECT list FROM tasks GROUP BY list ORDER BY count(*) DESC LIMIT 1`", "mode"),
    ("`count(*) FILTER (WHERE overdue = 1)`", "countif count_if sumif sum_if"),
    ("`count(DISTINCT list)`", "approx_count_distinct approx_distinct"),
    (_PATTERN, "regexp regexp_like regexp_matches regexp_match regexp_replace regexp_substr regexp_count match"),
    ("`title LIKE 'word%'`", "starts_with startswith ends_with endswith contains"),
    ("`substr(title, 1, instr(title, ' ') - 1)`", "split_part substring_index split str_split string_split"),
    (_SUBSTRING, "left mid substring substrb"),
    ("`substr(title, -10)`", "right"),
    ("`printf('%10s', title)`", "lpad"),
    ("`printf('%-10s', title)`", "rpad"),
    ("`upper(substr(title, 1, 1)) || substr(title, 2)`", "initcap"),
    ("`upper(title)`", "ucase"),
    ("`lower(title)`", "lcase"),
    ("`trim(title)`", "btrim"),
    ("`replace(title, 'a', 'b')`", "translate overlay"),
    ("`replace(printf('%5s', ''), ' ', 'x')`", "repeat replicate space"),
    ("`length(title)`", "len char_length character_length octet_length datalength"),
    ("`instr(title, 'word')`", "position strpos locate charindex"),
    ("`max(subtasks, comments)`", "greatest"),
    ("`min(subtasks, comments)`", "least"),
    ("`coalesce(list, '')`", "nvl isnull zeroifnull"),
    ("`iif(overdue = 1, 'late', 'fine')`", "if iff nvl2 decode switch choose"),
    (_NUMBER, "to_number convert try_cast safe_cast try_convert int integer bigint number"),
    ("`CAST(no AS TEXT)`", "to_string str text varchar"),
    ("`title GLOB '[0-9]*'`", "isnumeric is_numeric"),
    (_MEDIAN, "percentile_cont percentile_disc percentile median quantile quantile_cont approx_quantile"),
    ("`sqrt(avg(no * no) - avg(no) * avg(no))`", "stddev stddev_pop stddev_samp std stdev"),
    ("`avg(no * no) - avg(no) * avg(no)`", "variance var_pop var_samp var"),
    ("`avg(days_open * no) - avg(days_open) * avg(no)`", "corr covar_pop covar_samp regr_slope"),
    ("`ntile(4) OVER (ORDER BY days_open)`", "width_bucket"),
    ("`power(no, 2)`", "pow square exp"),
    ("`trunc(days_open / 7.0)`", "truncate"),
    (
        "`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n`",
        "generate_series sequence range",
    ),
    (_TOTALS, "rollup cube grouping"),
    ("nothing is random here; another order: `ORDER BY substr(id, -1), id`", "random rand newid randomblob"),
    ("the id of a task: `id`", "uuid gen_random_uuid uuid_generate_v4 last_insert_rowid"),
    ("`quote(title)`", "hex unhex zeroblob encode to_hex"),
    ("there is only this copy; what is known: `SELECT * FROM me`", "version sqlite_version database current_database"),
    ("there is only this copy; what is known: `SELECT * FROM me`", "user current_user session_user system_user"),
    ("leave it out; nothing waits here.", "sleep pg_sleep benchmark waitfor"),
    (
        "leave it out; no file and no network is in reach.",
        "load_extension readfile writefile edit load_file pg_read_file lo_import dblink fts3_tokenizer",
    ),
    (_WITHOUT, "md5 sha1 sha256 crypt soundex levenshtein similarity reverse changes total_changes likely unlikely"),
    (_WITHOUT, "set_config current_setting pg_backend_pid connection_id pg_terminate_backend pg_cancel_backend"),
)
FUNCTIONS: Final[Mapping[str, str]] = {name: hint for hint, names in _INSTEAD for name in names.split()}


class Turn(NamedTuple):
    """Words that no version of SQLite takes: what was written, and what is written here."""

    written: str
    instead: str


# Over the shape of a statement, see below. None of these is SQL that SQLite takes, wherever it stands.
_TURNS: Final = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        ("[\u2018\u2019\u201c\u201d\u201e\u00b4]", "plain quotes around text: 'word'."),
        (
            "[\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000]",
            "write plain blanks; this one is of another kind.",
        ),
        (r"\bILIKE\b", "LIKE ignores case here."),
        (r"~~\*?|(?<=[\w\"')] )!?~\*?(?= ['\"])|\b(?:SIMILAR TO|RLIKE)\b", _PATTERN),
        ("::", f"columns are local text already; else {_NUMBER}"),
        (r"\bINTERVAL(?= ['0])", _DAYS_AGO),
        (r"\bDISTINCT ON(?= \()|\bQUALIFY\b", _FIRST_EACH),
        (r"\bLATERAL(?= \()|\b(?:CROSS|OUTER) APPLY\b", _PER_TASK),
        (r"(?<=SELECT )TOP(?= 0| \( 0)|\bFETCH (?:FIRST|NEXT)\b|\b(?:TABLESAMPLE|USING SAMPLE)\b", _LIMITED),
        (r"\b(?:UN)?PIVOT(?= \()", "`count(*) FILTER (WHERE status = 'done')` for each column"),
        (r"(?<=[=<>E] )(?:ANY|ALL|SOME)(?= \()|\bARRAY(?= \")", _ONE_OF),
        (r"\bEXTRACT \( EPOCH(?= FROM)", "days_open, days_late or `julianday(done) - julianday(created)`"),
        (r"\bEXTRACT(?= \( [\w'\"]+ FROM)", _PARTS),
        (r"\bWITHIN GROUP\b", _MEDIAN),
        (r"\bAT TIME ZONE\b", "leave it out; times are in the person's own zone."),
        (r"\b(?:GROUPING SETS|WITH (?:ROLLUP|CUBE))\b", _TOTALS),
        (r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)\b", "leave it out; nobody else writes to this copy."),
        (r"\b(?:DATE|TIME|TIMESTAMP|DATETIME)(?= ')", "days are text: `due >= '2026-11-01'`"),
        (r"\bSUBSTR(?:ING)?(?= \( [^()]{1,99} FROM )", _SUBSTRING),
        (r"\bTRIM(?= \( (?:BOTH|LEADING|TRAILING)\b)", "`trim(title)`, ltrim or rtrim"),
        (r"\bPOSITION(?= \( [^()]{1,99} IN )", "`instr(title, 'word')`"),
        (r"\bLEFT(?= \()", _SUBSTRING),
        (r"\bRIGHT(?= \()", "`substr(title, -10)`"),
        (r"\bISNULL(?= \()", "`coalesce(list, '')`"),
        (r"\b(?:TRY_CAST|SAFE_CAST|CONVERT)(?= \()", _NUMBER),
        (r"\bSEPARATOR(?= ')", _JOINED),
        (r"\b(?:EXCEPT|INTERSECT) ALL\b", "leave out ALL."),
        (r"\bMINUS(?= SELECT)", "EXCEPT instead of MINUS."),
        (r"(?<=\* )(?:EXCLUDE|EXCEPT|REPLACE)(?= \()", "name the columns that you want."),
        (r"\b(?:GROUP|ORDER) BY ALL\b", "name the columns: `SELECT list, count(*) FROM tasks GROUP BY list`"),
        (r"#>>?", _FIELD),
        ("#", "a comment begins with --"),
        (r"@>|<@", _TAGGED),
        ("&&", "AND instead of &&."),
        ("<=>", "IS instead of <=>."),
        (r"\^", "`power(no, 2)`"),
        (r"/ /|\bDIV(?= [0(])", "`days_open / 7`"),
        (r"\bLIMIT ALL\b", "leave it out."),
        (r"\bOFFSET 0 (?:ROWS? )?LIMIT\b|(?<!LIMIT 0 )\bOFFSET(?= 0)", "`LIMIT 5 OFFSET 5`"),
        (r"(?<= )(?<!AS )[EN](?= ')", "leave out the letter before the quote."),
        (r"\bINTO\b", "leave out INTO; nothing can be stored."),
        (r"\bFILTER(?= \( (?!WHERE\b))", "`count(*) FILTER (WHERE overdue = 1)`"),
        (r"\bELSE ?IF\b(?! \()", "`CASE WHEN overdue = 1 THEN 'late' WHEN blocked = 1 THEN 'waits' ELSE 'fine' END`"),
        (r"\bIS (?:NOT )?IN\b", "leave out IS."),
        (r"\bOVERLAPS\b", "compare both ends: `start <= '2026-11-30' AND due >= '2026-11-01'`"),
        (r"(?<=[\w\"')] )!(?= )", "NOT instead of !."),
    )
)
_SHAPES: Final = {Kind.STRING: "'", Kind.BLOB: "'", Kind.NAME: '"', Kind.NUMBER: "0"}


def foreign(tokens: Sequence[Token]) -> Turn | None:
    """The first known turn of phrase of another database in a statement."""
    shape = " ".join(_SHAPES.get(token.kind) or token.word or token.text for token in tokens)
    for pattern, instead in _TURNS:
        if found := pattern.search(shape):
            return Turn(" ".join(word for word in found[0].split() if word != "0"), instead)
    return None
