SET synchronous_commit = off;
INSERT INTO sessions (
    id, project, mode, address, recipient, template, language, variables, is_exempt,
    lifetime_secs, code_length, attempts_max, resends_max, cooldown_secs, code_lifetime_max_secs,
    resend_policy, opened_at, hard_end, expires_at, attempts, state, closed_at,
    generation, resends, code_issued_at, mailed_at, secret_kid, secret_nonce)
SELECT
    decode(':begin' || lpad(to_hex(i), 6, '0') || left(md5(i::text), 26), 'hex'), 'bench', 0,
    decode(repeat(md5(i::text), 3) || left(md5(i::text), 24), 'hex'),
    decode(md5('a' || i) || md5('b' || i), 'hex'), 'login', 'en', NULL, false,
    300, 6, 5, 4, 30, 600, 0, :at, :at + 1800000, :at + 300000, 1, 1, :at + 60000,
    NULL, NULL, NULL, NULL, NULL, NULL
FROM generate_series(0, :rows - 1) AS i;
INSERT INTO deliveries (session_id, message, generation, state, due_at, tries)
SELECT id, substr(recipient, 1, 16), 0, 1, :at, 1 FROM sessions WHERE id >= '\x:begin' AND id < '\x:end';
INSERT INTO counters (subject, paid_1, paid_2, paid_3, failures, used_at)
SELECT '\x02'::bytea || recipient || 'bench'::bytea, :at::bigint * 1000, :at::bigint * 1000, :at::bigint * 1000, 0, :at
FROM sessions WHERE id >= '\x:begin' AND id < '\x:end' AND :counters ORDER BY recipient;
VACUUM ANALYZE sessions, deliveries, counters;
CHECKPOINT;
