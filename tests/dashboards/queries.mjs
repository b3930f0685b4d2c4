// Asks a real Prometheus, which has scraped a real larder under load, every query of the boards and rules:
// no error, data, and no series that larder does not export.
//
//   node queries.mjs PROMETHEUS_URL METRICS_URL

import { asked, boards, labelValues, names, substituted } from './boards.mjs';
import { Checks } from './checks.mjs';
import { COMING, MAY_BE_EMPTY } from './expected.mjs';

const [prometheus, metrics] = process.argv.slice(2);
const checks = new Checks('queries');
const SECONDS = 60;
const now = Date.now() / 1000;
const RANGE = { start: now - SECONDS, end: now, step: 1 };

async function api(path, parameters) {
  const response = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = await response.json();
  if (status !== 'success') throw new Error(error);
  return data;
}

const exposed = await (await fetch(metrics)).text();
const exported = new Set([...exposed.matchAll(/^([a-z_]+)[ {]/gm)].map(([, name]) => name));
for (const name of COMING.filter((coming) => exported.has(coming))) {
  console.log(`note: ${name} is exported now; take it off the list of coming ones`);
}

/** Whether an expression is of series that the binary does not have yet. */
const coming = (expr) => names(expr).some((name) => COMING.includes(name) && !exported.has(name));

const known = (name) => exported.has(name) || COMING.includes(name);

/** Whether there is a number in a result. */
function hasData(result) {
  const points = result.flatMap(({ value, values }) => values ?? [value]);
  return points.some(([, value]) => value !== 'NaN');
}

function checkNames(where, expr) {
  for (const name of names(expr)) checks.ok(known(name), `${where}: larder does not export ${name}`);
}

function checkData(where, expr, result) {
  const fine = hasData(result) || where in MAY_BE_EMPTY || coming(expr);
  checks.ok(fine, `${where}: no data: ${expr}`);
}

/** The values that a board's variables have when All is chosen. */
async function variables(name, board) {
  const values = { __rate_interval: '5s', __range: `${SECONDS}s` };
  for (const variable of asked(board)) {
    const { series, label } = labelValues(variable.query.query);
    checkNames(`${name}/$${variable.name}`, series);
    const match = { 'match[]': substituted(series, values), ...RANGE };
    const found = new Set((await api('series', match)).map((labels) => labels[label]));
    checks.ok(found.size > 0, `${name}/$${variable.name}: no values`);
    values[variable.name] = variable.allValue ?? [...found].join('|');
  }
  return values;
}

async function checkBoard(name, board) {
  const values = await variables(name, board);
  for (const panel of board.panels) {
    for (const { expr: written, instant } of panel.targets) {
      const where = `${name}/${panel.title}`;
      const query = substituted(written, values);
      checkNames(where, written);
      const answer = await (instant ? api('query', { query, time: now }) : api('query_range', { query, ...RANGE }))
        .catch((error) => checks.ok(false, `${where}: ${error.message}`));
      if (answer) checkData(where, written, answer.result);
    }
  }
}

async function checkRules() {
  const { groups } = await api('rules', {});
  const rules = groups.flatMap((group) => group.rules);
  checks.ok(rules.length > 0, 'Prometheus has loaded no rules');
  for (const { name, type, query, health, lastError } of rules) {
    checks.ok(health === 'ok', `${name}: ${health} ${lastError}`);
    checkNames(name, query);
    if (type === 'recording') {
      const { result } = await api('query_range', { query: name, ...RANGE });
      checkData(name, query, result);
    }
  }
}

/** Mistakes that must be found. */
async function checkPlanted() {
  checks.ok(!known('larder_no_such_series'), 'does not find a series that is not exported');
  const { result } = await api('query', { query: '0 / (larder_flights{job="none"} > 0)', time: now });
  checks.ok(!hasData(result), 'does not find a query without data');
  const refused = await api('query', { query: 'sum(', time: now }).then(() => false, () => true);
  checks.ok(refused, 'does not find a query that is none');
}

const all = boards();
await checkPlanted();
for (const { name, board } of all) await checkBoard(name, board);
await checkRules();

const titled = new Set(all.flatMap(({ name, board }) => board.panels.map(({ title }) => `${name}/${title}`)));
for (const where of Object.keys(MAY_BE_EMPTY)) {
  checks.ok(titled.has(where) || where.includes(':'), `${where} may be empty, but is not there`);
}
checks.end();
