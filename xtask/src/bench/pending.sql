-- :rows sessions that wait for their code, opened within this minute, whose key is their number.
INSERT INTO sessions (
    id, project, mode, address, recipient, template, language, variables, is_exempt,
    lifetime_secs, code_length, attempts_max, resends_max, cooldown_secs, code_lifetime_max_secs,
    resend_policy, opened_at, hard_end, expires_at, attempts, state, closed_at,
    generation, resends, code_issued_at, mailed_at, secret_kid, secret_nonce)
SELECT
    decode(lpad(to_hex(day), 12, '0') || lpad(to_hex(i), 32, '0'), 'hex'), 'bench', 0,
    decode(repeat(md5(i::text), 3), 'hex'), decode(repeat(md5(i::text), 2), 'hex'), 'login', 'en', NULL, false,
    3600, 6, 5, 4, 30, 7200,
    0, at, at + 7200000, at + 3600000, 0, 0, NULL,
    0, 0, at, at, 1, decode(repeat(md5(i::text), 2), 'hex')
FROM
    generate_series(0, :rows - 1) AS i,
    (SELECT (extract(epoch FROM now()) * 1000)::bigint AS at,
        (extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC')) * 1000)::bigint AS day) AS times
