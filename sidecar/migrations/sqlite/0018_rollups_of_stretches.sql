-- Rollups of sixteen days beside those of days, from which sums over long periods are put together
-- (ledger/rollups/pieces.rs). They have no latencies.
INSERT INTO rollups (step, dimension, scope, time, value, requests, refusals, errors, input_tokens, output_tokens, cost_nanousd, latency)
SELECT 1382400000, dimension, scope, start, value, SUM(requests), SUM(refusals), SUM(errors), SUM(input_tokens), SUM(output_tokens),
    -- As many nano-dollars as fit, where a gateway was mistaken.
    CASE WHEN SUM(cost_nanousd / 1000000000) >= 9000000000 THEN 9223372036854775807
        ELSE SUM(cost_nanousd / 1000000000) * 1000000000 + SUM(cost_nanousd % 1000000000) END,
    x''
FROM (SELECT *, time - (time % 1382400000 + 1382400000) % 1382400000 AS start FROM rollups WHERE step = 86400000) AS days
GROUP BY dimension, scope, start, value;
