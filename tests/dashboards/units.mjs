// Holds every unit against those that Grafana has.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { boards } from './boards.mjs';
import { Checks } from './checks.mjs';

// Grafana's library looks at the browser that it runs in when it is loaded; node loads only its CommonJS. Its
// units are loaded by their file: other parts require ES modules, which Debian 12's Node.js 18 cannot.
globalThis.navigator ??= { userAgent: '', platform: '', languages: ['en'] };
const file = './node_modules/@grafana/data/dist/cjs/valueFormats/valueFormats.cjs';
const { getValueFormats } = createRequire(import.meta.url)(fileURLToPath(new URL(file, import.meta.url)));

const known = new Set(getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value)));
const checks = new Checks('units');
for (const { name, board } of boards()) {
  for (const { title, fieldConfig } of board.panels) {
    const { unit } = fieldConfig.defaults;
    checks.ok(known.has(unit), `${name}: ${title}: Grafana has no unit ${unit}`);
  }
}
checks.ok(known.size > 200 && !known.has('percentunits'), 'does not find a unit that is none');
checks.end();
