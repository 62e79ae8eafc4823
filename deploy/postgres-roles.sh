#!/bin/sh
# Roles and databases of the services profile: run by the image of PostgreSQL when its volume is
# empty, or by hand with psql's own variables pointing to any server and a role that may make others:
#     PGHOST=… PGUSER=… PGPASSWORD=… REGISTRY_PASSWORD=… DAGSTER_PASSWORD=… sh deploy/postgres-roles.sh
# The role `dagster` owns Dagster's storage and sees nothing else. The role `islandflow` owns the
# registry; jobs and the command line work in Dagster's storage too, where it acts as `dagster`, so
# that everything there has one owner.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-${PGUSER:-postgres}}" --dbname "${POSTGRES_DB:-postgres}" <<'SQL'
\getenv registry_password REGISTRY_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD
CREATE ROLE islandflow LOGIN PASSWORD :'registry_password';
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';
GRANT dagster TO islandflow;
-- Who makes a database for another role must be able to act as it.
GRANT islandflow, dagster TO CURRENT_USER;
CREATE DATABASE islandflow OWNER islandflow;
CREATE DATABASE islandflow_dagster OWNER dagster;
REVOKE CONNECT, TEMPORARY ON DATABASE islandflow, islandflow_dagster FROM PUBLIC;
ALTER ROLE islandflow IN DATABASE islandflow_dagster SET role = 'dagster';
SQL
