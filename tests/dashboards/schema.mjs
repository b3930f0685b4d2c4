// Holds every board against Grafana's own types: the board, and each panel's options and field settings.

import { fileURLToPath } from 'node:url';

import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

import { boards } from './boards.mjs';
import { Checks } from './checks.mjs';

const path = fileURLToPath(new URL('shapes.ts', import.meta.url));
// Inlined, since Grafana has two types of one name.
const settings = { path, type: 'Shapes', skipTypeCheck: true, expose: 'none', topRef: false };
const { board, options, custom } = createGenerator(settings).createSchema('Shapes').properties;

const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
const byKind = ({ properties }) => Object.fromEntries(
  Object.entries(properties).map(([kind, schema]) => [kind, ajv.compile(schema)]),
);
const fits = { board: ajv.compile(board), options: byKind(options), custom: byKind(custom) };

/** What is wrong with a value, in words. */
function wrong(validate, value) {
  if (!validate) return [': a kind of panel that shapes.ts does not have'];
  if (validate(value)) return [];
  const told = ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`;
  return validate.errors.map(told);
}

function mistakes(value) {
  const found = wrong(fits.board, value);
  for (const { type, title, options: set, fieldConfig } of value.panels) {
    found.push(...wrong(fits.options[type], set).map((is) => `${title}: options${is}`));
    const own = fieldConfig.defaults.custom ?? {};
    found.push(...wrong(fits.custom[type], own).map((is) => `${title}: custom${is}`));
  }
  return found;
}

const checks = new Checks('schema');
const all = boards();
for (const { name, board: value } of all) {
  const found = mistakes(value);
  checks.ok(found.length === 0, `${name}:\n  ${found.join('\n  ')}`);
}

const PLANTED = {
  'a time that is a number': (value) => { value.time.from = 30; },
  'a field that no board has': (value) => { value.style = 'dark'; },
  'thresholds of no mode': (value) => { value.panels[0].fieldConfig.defaults.thresholds.mode = 'x'; },
  'a colour mode that is none': (value) => { value.panels[0].options.colorMode = 'x'; },
  'a width that is a text': (value) => { value.panels[0].gridPos.w = '6'; },
};
for (const [mistake, plant] of Object.entries(PLANTED)) {
  const value = structuredClone(all.find(({ name }) => name === 'overview').board);
  plant(value);
  checks.ok(mistakes(value).length > 0, `does not find ${mistake}`);
}
checks.end();
