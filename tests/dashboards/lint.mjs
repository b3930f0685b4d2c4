// Holds every board against the house rules, and every rule against a mistake that it must find.

import * as rules from './rules.mjs';
import { boards } from './boards.mjs';
import { Checks } from './checks.mjs';

const checks = new Checks('lint');
const all = boards();
const found = (rule, board, name) => [...rules[rule](board, name)];

for (const { name, board } of all) {
  for (const rule of Object.keys(rules)) {
    const wrong = found(rule, board, name);
    checks.ok(wrong.length === 0, `${name}: ${rule}: ${wrong.join('; ')}`);
  }
}

const expr = (change) => (board) => {
  const target = board.panels[0].targets[0];
  target.expr = change(target.expr);
};
const PLANTED = [
  ['frame', 'another uid', (board) => { board.uid = 'x'; }],
  ['frame', 'editable', (board) => { board.editable = true; }],
  ['frame', 'a schema too old', (board) => { board.schemaVersion = 38; }],
  ['frame', 'inputs of the import dialog', (board) => { board.__inputs = []; }],
  ['links', 'no links', (board) => { board.links = []; }],
  ['variables', 'a fixed instance', (board) => { board.templating.list.splice(2, 1); }],
  ['variables', 'no All', (board) => { board.templating.list[1].includeAll = false; }],
  ['variables', 'another query', (board) => { board.templating.list[1].query.query = 'label_values(up, job)'; }],
  ['panels', 'no unit', (board) => { delete board.panels[0].fieldConfig.defaults.unit; }],
  ['panels', 'no text for no data', (board) => { delete board.panels[0].fieldConfig.defaults.noValue; }],
  ['panels', 'no description', (board) => { delete board.panels[0].description; }],
  ['panels', 'one title twice', (board) => { board.panels[0].title = board.panels[1].title; }],
  ['panels', 'a data source by its uid', (board) => { board.panels[0].datasource.uid = 'abc'; }],
  ['layout', 'one panel above another', (board) => { board.panels[1].gridPos.x -= 1; }],
  ['matchers', 'no instance', expr((is) => is.replace(',instance=~"$instance"', ''))],
  ['matchers', 'no matchers', expr((is) => `${is} + larder_flights`)],
  ['matchers', 'a provider that is not chosen', expr((is) => is.replace(',upstream=~"$upstream"', '')), 'upstreams'],
  ['windows', 'a fixed window', expr((is) => is.replace('$__rate_interval', '5m'))],
  ['windows', 'a counter as it is', expr((is) => is.replace('[$__rate_interval]', ''))],
  ['divisions', 'a divisor that may be 0', expr((is) => is.replace(' > 0)', ')'))],
  ['bounds', 'a bound of Prometheus 2 alone', expr(() => 'sum(rate(a_bucket{le="2"}[$__rate_interval]))')],
  ['legends', 'a label that is not shown', expr((is) => is.replace('sum(', 'sum by (tier) ('))],
];
for (const [rule, mistake, plant, where = 'overview'] of PLANTED) {
  const board = structuredClone(all.find(({ name }) => name === where).board);
  plant(board);
  checks.ok(found(rule, board, where).length > 0, `${rule} does not find ${mistake}`);
}
for (const rule of Object.keys(rules)) {
  checks.ok(PLANTED.some(([planted]) => planted === rule), `${rule} has no planted mistake`);
}
checks.end();
