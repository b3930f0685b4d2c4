// Reading the boards, and what is in their queries. Knows no rule of style and no server.

import { readFileSync, readdirSync } from 'node:fs';

export const home = new URL('../../dashboards/', import.meta.url);

/** Every board with its file's name, without the ending. */
export function boards() {
  const files = readdirSync(home).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => {
    const text = readFileSync(new URL(file, home), 'utf8');
    return { name: file.slice(0, -'.json'.length), board: JSON.parse(text) };
  });
}

/** The variables of a board that are asked of Prometheus. */
export function asked(board) {
  return board.templating.list.filter((variable) => variable.type === 'query');
}

/** The selectors of an expression: the metric's name, its matchers, and the window behind it. */
export function selectors(expr) {
  const found = expr.matchAll(/(?<![\w:])([a-z_][\w:]*)\{([^}]*)\}(?:\[([^\]]*)\])?/g);
  return [...found].map(([, metric, matchers, window]) => ({ metric, matchers, window }));
}

/** The names of larder's and the process's own series in an expression, none of recorded ones. */
export function names(expr) {
  return [...expr.matchAll(/(?<![\w:])(?:larder|process)_\w+(?![\w:])/g)].map(([name]) => name);
}

/** `label_values(series, label)`, taken apart. */
export function labelValues(query) {
  const [, series, label] = /^label_values\((.*), (\w+)\)$/.exec(query);
  return { series, label };
}

/** An expression with its variables replaced, as Grafana does before it sends it. */
export function substituted(expr, values) {
  return expr.replace(/\$(\w+)/g, (whole, name) => values[name] ?? whole);
}
