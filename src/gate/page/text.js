// Numbers as text, and text on the page.
//
// What is unknown, null or NaN, is a dash. Whatever comes from outside goes through textContent, so that it
// is never anything but text.

const digits = (options) => new Intl.NumberFormat('en', options);
const whole = digits({ maximumFractionDigits: 0 });
const three = digits({ maximumSignificantDigits: 3 });
const two = digits({ maximumSignificantDigits: 2 });
const cents = digits({ style: 'currency', currency: 'USD' });
const tenths = digits({ maximumFractionDigits: 1 });
const known = (format) => (value) => (Number.isFinite(value) ? format(value) : '–');

/** Units are [from which value on, size, name], the largest first. */
const inUnits = (units) =>
  known((value) => {
    const [, size, name] = units.find(([least]) => value >= least);
    return `${three.format(value / size)} ${name}`;
  });

export const count = known((value) => whole.format(value));
export const mean = known((value) => three.format(value));
export const rate = known((value) => `${three.format(value)}/s`);
export const percent = known((value) => `${tenths.format(value * 100)} %`);
export const dollars = known((value) => (value > 0 && value < 0.01 ? `$${two.format(value)}` : cents.format(value)));
export const seconds = inUnits([
  [172_800, 86_400, 'd'],
  [7_200, 3_600, 'h'],
  [120, 60, 'min'],
  [1, 1, 's'],
  [1e-3, 1e-3, 'ms'],
  [Number.MIN_VALUE, 1e-6, 'µs'],
  [-Infinity, 1, 's'],
]);
export const bytes = inUnits([
  [2 ** 40, 2 ** 40, 'TiB'],
  [2 ** 30, 2 ** 30, 'GiB'],
  [2 ** 20, 2 ** 20, 'MiB'],
  [2 ** 10, 2 ** 10, 'KiB'],
  [-Infinity, 1, 'B'],
]);

/** The time of day here. */
export const clock = (time) => new Date(time * 1000).toLocaleTimeString('en-GB');

export const byId = (id) => document.getElementById(id);

export function element(tag, text = '', kind = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  return made;
}

/** Leaves alone what did not change, so that a selection in it survives. */
export function put(place, text, tone = '') {
  if (place.textContent !== text) place.textContent = text;
  for (const name of ['good', 'bad']) place.classList.toggle(name, name === tone);
}

function head(place, columns) {
  const cells = columns.map(([heading, , kind]) => element('th', heading, kind));
  for (const cell of cells) cell.scope = 'col';
  place.createTHead().insertRow().append(...cells);
  place.createTBody();
}

function line(body, columns) {
  const cells = columns.map(([, , kind], at) => element(at === 0 ? 'th' : 'td', '', kind));
  cells[0].scope = 'row';
  body.insertRow().append(...cells);
}

/** Columns are [heading, function of a row that says a text or [text, tone], kind]. */
export function table(place, columns, rows) {
  if (!place.tHead) head(place, columns);
  const [body] = place.tBodies;
  while (body.rows.length > Math.max(rows.length, 1)) body.deleteRow(-1);
  while (body.rows.length < Math.max(rows.length, 1)) line(body, columns);
  if (rows.length === 0) columns.forEach((_, at) => put(body.rows[0].cells[at], at === 0 ? 'none' : ''));
  rows.forEach((row, below) => {
    columns.forEach(([, say], at) => put(body.rows[below].cells[at], ...[say(row)].flat()));
  });
}
