// The history of larder's counters, and what it says of a span of time.
//
// A point has cumulative counters, so every figure is a difference of two points. What cannot be told, such
// as a share of nothing, is NaN.

const KEPT = 900; // seconds, as larder keeps them

export class History {
  points = [];
  bounds = [];
  started;

  /** Adds what an answer has. The counters of another process began anew. */
  add({ started, now, history }) {
    if (started !== this.started) this.points = [];
    this.started = started;
    this.bounds = history.bounds;
    const least = now - KEPT - history.interval_seconds;
    this.points = [...this.points, ...history.points].filter(({ t }) => t > least);
  }

  /** After which time points are wanted. */
  get since() {
    return this.points.at(-1)?.t ?? 0;
  }

  /** The values of a figure, one for each point, each of the `span` seconds before it. */
  over(span, figure) {
    return this.points.map((_, to) => this.#figure(to, span, figure));
  }

  /** A figure of the last `span` seconds. */
  last(span, figure) {
    return this.points.length ? this.#figure(this.points.length - 1, span, figure) : NaN;
  }

  /** Points are not quite evenly apart: hence the second less. */
  #figure(to, span, figure) {
    const after = this.points[to];
    let from = to;
    while (from > 0 && after.t - this.points[from].t < span - 1) from -= 1;
    return figure(this.points[from], after, this.bounds);
  }
}

// Figures: of the point before a span, and the one at its end.

export const grown = (key) => (before, after) => after[key] - before[key];
export const ratio = (key, of) => (before, after) => (after[key] - before[key]) / (after[of] - before[of]);
export const perSecond = (key) => ratio(key, 't');

/** A quantile of counts of buckets, evenly inside of one, as Prometheus' histogram_quantile. */
export const quantile = (key, q) => (before, after, bounds) => {
  const counts = after[key].map((value, bucket) => value - before[key][bucket]);
  let rank = q * counts.reduce((all, inside) => all + inside, 0);
  for (const [bucket, inside] of counts.entries()) {
    if (inside > 0 && rank <= inside + 1e-9) {
      const low = bounds[bucket - 1] ?? 0;
      const high = bounds[bucket] ?? low;
      return low + ((high - low) * rank) / inside;
    }
    rank -= inside;
  }
  return NaN;
};
