// What the checks against a running larder let pass, each with its reason.

/** Series that are declared but not exported yet. */
export const COMING = [];

/** Queries that may have no data under the load, by board and panel, or by the rule's name. */
export const MAY_BE_EMPTY = {};
