// An admin listener that is made up: it serves the page under larder's policy, and figures that move by one
// point of the history each time they are asked for.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const FILES = new URL('../../src/gate/page/', import.meta.url);
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";
const INTERVAL = 5;
const BOUNDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const BATCH = 12;
const CALL_DOLLARS = 0.000_42;
const CALL_TOKENS = 310;

/** What a name may be when somebody means harm. */
export const HOSTILE = '<img src=x onerror="globalThis.harmed=1"><script>globalThis.harmed=1</script>';

/** The same numbers in every run. */
function drawing(seed) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

export class Mock {
  token = undefined;
  answering = true;
  moving = true;
  busy = true;
  ready = true;
  breaker = 'closed'; // of Redis
  down = {}; // what else is told of Redis
  voyage = {};
  failed = [];
  errors = [];
  models = ['text-embedding-3-small', 'gpt-5-mini'];
  asked = [];

  static async start(port = 0) {
    const mock = new Mock();
    mock.restart();
    mock.server = createServer((request, response) => mock.#answer(request, response));
    mock.server.listen(port, '127.0.0.1');
    await once(mock.server, 'listening');
    mock.port = mock.server.address().port;
    mock.origin = `http://127.0.0.1:${mock.port}`;
    return mock;
  }

  /** Another process: all counters begin anew. */
  restart(started = 1_795_690_000) {
    this.started = started;
    this.random = drawing(started);
    this.points = [this.#zero()];
  }

  /** Stops listening, as a larder that ended; `listen` brings it back on its port. */
  async close() {
    this.server.closeAllConnections();
    if (this.server.listening) await new Promise((done) => this.server.close(done));
  }

  async listen() {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** Lets some points of the history pass. */
  advance(points) {
    for (let point = 0; point < points; point += 1) this.points.push(this.#next(this.points.at(-1)));
  }

  #zero() {
    const none = () => Array(BOUNDS.length + 1).fill(0);
    const counters = { hits: 0, lookups: 0, requests: 0, failures: 0, calls: 0, calls_saved: 0, batches: 0, inputs: 0 };
    return { t: this.started, ...counters, hit: none(), miss: none(), upstream: none() };
  }

  /** Traffic in waves, of which more and more is known. */
  #next(last) {
    const point = structuredClone(last);
    point.t += INTERVAL;
    if (!this.busy) return point;
    const age = (point.t - this.started) / 60;
    const requests = Math.round(90 + 50 * Math.sin(age * 1.3) + 20 * this.random());
    const hits = Math.round(requests * (0.9 - 0.75 * Math.exp(-age / 2.5)) * (0.94 + 0.06 * this.random()));
    const calls = Math.ceil((requests - hits) / 4);
    point.requests += requests;
    point.lookups += requests;
    point.hits += hits;
    point.calls += calls;
    point.calls_saved += requests - calls;
    point.batches += Math.ceil(calls * 0.8);
    point.inputs += Math.ceil(calls * 0.8) * BATCH;
    this.#observe(point.hit, hits, 0.000_35);
    this.#observe(point.miss, requests - hits, 0.12);
    this.#observe(point.upstream, calls, 0.11);
    return point;
  }

  #observe(counts, times, middle) {
    for (let time = 0; time < times; time += 1) {
      const taken = middle * Math.exp(1.6 * (this.random() + this.random() + this.random() - 1.5));
      const bucket = BOUNDS.findIndex((bound) => taken <= bound);
      counts[bucket === -1 ? BOUNDS.length : bucket] += 1;
    }
  }

  stats(since = 0) {
    const last = this.points.at(-1);
    const share = (part) => Math.round(last.requests * part);
    const points = this.points.slice(-181).filter(({ t }) => t > since);
    const accounts = this.models.map((model, at) => ({
      provider: 'openai', model, operation: model.startsWith('gpt') ? 'chat' : 'embed', ...this.#account(at ? 0.2 : 0.8),
    }));
    return {
      version: '0.1.0', started: this.started, now: last.t + 1, ready: this.ready, proxy: 'http://127.0.0.1:5273',
      prices: { date: '2026-11-01', estimated: true },
      totals: this.#account(1), accounts,
      tiers: [
        tier('memory', last, share(0.4), 2 ** 28),
        { ...tier('redis', last, share(0.4), null), breaker: this.breaker, average_age_seconds: null, ...this.down },
      ],
      providers: [
        provider('openai', { calls: last.calls, failures: this.errors.length, open: 6, active: 2 }),
        provider('anthropic', {}),
        provider('voyage', { calls: 5, failures: 5, waiting: 3, ...this.voyage }),
      ],
      batches: { calls: last.batches, inputs: last.inputs },
      errors: this.errors, responses: last.requests, failed: this.failed,
      history: { interval_seconds: INTERVAL, bounds: BOUNDS, points },
    };
  }

  #account(part) {
    const { requests, hits, calls, calls_saved: saved } = this.points.at(-1);
    const of = (value) => Math.round(value * part);
    return {
      requests: of(requests),
      inputs: { hit: of(hits), collapsed: of(saved * 0.02), miss: of(requests - hits) },
      calls: {
        made: of(calls),
        saved: { hit: of(hits), collapsed: of(saved * 0.02), batched: of(requests - hits - calls) },
      },
      tokens: {
        billed: { input: of(calls * CALL_TOKENS), output: of(calls * 40) },
        avoided: { hit: of(hits * CALL_TOKENS), collapsed: of(saved * 0.02 * CALL_TOKENS) },
      },
      dollars: part === 0.2 ? null : { billed: calls * part * CALL_DOLLARS, avoided: hits * part * CALL_DOLLARS },
      seconds: { avoided: { hit: hits * part * 0.11, collapsed: saved * part * 0.001 }, estimated: true },
    };
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.origin);
    this.asked.push(request.url);
    const say = (status, type, body) => response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store',
      'x-content-type-options': 'nosniff', 'content-security-policy': POLICY }).end(body);
    if (pathname === '/api/stats') {
      if (this.token && request.headers.authorization !== `Bearer ${this.token}`) return say(401, 'text/plain', 'no\n');
      if (!this.answering) return say(503, 'text/plain', 'no\n');
      if (this.moving) this.advance(1);
      return say(200, 'application/json', JSON.stringify(this.stats(Number(searchParams.get('since') ?? 0))));
    }
    const name = pathname === '/' ? 'page.html' : pathname.slice(1);
    const type = /^[a-z]+\.(?:html|js|css)$/.test(name) && `${TYPES[name.split('.')[1]]}; charset=utf-8`;
    const text = type && (await readFile(new URL(name, FILES)).catch(() => undefined));
    return text ? say(200, type, text) : say(404, 'text/plain', 'not here\n');
  }
}

function tier(name, { hits, lookups, requests }, entries, limit) {
  return {
    tier: name, entries, bytes: entries * 6_593, limit_bytes: limit, hits, misses: lookups - hits,
    insertions: requests - hits, evictions: 0, average_age_seconds: 184.2, breaker: 'closed',
  };
}

function provider(name, others) {
  const idle = { name, breaker: 'closed', calls: 0, failures: 0, open: 0, active: 0, limit: 64, waiting: 0 };
  return { ...idle, ...others };
}
