// What the page computes and how it writes numbers, without a browser.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

// The page's files are ES modules by their `<script type="module">`. Debian 12's Node.js 18 goes by the name of
// a file alone, and takes `.js` for CommonJS.
const module = (name) => {
  const text = readFileSync(new URL(`../../src/gate/page/${name}`, import.meta.url), 'utf8');
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
};
const { History, grown, perSecond, quantile, ratio } = await module('history.js');
const { bytes, count, dollars, mean, percent, rate, seconds } = await module('text.js');

const BOUNDS = [0.1, 0.2, 0.4];
const point = (t, hits, lookups, hit = [0, 0, 0, 0]) => ({ t, hits, lookups, hit });
const answer = (started, now, points) => ({ started, now, history: { interval_seconds: 5, bounds: BOUNDS, points } });

test('numbers have their units', () => {
  const written = [
    [count(1234), '1,234'], [count(0), '0'], [mean(12.04), '12'], [mean(3.456), '3.46'], [rate(0.5), '0.5/s'],
    [percent(0.8), '80 %'], [percent(0.8767), '87.7 %'],
    [dollars(0.42), '$0.42'], [dollars(1234.5), '$1,234.50'], [dollars(0.00123), '$0.0012'], [dollars(0), '$0.00'],
    [seconds(0.0000123), '12.3 µs'], [seconds(0.0123), '12.3 ms'], [seconds(1.5), '1.5 s'], [seconds(119), '119 s'],
    [seconds(600), '10 min'], [seconds(7200), '2 h'], [seconds(864_000), '10 d'], [seconds(0), '0 s'],
    [bytes(512), '512 B'], [bytes(1536), '1.5 KiB'], [bytes(2 ** 28), '256 MiB'],
  ];
  for (const [text, expected] of written) assert.equal(text, expected);
});

test('what is unknown is a dash', () => {
  for (const write of [count, mean, rate, percent, dollars, seconds, bytes]) {
    for (const unknown of [null, undefined, NaN, Infinity]) assert.equal(write(unknown), '–');
  }
});

test('a figure is a difference over its span', () => {
  const history = new History();
  history.add(answer(0, 1_020, [point(1_000, 10, 20), point(1_005, 14, 25), point(1_010, 14, 25), point(1_015, 18, 45)]));
  assert.equal(history.last(5, ratio('hits', 'lookups')), 0.2);
  assert.equal(history.last(300, ratio('hits', 'lookups')), 8 / 25);
  assert.equal(history.last(300, grown('hits')), 8);
  assert.equal(history.last(10, perSecond('lookups')), 2);
  assert.deepEqual(history.over(5, ratio('hits', 'lookups')), [NaN, 0.8, NaN, 0.2]);
  assert.equal(history.since, 1_015);
});

test('points that are a little early or late are of the same span', () => {
  const history = new History();
  history.add(answer(0, 40, [0.02, 5.01, 9.99, 15].map((t, at) => point(1_000 + t, at, at))));
  assert.equal(history.last(10, grown('hits')), 2);
});

test('points of another process do not go on from those of the last', () => {
  const history = new History();
  history.add(answer(1_000, 1_010, [point(1_005, 300, 400), point(1_010, 300, 400)]));
  history.add(answer(1_100, 1_106, [point(1_100, 0, 0), point(1_105, 1, 4)]));
  assert.equal(history.last(300, ratio('hits', 'lookups')), 0.25);
});

test('points are kept for a quarter of an hour', () => {
  const history = new History();
  for (let t = 5; t <= 3_600; t += 5) history.add(answer(0, t + 1, [point(t, t, t)]));
  assert.equal(history.points.length, 181);
  assert.equal(history.last(10_000, grown('hits')), 900);
});

test('a quantile is told from the counts of the buckets', () => {
  const history = new History();
  history.add(answer(0, 10, [point(1, 0, 0, [5, 5, 5, 5]), point(6, 0, 0, [15, 15, 5, 5])]));
  const last = (q) => history.last(300, quantile('hit', q));
  assert.equal(last(0.25), 0.05);
  assert.equal(last(0.5), 0.1);
  assert.ok(Math.abs(last(0.95) - 0.19) < 1e-9);
  assert.equal(last(1), 0.2);
});

test('a quantile above the last bound is that bound, and one of nothing is unknown', () => {
  const history = new History();
  history.add(answer(0, 10, [point(1, 0, 0), point(6, 0, 0, [0, 0, 0, 7]), point(11, 0, 0, [0, 0, 0, 7])]));
  assert.deepEqual(history.over(5, quantile('hit', 0.5)), [NaN, 0.4, NaN]);
});
