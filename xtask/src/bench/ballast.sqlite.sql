PRAGMA synchronous = OFF;
PRAGMA cache_size = -400000;
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE bytes (byte BLOB);
INSERT INTO bytes VALUES :bytes;
DROP INDEX sessions_by_recipient;
DROP INDEX sessions_by_state_and_hard_end;
INSERT INTO sessions (
    id, project, mode, address, recipient, template, language, variables, is_exempt,
    lifetime_secs, code_length, attempts_max, resends_max, cooldown_secs, code_lifetime_max_secs,
    resend_policy, opened_at, hard_end, expires_at, attempts, state, closed_at,
    generation, resends, code_issued_at, mailed_at, secret_kid, secret_nonce)
SELECT
    CAST(x':begin' || a.byte || b.byte || c.byte || randomblob(13) AS BLOB), 'bench', 0,
    randomblob(60), randomblob(32), 'login', 'en', NULL, false,
    300, 6, 5, 4, 30, 600, 0, :at, :at + 1800000, :at + 300000, 1, 1, :at + 60000,
    NULL, NULL, NULL, NULL, NULL, NULL
FROM bytes AS a CROSS JOIN bytes AS b CROSS JOIN bytes AS c
LIMIT :rows;
CREATE INDEX sessions_by_recipient ON sessions (recipient, id);
CREATE INDEX sessions_by_state_and_hard_end ON sessions (state, hard_end);
INSERT INTO deliveries (session_id, message, generation, state, due_at, tries)
SELECT id, randomblob(16), 0, 1, :at, 1 FROM sessions WHERE id >= x':begin' AND id < x':end' ORDER BY id;
INSERT INTO counters (subject, paid_1, paid_2, paid_3, failures, used_at)
SELECT CAST(x'02' || recipient || 'bench' AS BLOB), :at * 1000, :at * 1000, :at * 1000, 0, :at
FROM sessions WHERE id >= x':begin' AND id < x':end' AND :counters ORDER BY recipient;
PRAGMA synchronous = FULL;
PRAGMA wal_checkpoint(TRUNCATE);
