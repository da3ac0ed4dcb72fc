#!/bin/sh
# Run once by the PostgreSQL image on an empty data directory: one role that owns the tables, one that serves.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    -v owner="$(cat /run/secrets/owner_password)" -v app="$(cat /run/secrets/app_password)" <<'SQL'
CREATE ROLE taskgate_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE taskgate_app LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS PASSWORD :'app';
ALTER ROLE taskgate_owner SET search_path = taskgate;
ALTER ROLE taskgate_app SET search_path = taskgate;
ALTER ROLE taskgate_app SET statement_timeout = '5s';
ALTER ROLE taskgate_app SET lock_timeout = '3s';
ALTER ROLE taskgate_app SET idle_in_transaction_session_timeout = '10s';
CREATE SCHEMA taskgate AUTHORIZATION taskgate_owner;
GRANT USAGE ON SCHEMA taskgate TO taskgate_app;
SQL
