-- What else there is where :rows sessions are: their mails, of which the last 2000
-- wait and one in two hundred failed; counters of two fifths as many recipients, and of networks;
-- answers of a day to one session in four; entries of the audit log of two years; keys.
SET synchronous_commit = off;
INSERT INTO deliveries (
    session_id, message, generation, state, due_at, tries,
    lease_token, lease_until, reply_code, reply_enhanced)
SELECT
    decode(lpad(to_hex(at), 12, '0') || md5(i::text), 'hex'), decode(md5('m' || i), 'hex'), 0, state,
    at, CASE state WHEN 0 THEN 0 ELSE 1 END, NULL, NULL,
    CASE state WHEN 2 THEN 550 END, CASE state WHEN 2 THEN '5.1.1' END
FROM (
    SELECT i, at, CASE WHEN i >= :rows - 2000 THEN 0 WHEN i % 200 = 0 THEN 2 WHEN i % 1999 = 0 THEN 3 ELSE 1 END AS state
    FROM (
        SELECT i, :until - 345600000 + i * 345600000 / :rows - CASE i % 100 WHEN 1 THEN 1728000000 ELSE 0 END AS at
        FROM generate_series(0, :rows::bigint - 1) AS i
    ) AS times
) AS numbered;

INSERT INTO counters (subject, paid_1, paid_2, paid_3, failures, used_at, failing_since)
SELECT
    decode(kind || repeat(md5(i::text), 2), 'hex') || convert_to(project, 'UTF8'),
    :until * 1000, :until * 1000, :until * 1000, failures,
    -- Nearly all are of the last two days; failures are kept for a year.
    :until - i * CASE failures WHEN 0 THEN 172900000 ELSE 31700000000 END / (:rows * 2 / 5),
    CASE failures WHEN 0 THEN NULL ELSE :until - 31800000000 END
FROM (
    SELECT i, kind, CASE kind WHEN '02' THEN '' ELSE 'project-' || i % 100 END AS project,
        CASE WHEN kind = '02' AND i % 30 = 0 THEN 1 + i % 120 ELSE 0 END AS failures
    FROM generate_series(0, :rows::bigint * 2 / 5 - 1) AS i, (VALUES ('02'), ('03'), ('04')) AS kinds (kind)
    WHERE kind <> '04' OR i % 4 = 0
) AS subjects;

INSERT INTO kept_answers (key, request, session_id, answer, until_at, conflicts)
SELECT
    decode(repeat(md5('k' || i), 2), 'hex'), decode(repeat(md5('r' || i), 2), 'hex'),
    decode(lpad(to_hex(:until - 86400000 + i * 86400000 / (:rows / 4)), 12, '0') || md5('s' || i), 'hex'),
    decode(repeat(md5('a' || i), 3), 'hex'), :until - 300000 + i * 86400000 / (:rows / 4), 0
FROM generate_series(0, :rows::bigint / 4 - 1) AS i;

INSERT INTO projects (name, created_at) SELECT 'project-' || i, 0 FROM generate_series(0, 99) AS i;
INSERT INTO api_keys (id, project, mode, permissions, digest, created_at)
SELECT substr(md5(i::text), 1, 8), 'project-' || i % 100, 0, 'otp', decode(repeat(md5(i::text), 2), 'hex'), i
FROM generate_series(0, 999) AS i;

INSERT INTO audit_log (at, actor_kind, actor, action, project, key_id, recipient)
SELECT
    :until - 63200000000 + i * 63200000000 / (:rows / 10), 0, 'root', 'recipient.shown', 'project-' || i % 100, NULL,
    CASE i % 2 WHEN 0 THEN decode(repeat(md5(i::text), 2), 'hex') END
FROM generate_series(0, :rows::bigint / 10 - 1) AS i;
