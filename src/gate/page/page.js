// larder's status page: asks /api/stats every two seconds, and shows what it says.

import { connect } from './connect.js';
import { History, grown, perSecond, quantile, ratio } from './history.js';
import { Plot } from './plot.js';
import { byId, bytes, clock, count, dollars, mean, percent, put, rate, seconds, table } from './text.js';

const POLL = 2_000; // milliseconds
const PATIENCE = 5_000;
const NOW = 300; // seconds
const ESTIMATE = '≈ ';

const history = new History();
let token = '';
let lost; // since when larder does not answer
let timer;
let busy = false;

const latency = (name, label, key) =>
  [0.5, 0.95].map((q) => ({
    name: `${name} p${q * 100}`,
    label: q === 0.5 ? label : undefined,
    figure: quantile(key, q),
    kind: key,
    dashed: q !== 0.5,
  }));

const plots = [
  new Plot('hits', {
    format: percent,
    scale: 'share',
    lines: [{ name: 'hit rate', figure: ratio('hits', 'lookups'), kind: 'hit' }],
  }),
  new Plot('latency', {
    format: seconds,
    scale: 'log',
    lines: [
      ...latency('hit', 'hit', 'hit'),
      ...latency('miss', 'miss', 'miss'),
      ...latency('provider call', 'provider', 'upstream'),
    ],
  }),
  new Plot('traffic', {
    format: rate,
    lines: [
      { name: 'requests', label: 'requests', figure: perSecond('requests'), kind: 'hit' },
      { name: 'provider calls', label: 'calls', figure: perSecond('calls'), kind: 'upstream' },
      { name: 'calls saved', label: 'saved', figure: perSecond('calls_saved'), kind: 'miss', dashed: true },
    ],
  }),
];

const sum = (parts) => (parts ? Object.values(parts).reduce((all, part) => all + part, 0) : NaN);
const saved = (parts) => (parts ? parts.hit + parts.collapsed : NaN);
const share = (part, rest) => percent(part / (part + rest));

/** A breaker in words: what it protects is used, or since when and why it is not. */
function tone({ breaker, since, reason }) {
  if (breaker === 'closed') return ['ok', 'good'];
  if (breaker !== 'open' && breaker !== 'half_open') return [breaker ?? '–', 'bad'];
  const when = since ? ` since ${clock(since)}` : '';
  return [`down${when}${reason ? `: ${reason}` : ''}`, 'bad'];
}

/** The reason of requests that all failed; nothing if one succeeded. */
function failing({ responses, failed = [] }) {
  if (!responses || failed.reduce((all, { count: times }) => all + times, 0) < responses) return [];
  const [{ status, code, provider, reason }] = failed;
  const why = `${status} ${code ?? `from ${provider}`}${reason ? `: ${reason}` : ''}`;
  return [`all requests failed (${count(responses)}): ${why}`];
}

/** The state of the whole, and its tone: what is down, and that nothing succeeds, comes before Ready. */
function state(stats) {
  if (!stats.ready) return ['Draining: no new requests accepted', 'bad'];
  const down = [...stats.tiers, ...stats.providers].filter(({ breaker }) => breaker && breaker !== 'closed');
  const parts = down.map((one) => `${one.tier ? `tier ${one.tier}` : one.name} ${tone(one)[0]}`);
  const all = failing(stats);
  if (parts.length) return [`Degraded: ${[...parts, ...all].join('; ')}`, 'bad'];
  return all.length ? [`Ready, but ${all[0]}`, 'bad'] : ['Ready', 'good'];
}

function showNow({ batches }) {
  const now = (figure) => history.last(NOW, figure);
  const hits = now(ratio('hits', 'lookups'));
  put(byId('now-hit'), percent(hits));
  put(byId('now-hit-note'), `${count(now(grown('hits')))} of ${count(now(grown('lookups')))} inputs`);
  for (const [id, key] of [['fast', 'hit'], ['miss', 'miss']]) {
    put(byId(`now-${id}`), seconds(now(quantile(key, 0.5))));
    put(byId(`now-${id}-note`), `p95 ${seconds(now(quantile(key, 0.95)))}`);
  }
  const failures = now(grown('failures'));
  put(byId('now-requests'), rate(now(perSecond('requests'))));
  put(byId('now-requests-note'), `${count(failures)} failed`, failures > 0 ? 'bad' : '');
  put(byId('now-calls'), rate(now(perSecond('calls'))));
  put(byId('now-calls-note'), `${count(now(grown('calls_saved')))} saved`);
  put(byId('now-batch'), mean(now(ratio('inputs', 'batches'))));
  const sent = `${count(now(grown('inputs')))} in ${count(now(grown('batches')))}`;
  put(byId('now-batch-note'), `${sent}; since the start ${mean(batches.inputs / batches.calls)}`);
}

