"""The one table that lanes write to. It is real, because that a row was committed can be seen only from outside of the
session that wrote it; it is made when a run first needs it, in a schema of its own, and dropped at the end."""

SCHEMA, TABLE = "cancelloscope", "rows"
ROWS = f"{SCHEMA}.{TABLE}"
MAKE = f"""CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {ROWS} (run int NOT NULL, lane text NOT NULL, payload text NOT NULL);"""
DROP = f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"
COUNT = f"SELECT count(*) FROM {ROWS} WHERE run = $1 AND lane = $2"
DELETE = f"DELETE FROM {ROWS} WHERE run = $1 AND lane = $2"
