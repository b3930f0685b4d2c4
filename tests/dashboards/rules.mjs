// The house rules of a board. Each takes a board and its file's name, and says what is wrong.

import { selectors } from './boards.mjs';

const SELECTOR = 'job=~"$job",instance=~"$instance"';
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const VARIABLES = {
  job: 'label_values(larder_build_info, job)',
  instance: 'label_values(larder_build_info{job=~"$job"}, instance)',
  upstream: `label_values(larder_upstream_requests_total{${SELECTOR}}, upstream)`,
};
const COUNTER = /_(total|bucket|sum|count)$/;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function* targets(board) {
  for (const panel of board.panels) {
    for (const target of panel.targets) yield { panel, target };
  }
}

export function* frame(board, name) {
  const wanted = { uid: `larder-${name}`, editable: false, graphTooltip: 1, refresh: '30s' };
  for (const [key, value] of Object.entries(wanted)) {
    if (board[key] !== value) yield `${key} is ${board[key]}, not ${value}`;
  }
  if (!same(board.time, { from: 'now-30m', to: 'now' })) yield 'time is not the last 30 minutes';
  if (!same(board.tags, ['larder', 'sidecar', 'llm', 'cache'])) yield `tags are ${board.tags}`;
  if (board.schemaVersion < 39 || board.schemaVersion > 41) yield 'schemaVersion is not 39 to 41';
  for (const key of ['id', '__inputs', '__requires']) {
    if (key in board) yield `${key} makes a board that cannot be provisioned`;
  }
  if (!board.title.startsWith('larder: ') || !board.description) yield 'no title or description';
}

export function* links(board) {
  const linked = board.links.some((link) => link.type === 'dashboards' && same(link.tags, ['larder'])
    && link.includeVars && link.keepTime);
  if (!linked) yield 'no link to the other boards by tag';
}

export function* variables(board) {
  const [source, ...others] = board.templating.list;
  if (source?.name !== 'datasource' || source.type !== 'datasource' || source.query !== 'prometheus') {
    yield 'the first variable is not the data source';
  }
  const listed = others.map((variable) => variable.name);
  if (!same(listed.slice(0, 2), ['job', 'instance'])) yield `variables are ${listed}`;
  for (const variable of others) {
    const { name, multi, includeAll, allValue, refresh, query, datasource } = variable;
    if (query?.query !== VARIABLES[name]) yield `${name} is asked by ${query?.query}`;
    if (!multi || !includeAll || refresh !== 2) yield `${name} is not multi-select, with All, anew in time`;
    // Providers are those that were called: All is them, and not every one that is built in.
    if (allValue !== (name === 'upstream' ? undefined : '.+')) yield `All of ${name} is ${allValue}`;
    if (!same(datasource, DATASOURCE)) yield `${name} has another data source`;
  }
}

export function* panels(board) {
  const titles = new Set();
  const ids = new Set();
  for (const { id, title, description, datasource, fieldConfig, targets: asks } of board.panels) {
    if (!title || titles.has(title)) yield `a title is missing or there twice: ${title}`;
    if (ids.has(id)) yield `${title}: its id is there twice`;
    if (!description || !description.endsWith('.')) yield `${title}: no description in sentences`;
    if (!fieldConfig.defaults.unit) yield `${title}: no unit`;
    if (!fieldConfig.defaults.noValue) yield `${title}: says No data, and not what that means`;
    if (!same(datasource, DATASOURCE)) yield `${title}: another data source`;
    const steps = fieldConfig.defaults.thresholds?.steps ?? [];
    if (steps[0]?.value !== null) yield `${title}: no thresholds`;
    if (!asks?.length) yield `${title}: no query`;
    titles.add(title);
    ids.add(id);
  }
}

export function* layout(board) {
  const taken = new Set();
  for (const { title, gridPos: { x, y, w, h } } of board.panels) {
    if (x + w > 24) yield `${title}: wider than the board`;
    for (let row = y; row < y + h; row += 1) {
      for (let column = x; column < x + w; column += 1) {
        const cell = `${column},${row}`;
        if (taken.has(cell)) yield `${title}: above another panel`;
        taken.add(cell);
      }
    }
  }
}

export function* matchers(board) {
  const chosen = board.templating.list.some((variable) => variable.name === 'upstream');
  for (const { panel, target } of targets(board)) {
    for (const { metric, matchers: has } of selectors(target.expr)) {
      if (!has.startsWith(SELECTOR)) yield `${panel.title}: ${metric} does not begin with ${SELECTOR}`;
      const byProvider = /^larder_(upstream|batch)/.test(metric);
      if (chosen && byProvider && !has.includes('upstream=~"$upstream"')) {
        yield `${panel.title}: ${metric} does not heed $upstream`;
      }
    }
    const bare = target.expr.match(/(?<![\w:])(?:larder|process)_\w+(?![\w{:])/);
    if (bare) yield `${panel.title}: ${bare[0]} without matchers`;
  }
}

export function* windows(board) {
  for (const { panel, target } of targets(board)) {
    for (const { metric, window } of selectors(target.expr)) {
      if (window && !['$__rate_interval', '$__range'].includes(window)) {
        yield `${panel.title}: a window of ${window}`;
      }
      if (COUNTER.test(metric) !== Boolean(window)) {
        yield `${panel.title}: ${metric} is a counter that is read as it is, or a gauge in a rate`;
      }
    }
  }
}

/** What a `/` is followed by, up to the parenthesis that closes it. */
function divisor(text) {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth === 0) return text.slice(0, at + 1);
  }
  return text;
}

export function* divisions(board) {
  for (const { panel, target } of targets(board)) {
    for (const part of target.expr.split(' / ').slice(1)) {
      if (!/^\(.* > 0\)$/.test(divisor(part))) yield `${panel.title}: divides by what may be 0`;
    }
  }
}

/** Prometheus 3 reads the bound 2 as 2.0, Prometheus 2 as the exporter writes it. */
export function* bounds(board) {
  for (const { panel, target } of targets(board)) {
    for (const [, how, bound] of target.expr.matchAll(/le(=~?)"([^"]*)"/g)) {
      const fraction = how === '=~' && /^\d+\.\d*[1-9]$/.test(bound);
      const whole = how === '=~' && bound.split('|')[1] === `${bound.split('|')[0]}.0`;
      if (!fraction && !whole) yield `${panel.title}: le${how}"${bound}" fits one Prometheus only`;
    }
  }
}

export function* legends(board) {
  for (const { panel, target } of targets(board)) {
    const by = /by \(([^)]*)\)/.exec(target.expr)?.[1].split(', ').filter((label) => label !== 'le');
    const shown = [...(target.legendFormat ?? '').matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    if (target.format !== 'heatmap' && !same([...(by ?? [])].sort(), [...shown].sort())) {
      yield `${panel.title}: grouped by ${by}, but the legend has ${shown}`;
    }
  }
}
