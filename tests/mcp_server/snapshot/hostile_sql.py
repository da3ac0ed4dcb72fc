"""Statements that want what they must not have: other people's rows, the engine, changes, files, secrets.

Every statement is made by somebody whose tasks are "Buy milk" and "Call mum", both open, in the Inbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Rows = Sequence[Sequence[Any]]

# What a statement may come to: the codes of the refusals that are right, and whether rows are right.
REFUSAL: Final = frozenset({"sql", "sql_now"})
LIMIT: Final = frozenset({"sql_limit"})


@dataclass(frozen=True, slots=True)
class Hostile:
    """One statement. `rows` are the only ones it may answer with; None: any of the caller's own."""

    name: str
    sql: str
    codes: frozenset[str] = REFUSAL
    may_answer: bool = False
    rows: Rows | None = None


def refused(**statements: str) -> tuple[Hostile, ...]:
    """Statements that are no question about one's own tasks."""
    return tuple(Hostile(name.replace("_", " "), sql) for name, sql in statements.items())


def harmless(**statements: str) -> tuple[Hostile, ...]:
    """Statements that may be answered, or refused or stopped, as long as nothing else comes of them."""
    return tuple(Hostile(name.replace("_", " "), sql, REFUSAL | LIMIT, True) for name, sql in statements.items())


def answered(name: str, sql: str, *rows: Sequence[Any]) -> tuple[Hostile, ...]:
    """A statement that only looks hostile, and what it must say."""
    return (Hostile(name, sql, frozenset(), True, rows),)


TENANT: Final = (
    *refused(
        table_of_the_service="SELECT * FROM spaces",
        table_of_the_service_counted="SELECT count(*) FROM spaces",
        members_of_lists="SELECT user_key, name FROM members",
        memberships="SELECT * FROM memberships",
        aliases="SELECT * FROM aliases",
        journal="SELECT * FROM ops",
        images_of_the_past="SELECT before, after FROM changes",
        tags_of_all="SELECT * FROM task_tags",
        main_prefix="SELECT * FROM main.spaces",
        temp_prefix="SELECT * FROM temp.tasks",
        other_schema="SELECT * FROM public.tasks",
        other_database="SELECT * FROM other.main.tasks",
        quoted="""SELECT * FROM "spaces" """,
        bracketed="SELECT * FROM [spaces]",
        backticked="SELECT * FROM `spaces`",
        string_as_table="SELECT * FROM 'spaces'",
        union="SELECT title FROM tasks UNION SELECT owner_sub FROM spaces",
        union_all_in_parentheses="SELECT * FROM (SELECT title FROM tasks UNION ALL SELECT name FROM members)",
        exists_oracle="SELECT EXISTS (SELECT 1 FROM spaces WHERE owner_sub LIKE 'bob%')",
        scalar_subquery="SELECT title, (SELECT count(*) FROM spaces) FROM tasks",
        in_table="SELECT 'bob' IN spaces",
        left_join_that_is_not_read="SELECT title FROM tasks LEFT JOIN spaces ON spaces.id = tasks.id",
        key_of_the_space="SELECT space_id, title FROM tasks",
        foreign_user="SELECT title FROM tasks WHERE user_id = 'bob'",
        tables_as_functions="SELECT * FROM tasks('bob')",
        system_columns="SELECT xmin, ctid, tableoid FROM tasks",
        whole_row="SELECT row_to_json(spaces) FROM spaces",
        table_command="TABLE tasks",
        only="SELECT * FROM ONLY tasks",
        lateral="SELECT o.title FROM tasks t, LATERAL (SELECT title FROM spaces WHERE id <> t.id) o",
        homoglyph="SELECT * FROM t\u0430sks",
        fullwidth="SELECT * FROM \uff54asks",
        name_cut_by_a_comment="SELECT * FROM spa/**/ces",
        cte_over_a_hidden_table="WITH tasks AS (SELECT * FROM spaces) SELECT * FROM tasks",
        alias_of_a_known_name="SELECT tasks.owner_sub FROM spaces AS tasks",
        time_travel="SELECT * FROM tasks FOR SYSTEM_TIME AS OF '2026-01-01'",
        search_path="SELECT * FROM pg_temp.tasks",
        xml_of_all="SELECT query_to_xml('SELECT * FROM tasks', true, true, '')",
    ),
    *harmless(
        row_numbers="SELECT rowid, oid, _rowid_, title FROM tasks",
        index_by_name="SELECT title FROM tasks INDEXED BY sqlite_autoindex_tasks_1",
        main_prefix_of_an_own_table="SELECT title FROM main.tasks ORDER BY title",
        everything_of_everybody="SELECT * FROM tasks WHERE owner LIKE '%' OR 1=1 OR ''=''",
        other_owners_history="SELECT * FROM history WHERE actor <> 'me'",
        all_comments="SELECT * FROM comments",
    ),
    *answered("other owners", "SELECT title FROM tasks WHERE owner <> 'me'"),
    *answered("tasks that are guessed", "SELECT title FROM tasks WHERE id IN ('bob:T1', 'T3', 'T4') AND owner <> 'me'"),
    *answered(
        "injection into a value",
        "SELECT title FROM tasks WHERE title = '' OR 1=1 -- '\nORDER BY 1",
        ["Buy milk"],
        ["Call mum"],
    ),
    *answered("cte named tasks", "WITH tasks AS (SELECT 'mine' AS title) SELECT title FROM tasks", ["mine"]),
    *answered("cte named like the hidden one", "WITH soon(x) AS (VALUES (7)) SELECT x FROM soon", [7]),
    *answered(
        "cte named like the catalog", "WITH sqlite_master(sql) AS (VALUES ('x')) SELECT sql FROM sqlite_master", ["x"]
    ),
    *answered(
        "cte named like a table of the service", "WITH spaces(id) AS (VALUES ('x')) SELECT id FROM spaces", ["x"]
    ),
    *answered(
        "cte in a cte",
        "WITH me AS (SELECT title FROM tasks), deps AS (SELECT * FROM me) SELECT count(*) FROM deps",
        [2],
    ),
)

