// What the checks against a running larder let pass, each with its reason.

/** Series that are declared but not exported yet: empty this list once they are. */
export const COMING = [
  'larder_overhead_seconds_bucket',
  'larder_cache_eviction_age_seconds_bucket',
  'larder_deduplicated_inputs_total',
  'larder_upstream_ratelimit_remaining',
  'larder_tokens_total',
  'larder_tokens_saved_total',
  'larder_cost_dollars_total',
  'larder_cost_saved_dollars_total',
  'larder_time_saved_seconds_total',
  'larder_held_bytes',
  'larder_held_limit_bytes',
];

/** Queries that may have no data under the load, by board and panel, or by the rule's name. */
export const MAY_BE_EMPTY = {};
