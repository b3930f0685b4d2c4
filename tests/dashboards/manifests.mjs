// Holds what is written beside the boards: alerts say what to do and are tested, provisioning is whole.

import { readFileSync, readdirSync } from 'node:fs';

import { parse } from 'yaml';

import { home } from './boards.mjs';
import { Checks } from './checks.mjs';

const read = (path) => parse(readFileSync(new URL(path, home), 'utf8'));
const checks = new Checks('manifests');

const tests = readdirSync(new URL('tests/', home)).flatMap((file) => read(`tests/${file}`).tests);
const expected = tests.flatMap((test) => test.alert_rule_test ?? []);
const alerts = read('alerts.yaml').groups.flatMap((group) => group.rules);
for (const { alert, labels, annotations } of alerts) {
  const own = expected.filter(({ alertname }) => alertname === alert);
  checks.ok(own.some(({ exp_alerts }) => exp_alerts.length > 0), `${alert}: no test in which it fires`);
  checks.ok(own.some(({ exp_alerts }) => exp_alerts.length === 0), `${alert}: no test in which it is silent`);
  checks.ok(['critical', 'warning', 'info'].includes(labels?.severity), `${alert}: no severity`);
  checks.ok(annotations?.summary && annotations.description?.endsWith('.'), `${alert}: no summary or description`);
}
const listed = readFileSync(new URL('README.md', home), 'utf8');
for (const { alert } of alerts) checks.ok(listed.includes(`| ${alert} |`), `${alert} is not in README.md`);

for (const { record } of read('rules.yaml').groups.flatMap((group) => group.rules)) {
  checks.ok(/^[a-z_]+:[a-z_]+:[a-z0-9_]+$/.test(record), `${record} is not level:metric:operation`);
}

const [source] = read('provisioning/datasources/larder.yaml').datasources;
checks.ok(source.type === 'prometheus' && source.access === 'proxy' && source.url && source.uid,
  'the data source is not whole');
checks.ok(source.jsonData.timeInterval && source.editable === false,
  'the data source does not say its scrape interval, or is editable');
const [provider] = read('provisioning/dashboards/larder.yaml').providers;
checks.ok(provider.type === 'file' && provider.name && provider.options.path.startsWith('/'),
  'the provider of the boards is not whole');
checks.end();