CATALOG: Final = refused(
    master="SELECT * FROM sqlite_master",
    master_counted="SELECT count(*) FROM sqlite_master",
    master_tested="SELECT EXISTS (SELECT 1 FROM sqlite_master)",
    schema="SELECT name, sql FROM sqlite_schema",
    temp_master="SELECT * FROM sqlite_temp_master",
    temp_schema="SELECT * FROM sqlite_temp_schema",
    main_master="SELECT sql FROM main.sqlite_master",
    quoted_master="""SELECT sql FROM "sqlite_master" """,
    bracketed_master="SELECT sql FROM [sqlite_master]",
    backticked_master="SELECT sql FROM `sqlite_master`",
    string_master="SELECT sql FROM 'sqlite_master'",
    shouted_master="SELECT SQL FROM SQLITE_MASTER",
    master_called_tasks="SELECT tasks.sql FROM sqlite_master AS tasks",
    master_in_a_cte_called_tasks="WITH tasks AS (SELECT sql FROM sqlite_master) SELECT * FROM tasks",
    master_in_a_union="SELECT title FROM tasks UNION ALL SELECT sql FROM sqlite_master",
    master_below="SELECT (SELECT group_concat(name) FROM sqlite_master)",
    master_joined="SELECT m.* FROM tasks JOIN sqlite_master m",
    master_not_read="SELECT title FROM tasks LEFT JOIN sqlite_master ON 0",
    master_in="SELECT 'tasks' IN (SELECT name FROM sqlite_master)",
    sequence="SELECT * FROM sqlite_sequence",
    statistics="SELECT * FROM sqlite_stat1",
    more_statistics="SELECT * FROM sqlite_stat4",
    table_info="SELECT * FROM pragma_table_info('tasks')",
    table_xinfo="SELECT * FROM pragma_table_xinfo('soon')",
    table_list="SELECT * FROM pragma_table_list",
    database_list="SELECT file FROM pragma_database_list",
    function_list="SELECT name FROM pragma_function_list",
    module_list="SELECT * FROM pragma_module_list",
    compile_options="SELECT * FROM pragma_compile_options",
    index_list="SELECT * FROM pragma_index_list('tasks')",
    user_version="SELECT * FROM pragma_user_version",
    pragma_joined="SELECT m.name, i.name FROM tasks m, pragma_table_info(m.title) i",
    pages="SELECT * FROM dbstat",
    raw_pages="SELECT hex(data) FROM sqlite_dbpage",
    statements="SELECT sql FROM sqlite_stmt",
    bytecode="SELECT * FROM bytecode('SELECT 1')",
    tables_used="SELECT * FROM tables_used('SELECT * FROM tasks')",
    fts_content="SELECT * FROM tasks_fts",
    fts_shadow="SELECT * FROM tasks_fts_data",
    fts_config="SELECT * FROM search_config",
    fts_vocabulary="SELECT * FROM fts5vocab('tasks', 'row')",
    fts_auxiliary="SELECT * FROM fts4aux('tasks')",
    information_schema="SELECT table_name FROM information_schema.tables",
    information_schema_columns="SELECT * FROM information_schema.columns WHERE table_name = 'tasks'",
    pg_class="SELECT relname, reltuples FROM pg_catalog.pg_class",
    pg_tables="SELECT * FROM pg_tables",
    pg_activity="SELECT query FROM pg_stat_activity",
    pg_stats="SELECT most_common_vals FROM pg_stats",
    pg_shadow="SELECT usename, passwd FROM pg_shadow",
    pg_authid="SELECT rolpassword FROM pg_authid",
    pg_roles="SELECT * FROM pg_roles",
    pg_settings="SELECT * FROM pg_settings",
    pg_proc="SELECT prosrc FROM pg_proc",
    pg_policies="SELECT * FROM pg_policies",
    pg_statements="SELECT * FROM pg_stat_statements",
    regclass="SELECT 'spaces'::regclass",
    to_regclass="SELECT to_regclass('spaces')",
    definition_of_a_view="SELECT pg_get_viewdef('tasks')",
    definition_of_a_policy="SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
    mysql_users="SELECT user, authentication_string FROM mysql.user",
    sql_server_tables="SELECT name FROM sys.tables",
    duckdb_tables="SELECT * FROM duckdb_tables()",
    show_tables="SHOW TABLES",
    describe="DESCRIBE tasks",
    dot_tables=".tables",
    dot_schema=".schema tasks",
    backslash=r"\d tasks",
)

