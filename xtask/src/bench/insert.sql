\set number random(0, 9000000000000000000)
INSERT INTO sessions (
    id, project, mode, address, recipient, template, language, variables, is_exempt,
    lifetime_secs, code_length, attempts_max, resends_max, cooldown_secs, code_lifetime_max_secs,
    resend_policy, opened_at, hard_end, expires_at, attempts, state, closed_at,
    generation, resends, code_issued_at, mailed_at, secret_kid, secret_nonce)
SELECT
    decode(lpad(to_hex(at), 12, '0') || digits, 'hex'), 'bench', 0,
    decode(repeat(digits, 3), 'hex'), decode(repeat(digits, 2), 'hex'), 'login', 'en', NULL, false,
    3600, 6, 5, 4, 30, 7200, 0, at, at + 7200000, at + 3600000, 0, 0, NULL,
    0, 0, at, at, 1, decode(repeat(digits, 2), 'hex')
FROM (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at, md5((:number::bigint)::text) AS digits
) AS drawn
RETURNING opened_at;