/** The billed tokens by kind. */
function billedTokens(tokens) {
  const kinds = Object.entries(tokens?.billed ?? {});
  return `Tokens billed: ${kinds.map(([kind, number]) => `${count(number)} ${kind.replaceAll('_', ' ')}`).join(', ')}.`;
}

/** Sentences on the providers' own prompt caches, and on calls that are not in the cost. */
function billing({ unpriced }, money) {
  const { saved = 0, spent = 0 } = money?.prompt_cache ?? {};
  return [
    saved > 0 && `The providers' prompt caches took off ${dollars(saved)}, and writing to them cost ${dollars(spent)}.`,
    unpriced?.price > 0 && `${count(unpriced.price)} calls have no price: add it to [prices].`,
    unpriced?.usage > 0 && `${count(unpriced.usage)} calls reported no usage.`,
  ];
}

/** What was paid for beside what was not, and why not. */
function showSavings({ totals: { calls, tokens, dollars: money, seconds: time }, prices }) {
  const priced = prices?.estimated ? ESTIMATE : '';
  const timed = time?.estimated ? ESTIMATE : '';
  const rows = [
    ['Calls', count(calls.made), count(sum(calls.saved)), calls.saved, count, share(sum(calls.saved), calls.made)],
    ['Tokens', count(sum(tokens?.billed)), count(saved(tokens?.avoided)), { hit: tokens?.avoided?.hit, collapsed: tokens?.avoided?.collapsed }, count,
      share(saved(tokens?.avoided), sum(tokens?.billed))],
    ['Money', priced + dollars(money?.billed), priced + dollars(money?.avoided), money?.avoided_by,
      (value) => priced + dollars(value),
      share(money?.avoided, money?.billed)],
    ['Waiting', '', timed + seconds(sum(time?.avoided)), time?.avoided, (value) => timed + seconds(value), ''],
  ];
  const why = (reason) => ([, , , parts, format]) => (parts?.[reason] === undefined ? '' : format(parts[reason]));
  table(byId('savings'), [
    ['', ([what]) => what],
    ['Made, billed', ([, billed]) => billed, 'number'],
    ['Saved', ([, , avoided]) => avoided, 'number'],
    ['Share', (row) => row.at(-1), 'number'],
    ['by cache hits', why('hit'), 'number'],
    ['by coalescing', why('collapsed'), 'number'],
    ['by batching', why('batched'), 'number'],
  ], rows);
  const notes = [
    priced && `money from the prices of ${prices.date}`,
    timed && 'time from the mean duration of provider calls',
  ].filter(Boolean);
  const estimates = notes.length ? `≈ marks estimates: ${notes.join('; ')}.` : '';
  put(byId('savings-note'), [billedTokens(tokens), ...billing(calls, money), estimates].filter(Boolean).join(' '));
}

function showAccounts({ accounts, prices }) {
  const priced = prices?.estimated ? ESTIMATE : '';
  const money = (kind) => ({ dollars: known }) => (known ? priced : '') + dollars(known?.[kind]);
  table(byId('accounts'), [
    ['Provider', ({ provider }) => provider],
    ['Model', ({ model }) => model, 'name'],
    ['Operation', ({ operation }) => operation],
    ['Requests', ({ requests }) => count(requests), 'number'],
    ['Inputs', ({ inputs }) => count(sum(inputs)), 'number'],
    ['Hit rate', ({ inputs }) => share(inputs?.hit, sum(inputs) - inputs?.hit), 'number'],
    ['Calls', ({ calls }) => count(calls.made), 'number'],
    ['Calls saved', ({ calls }) => count(sum(calls.saved)), 'number'],
    ['Tokens', ({ tokens }) => count(sum(tokens?.billed)), 'number'],
    ['Tokens saved', ({ tokens }) => count(saved(tokens?.avoided)), 'number'],
    ['Money', money('billed'), 'number'],
    ['Money saved', money('avoided'), 'number'],
  ], accounts.toSorted((one, other) => other.requests - one.requests));
}