ENGINE: Final = (
    *refused(
        load_extension="SELECT load_extension('evil')",
        load_extension_entry="SELECT load_extension('/tmp/evil.so', 'init')",
        load_extension_quoted="""SELECT "load_extension"('evil')""",
        load_extension_per_row="SELECT load_extension(title) FROM tasks",
        load_extension_in_a_dead_branch="SELECT CASE WHEN 0 THEN load_extension('evil') ELSE 1 END",
        tokenizer="SELECT fts3_tokenizer('simple')",
        tokenizer_with_a_pointer="SELECT fts3_tokenizer('simple', x'4141414141414141')",
        write_file="SELECT writefile('/tmp/evil', 'x')",
        read_file="SELECT readfile('/etc/passwd')",
        list_files="SELECT name FROM fsdir('/')",
        editor="SELECT edit('x', 'sh')",
        attach_memory="ATTACH ':memory:' AS other",
        attach_file="ATTACH DATABASE '/tmp/evil.db' AS other",
        attach_uri="ATTACH 'file:/etc/passwd?mode=ro' AS other",
        detach="DETACH main",
        vacuum="VACUUM",
        vacuum_into="VACUUM INTO '/tmp/evil.db'",
        pragma_writable="PRAGMA writable_schema = ON",
        pragma_query_only="PRAGMA query_only = OFF",
        pragma_temp_directory="PRAGMA temp_store_directory = '/tmp'",
        pragma_heap="PRAGMA hard_heap_limit = 0",
        pragma_journal="PRAGMA journal_mode = WAL",
        pragma_mmap="PRAGMA mmap_size = 1000000000000",
        pragma_trusted="PRAGMA trusted_schema = ON",
        pragma_key="PRAGMA key = 'x'",
        pragma_case="PRAGMA case_sensitive_like = ON",
        pragma_shrink="PRAGMA shrink_memory",
        pragma_in_a_comment="/* SELECT */ PRAGMA table_info(tasks)",
        explain="EXPLAIN SELECT * FROM tasks",
        explain_query_plan="EXPLAIN QUERY PLAN SELECT * FROM tasks",
        explain_analyze="EXPLAIN ANALYZE SELECT * FROM tasks",
        random="SELECT random()",
        random_blob="SELECT randomblob(16)",
        zero_blob="SELECT zeroblob(16)",
        hex="SELECT hex(title) FROM tasks",
        version="SELECT sqlite_version()",
        source="SELECT sqlite_source_id()",
        compile_option="SELECT sqlite_compileoption_get(0)",
        compile_option_used="SELECT sqlite_compileoption_used('ENABLE_FTS5')",
        log="SELECT sqlite_log(1, 'planted')",
        offset="SELECT sqlite_offset(title) FROM tasks",
        rename_column="SELECT sqlite_rename_column('x', 1, 'a', 'b', 'c', 'd', 'e', 'f', 'g')",
        rename_table="SELECT sqlite_rename_table('main', '', 'x', 'y', 'z', 'w', 0)",
        changes="SELECT changes(), total_changes()",
        last_row="SELECT last_insert_rowid()",
        rtree_check="SELECT rtreecheck('tasks')",
        rtree_node="SELECT rtreenode(2, x'0000')",
        rtree_depth="SELECT rtreedepth(x'0000')",
        zip_file="SELECT * FROM zipfile('/tmp/x.zip')",
        carray="SELECT * FROM carray(1, 2, 'char*')",
        series="SELECT value FROM generate_series(1, 10)",
        tokenize="SELECT * FROM fts3tokenize('simple')",
        match="SELECT title FROM tasks WHERE title MATCH 'milk'",
        regexp="SELECT title FROM tasks WHERE title REGEXP '(a+)+$'",
        snippet="SELECT snippet(tasks) FROM tasks",
        bm25="SELECT bm25(tasks) FROM tasks",
        fts5_pointer="SELECT fts5(1)",
        fts5_source="SELECT fts5_source_id()",
        match_info="SELECT matchinfo(tasks) FROM tasks",
        soundex="SELECT soundex(title) FROM tasks",
        sha3="SELECT sha3(title) FROM tasks",
        collation="SELECT title FROM tasks ORDER BY title COLLATE evil",
        raise_outside_a_trigger="SELECT RAISE(ABORT, 'planted')",
        python_function="SELECT eval('__import__(''os'').system(''id'')')",
        sqlite_filename="SELECT sqlite_db_filename('main')",
    ),
    *harmless(
        counter="SELECT printf('%n%p', 1, title) FROM tasks",
        star_width="SELECT printf('%*.*s', 20, 10, title) FROM tasks",
        negative_width="SELECT printf('%-*d', -2147483648, 1)",
        format_without_values="SELECT printf('%s %s %d %z %!')",
        hidden_columns_of_json="SELECT json, root FROM json_each('[1]')",
        json_each_without_json="SELECT * FROM json_each",
        json_tree_of_a_table="SELECT j.* FROM tasks, json_tree(tasks.title) j",
        likely="SELECT likely(1), unlikely(0), likelihood(1, 0.5)",
        not_indexed="SELECT title FROM tasks NOT INDEXED",
        blob="SELECT x'00ff41', CAST('a' || char(0) || 'b' AS BLOB)",
        odd_numbers="SELECT 9e999, -9e999, 0x7fffffffffffffff, 1e-400, power(10, 400), sqrt(-1), mod(1, 0), 1 / 0",
        noncharacters="SELECT char(0, 1, 27, 55296, 57343, 65534, 1114111, 1114112, -1)",
    ),
)

