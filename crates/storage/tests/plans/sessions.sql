-- Sessions of the last four days before :until (milliseconds), in the order of their creation: most
-- are verified, those of the last half hour wait, and one in a hundred is twenty days older, from
-- before there were partitions.
SET synchronous_commit = off;
INSERT INTO sessions (
    id, project, mode, address, recipient, template, language, variables, is_exempt,
    lifetime_secs, code_length, attempts_max, resends_max, cooldown_secs, code_lifetime_max_secs,
    resend_policy, opened_at, hard_end, expires_at, attempts, state, closed_at,
    generation, resends, code_issued_at, mailed_at, secret_kid, secret_nonce)
SELECT
    id, 'project-' || i % 100, 0, decode(repeat(md5(i::text), 3), 'hex'),
    decode(repeat(md5((i * 7919 % (:rows * 2 / 5))::text), 2), 'hex'),
    'login', 'en', NULL, false,
    300, 6, 5, 4, 30, 600,
    0, at, at + 1800000, at + 300000, CASE state WHEN 2 THEN 0 ELSE 1 END, state,
    CASE WHEN state > 0 THEN at + 60000 END,
    CASE state WHEN 0 THEN 0 END, CASE state WHEN 0 THEN 0 END, CASE state WHEN 0 THEN at END,
    CASE state WHEN 0 THEN at END, CASE state WHEN 0 THEN 1 END,
    CASE state WHEN 0 THEN decode(repeat(md5(i::text), 2), 'hex') END
FROM (
    SELECT i, at, decode(lpad(to_hex(at), 12, '0') || md5(i::text), 'hex') AS id,
        CASE WHEN at > :until - 1860000 THEN 0 WHEN i % 8 = 0 THEN 2 WHEN i % 97 = 0 THEN 3 ELSE 1 END AS state
    FROM (
        SELECT i, :until - 345600000 + i * 345600000 / :rows - CASE i % 100 WHEN 1 THEN 1728000000 ELSE 0 END AS at
        FROM generate_series(0, :rows::bigint - 1) AS i
    ) AS times
) AS numbered;
