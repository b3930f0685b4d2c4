// Plots over time, drawn by hand as SVG: lines named at their ends, a legend with the values, and the same
// figures as a table for whoever does not see the picture.

import { clock, element, put, table } from './text.js';

const WINDOW = 30; // seconds that each point is of
const EDGE = { left: 50, right: 62, top: 8, bottom: 20 }; // pixels
const STEPS = [10, 30, 60, 120, 300]; // seconds between two times on the axis
const NAMES_APART = 12; // pixels

function drawn(tag, attributes, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** Where a value is, from 0 at the bottom to 1, and what to write beside the axis. */
function scale(kind, values) {
  if (kind === 'share') return { place: (value) => value, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] };
  if (kind === 'log') {
    const [least, most] = values.length ? [Math.min(...values), Math.max(...values)] : [1e-3, 1];
    const low = Math.floor(Math.log10(least));
    const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
    const ticks = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
    return { place: (value) => (Math.log10(value) - low) / (high - low), ticks };
  }
  const most = Math.max(0, ...values) || 1;
  const decade = 10 ** Math.floor(Math.log10(most / 4));
  const step = decade * [1, 2, 5, 10].find((factor) => 4.001 * factor * decade >= most);
  return { place: (value) => value / (4 * step), ticks: [0, step, 2 * step, 3 * step, 4 * step] };
}

/** A line that is broken where a value is unknown; one value alone is a dot, by its round cap. */
function path(values, x, y) {
  const known = (at) => Number.isFinite(values[at]);
  return values
    .map((value, at) => (known(at) ? `${known(at - 1) ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}h0` : ''))
    .join('');
}

export class Plot {
  /** Lines are {name, figure, kind, dashed, label}; a label is what stands at the line's end. */
  constructor(id, { format, scale: kind = 'linear', lines }) {
    Object.assign(this, { format, kind, lines });
    const figure = document.getElementById(id);
    this.title = figure.querySelector('figcaption').textContent;
    this.svg = figure.appendChild(drawn('svg', { role: 'img' }));
    this.legend = figure.appendChild(element('ul', '', 'legend'));
    this.when = this.legend.appendChild(element('li'));
    for (const line of lines) {
      const item = this.legend.appendChild(element('li', `${line.name} `, line.kind));
      line.value = item.appendChild(element('b'));
    }
    this.details = figure.appendChild(element('details'));
    this.details.append(element('summary', 'As a table'), element('div', '', 'scroll'));
    this.table = this.details.lastChild.appendChild(element('table'));
    this.details.addEventListener('toggle', () => this.tell());
    this.svg.addEventListener('pointermove', (event) => this.point(event.offsetX));
    this.svg.addEventListener('pointerleave', () => this.point());
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  /** Takes over the history, and draws it. */
  show(history) {
    this.times = history.points.map(({ t }) => t);
    for (const line of this.lines) line.values = history.over(WINDOW, line.figure);
    this.draw();
    this.tell();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.svg;
    if (!this.times?.length || !width) return;
    const known = this.lines.flatMap(({ values }) => values.filter(Number.isFinite));
    const { place, ticks } = scale(this.kind, known);
    const from = this.times[0];
    const to = Math.max(this.times.at(-1), from + 60);
    const along = (time) => EDGE.left + ((time - from) / (to - from)) * (width - EDGE.left - EDGE.right);
    this.x = (at) => along(this.times[at]);
    const y = (value) => EDGE.top + (1 - place(value)) * (height - EDGE.top - EDGE.bottom);
    const paths = this.lines.map(({ values, kind, dashed }) =>
      drawn('path', { d: path(values, this.x, y), class: dashed ? `${kind} dashed` : kind }));
    this.cursor = drawn('line', { class: 'cursor', y1: EDGE.top, y2: height - EDGE.bottom, visibility: 'hidden' });
    const axes = [...this.levels(ticks, y, width), ...moments(from, to, along, height)];
    this.svg.replaceChildren(...axes, ...paths, ...this.names(y, width), this.cursor);
    this.point(this.pointer);
  }

  /** The grid. */
  levels(ticks, y, width) {
    const across = (value, kind) =>
      drawn('line', { class: kind, x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) });
    return ticks.flatMap((value) => [
      across(value, 'grid'),
      drawn('text', { class: 'end', x: EDGE.left - 6, y: y(value) + 4 }, this.format(value)),
    ]);
  }

  /** The names at the ends of the lines, pushed apart where they would cover each other. */
  names(y, width) {
    const ends = this.lines
      .filter(({ label, values }) => label && values.some(Number.isFinite))
      .map(({ label, kind, values }) => ({ label, kind, below: y(values.findLast(Number.isFinite)) + 4 }))
      .sort((one, other) => one.below - other.below);
    ends.forEach((end, at) => {
      if (at > 0) end.below = Math.max(end.below, ends[at - 1].below + NAMES_APART);
    });
    const x = width - EDGE.right + 5;
    return ends.map(({ label, kind, below }) => drawn('text', { class: kind, x, y: below }, label));
  }

  /** Shows the values below the pointer, or the latest ones. */
  point(pointer) {
    this.pointer = pointer;
    if (!this.times?.length) return;
    let at = this.times.length - 1;
    if (pointer !== undefined) while (at > 0 && this.x(at - 1) > pointer) at -= 1;
    put(this.when, clock(this.times[at]));
    for (const { value, values } of this.lines) put(value, this.format(values[at]));
    this.cursor?.setAttribute('visibility', pointer === undefined ? 'hidden' : 'visible');
    for (const end of ['x1', 'x2']) this.cursor?.setAttribute(end, this.x(at));
  }

  /** The same in words, and minute by minute in the table if it is open. */
  tell() {
    if (!this.times?.length) return;
    const words = this.lines.map(({ name, values }) => {
      const known = values.filter(Number.isFinite);
      if (!known.length) return `${name}: nothing yet`;
      const [now, least, most] = [values.at(-1), Math.min(...known), Math.max(...known)].map(this.format);
      return `${name}: now ${now}, lowest ${least}, highest ${most}`;
    });
    const span = `from ${clock(this.times[0])} to ${clock(this.times.at(-1))}`;
    this.svg.setAttribute('aria-label', `${this.title}, ${span}. ${words.join('; ')}.`);
    if (!this.details.open) return;
    const minute = (at) => Math.floor(this.times[at] / 60);
    const ends = [...this.times.keys()].filter((at) => minute(at) !== minute(at + 1)); // the last one, too: NaN
    const columns = this.lines.map(({ name, values }) => [name, (at) => this.format(values[at]), 'number']);
    table(this.table, [['Time', (at) => clock(this.times[at])], ...columns], ends.reverse());
  }
}

/** The times below the plot. */
function moments(from, to, along, height) {
  const step = STEPS.find((seconds) => (to - from) / seconds <= 4) ?? STEPS.at(-1);
  const first = Math.ceil(from / step) * step;
  const times = Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, at) => first + at * step);
  const name = (time) => clock(time).slice(0, step < 60 ? 'hh:mm:ss'.length : 'hh:mm'.length);
  return times.map((time) => drawn('text', { class: 'middle', x: along(time), y: height - 4 }, name(time)));
}