IDENTITY: Final = (
    *refused(
        set_config="SELECT set_config('taskgate.user_key', 'bob', false)",
        set_config_in_a_filter="SELECT title FROM tasks WHERE set_config('role', 'postgres', true) IS NOT NULL",
        current_setting="SELECT current_setting('taskgate.user_key')",
        set_variable="SET taskgate.user_key = 'bob'",
        set_local="SET LOCAL role = 'postgres'",
        set_role="SET ROLE postgres",
        session_authorization="SET SESSION AUTHORIZATION postgres",
        reset_role="RESET ROLE",
        reset_all="RESET ALL",
        discard="DISCARD ALL",
        current_user="SELECT current_user",
        session_user="SELECT session_user",
        user="SELECT user()",
        current_role="SELECT current_role",
        current_schema="SELECT current_schema()",
        database="SELECT database()",
        backend="SELECT pg_backend_pid()",
        address="SELECT inet_client_addr(), inet_server_addr()",
        mysql_variable="SELECT @@version, @@datadir",
        mysql_assignment="SELECT @user := 'bob'",
        supabase="SELECT auth.uid()",
        jwt="SELECT current_setting('request.jwt.claims')",
        update_me="UPDATE me SET tz = 'UTC', today = '1970-01-01'",
        insert_me="INSERT INTO me (today) VALUES ('1970-01-01')",
        delete_me="DELETE FROM me",
        name_in_me="SELECT name, email, token FROM me",
        create_function="CREATE FUNCTION f() RETURNS int SECURITY DEFINER AS 'SELECT 1' LANGUAGE sql",
        create_user="CREATE USER evil SUPERUSER",
        grant="GRANT ALL ON tasks TO PUBLIC",
        alter_role="ALTER ROLE postgres PASSWORD 'x'",
        alter_system="ALTER SYSTEM SET log_statement = 'all'",
        has_role="SELECT pg_has_role('postgres', 'MEMBER')",
        has_privilege="SELECT has_table_privilege('spaces', 'SELECT')",
        disable_row_security="SET row_security = off",
    ),
    *answered("cte named me", "WITH me(name, today) AS (VALUES ('bob', '1970-01-01')) SELECT name FROM me", ["bob"]),
    *answered("owner that is written", "SELECT 'bob' AS owner, title FROM tasks WHERE no = -1"),
    *answered("word as a string", """SELECT "nobody's name" """, ["nobody's name"]),
)

KINDS: Final[Mapping[str, tuple[Hostile, ...]]] = {
    "tenant": TENANT,
    "catalog": CATALOG,
    "engine": ENGINE,
    "identity": IDENTITY,
}
