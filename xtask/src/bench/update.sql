\set number random(0, :rows - 1)
UPDATE sessions SET
    state = 1, attempts = attempts + 1, closed_at = opened_at + 1000, generation = NULL, resends = NULL,
    code_issued_at = NULL, mailed_at = NULL, secret_kid = NULL, secret_nonce = NULL, variables = NULL
WHERE id = decode(lpad(to_hex(:day::bigint), 12, '0') || lpad(to_hex(:number::bigint), 32, '0'), 'hex')
RETURNING attempts;