function showTiers({ tiers }) {
  const size = ({ bytes: held, limit_bytes: limit }) =>
    limit ? `${bytes(held)} of ${bytes(limit)} (${percent(held / limit)})` : bytes(held);
  table(byId('tiers'), [
    ['Tier', ({ tier }) => tier],
    ['Entries', ({ entries }) => count(entries), 'number'],
    ['Size', size, 'number'],
    ['Hits', ({ hits }) => count(hits), 'number'],
    ['Misses', ({ misses }) => count(misses), 'number'],
    ['Hit rate', ({ hits, misses }) => share(hits, misses), 'number'],
    ['Stored', ({ insertions }) => count(insertions), 'number'],
    ['Evicted', ({ evictions }) => count(evictions), 'number'],
    ['Mean age', ({ average_age_seconds: age }) => seconds(age), 'number'],
    ['State', tone, 'state'],
  ], tiers);
}

function showProviders({ providers }) {
  const used = ({ breaker, calls, open, waiting }) => breaker !== 'closed' || calls || open || waiting;
  const failed = ({ calls, failures }) =>
    [failures ? `${count(failures)} (${percent(failures / calls)})` : count(failures), failures ? 'bad' : ''];
  table(byId('providers'), [
    ['Provider', ({ name }) => name],
    ['State', tone, 'state'],
    ['Calls', ({ calls }) => count(calls), 'number'],
    ['Failed', failed, 'number'],
    ['Connections', ({ open }) => count(open), 'number'],
    ['In flight', ({ active, limit }) => (limit ? `${count(active)} of ${count(limit)}` : count(active)), 'number'],
    ['Waiting', ({ waiting }) => count(waiting), 'number'],
  ], providers.filter(used));
  const idle = providers.filter((provider) => !used(provider)).map(({ name }) => name);
  put(byId('idle'), idle.length ? `Not called yet: ${idle.join(', ')}.` : '');
}

function showErrors({ errors }) {
  table(byId('errors'), [
    ['Time', ({ time }) => clock(time)],
    ['Times', ({ count: times }) => count(times), 'number'],
    ['Provider', ({ provider }) => provider ?? '–'],
    ['Model', ({ model }) => model ?? '–', 'name'],
    ['Operation', ({ operation }) => operation ?? '–'],
    ['Status', ({ status }) => String(status ?? '–'), 'number'],
    ['Code', ({ code }) => code ?? '–', 'name'],
    ['Reason', ({ reason }) => reason ?? '–', 'reason'],
  ], errors);
}

function show(stats) {
  byId('ask').hidden = true;
  byId('main').hidden = false;
  byId('empty').hidden = (stats.responses ?? stats.totals.requests) > 0;
  put(byId('version'), stats.version);
  put(byId('life'), `up ${seconds(stats.now - stats.started)}`);
  put(byId('state'), ...state(stats));
  const before = history.since;
  history.add(stats);
  if (history.since !== before) for (const plot of plots) plot.show(history);
  for (const part of [showNow, showSavings, showAccounts, showTiers, showProviders, showErrors]) part(stats);
  connect(stats.proxy);
}

/** Asks for the token, which is then in this page's memory and nowhere else. */
function wantToken() {
  put(byId('state'), token ? 'The admin token was rejected' : 'Admin token required', 'bad');
  token = '';
  byId('ask').hidden = false;
  byId('token').focus();
}

async function ask() {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(`/api/stats?since=${history.since}`, { headers, signal, cache: 'no-store' });
  if (answer.status === 401) return undefined;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

function missed(failure) {
  lost ??= Date.now() / 1000;
  put(byId('state'), `No response from larder since ${clock(lost)} (${failure.message}). Retrying`, 'bad');
}

async function poll() {
  if (busy) return;
  clearTimeout(timer);
  busy = true;
  let more = true;
  try {
    const stats = await ask();
    more = stats !== undefined;
    if (more) show(stats);
    else wantToken();
    lost = undefined;
  } catch (failure) {
    missed(failure);
  } finally {
    busy = false;
  }
  if (more && !document.hidden) timer = setTimeout(poll, POLL);
}

byId('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  token = byId('token').value;
  byId('token').value = '';
  poll();
});
document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : poll()));
poll();
