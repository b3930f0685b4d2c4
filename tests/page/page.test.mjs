// What the page shows, before a larder that is made up.

import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { test } from 'node:test';

import { POLICY } from './mock.mjs';
import { visiting, withBrowser } from './fixture.mjs';

const FILES = new URL('../../src/gate/page/', import.meta.url);
const number = (text) => Number(text.replaceAll(',', ''));
const row = (visit, table, at = 1) => visit.texts(`#${table} tbody tr:nth-child(${at}) > *`);
const written = async (...which) => (await row(...which)).join('|');

withBrowser();

test('all files together are small', async () => {
  const sizes = await Promise.all((await readdir(FILES)).map(async (name) => (await stat(new URL(name, FILES))).size));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(all < 40 * 1024, `${all} bytes`);
});

test('it opens under the policy, without an error, and asks nobody else', () =>
  visiting({}, async (visit, mock) => {
    assert.equal((await fetch(mock.origin)).headers.get('content-security-policy'), POLICY);
    await visit.until('#state', /^Ready$/);
    await visit.until('#life', /^up [\d.]+ min$/);
    assert.deepEqual(visit.complaints, []);
    assert.deepEqual(visit.elsewhere, []);
    const known = /^\/(?:|[a-z]+\.(?:js|css)|api\/stats\?since=[\d.]+)$/;
    assert.deepEqual(mock.asked.filter((path) => !known.test(path)), []);
  }));

test('with no request yet it says how to send the first', () => {
  const prepare = (mock) => {
    mock.busy = false;
    mock.advance(3);
  };
  return visiting({ prepare }, async (visit, mock) => {
    await visit.until('#first code', /^curl http:\/\/127\.0\.0\.1:5273\/v1\/embeddings .*"input":"hello"/);
    assert.equal(await visit.page.$eval('#empty', ({ hidden }) => hidden), false);
    assert.equal(await visit.text('#now-hit'), '–');
    assert.equal(await visit.text('#errors tbody th'), 'none');
    mock.busy = true;
    await visit.page.waitForFunction(() => document.querySelector('#empty').hidden);
    await visit.until('#now-hit', /^[\d.]+ %$/);
    assert.deepEqual(visit.complaints, []);
  });
});

test('it follows the traffic, and asks only for what is new', () =>
  visiting({}, async (visit, mock) => {
    await visit.until('#savings tbody td', /\d/);
    const [, made] = await row(visit, 'savings');
    await visit.page.waitForFunction(
      (before) => document.querySelector('#savings tbody td').textContent !== before, { timeout: 5_000 }, made);
    assert.ok(number((await row(visit, 'savings'))[1]) > number(made));
    const asked = mock.asked.filter((path) => path.startsWith('/api/stats'));
    assert.equal(asked[0], '/api/stats?since=0');
    assert.equal(asked[1], `/api/stats?since=${mock.started + 121 * 5}`);
  }));

test('the figures of the last minutes are what the counters say', () => {
  const prepare = (mock) => {
    mock.advance(120);
    mock.moving = false;
  };
  return visiting({ prepare }, async (visit, mock) => {
    await visit.until('#now-hit', /%/);
    const [before, after] = [mock.points.at(-61), mock.points.at(-1)];
    const share = (after.hits - before.hits) / (after.lookups - before.lookups);
    assert.ok(Math.abs(parseFloat(await visit.text('#now-hit')) - share * 100) <= 0.05);
    const rate = (after.requests - before.requests) / 300;
    assert.ok(Math.abs(parseFloat(await visit.text('#now-requests')) - rate) <= 0.05);
    assert.match(await visit.text('#now-hit-note'), /^[\d,]+ of [\d,]+ inputs$/);
    assert.doesNotMatch(await visit.text('main'), /target/);
    assert.match(await visit.text('#now-fast'), /^[\d.]+ µs$/);
    assert.match(await visit.text('#now-miss'), /^[\d.]+ ms$/);
    assert.equal(await visit.text('#now-batch'), '12');
  });
});

test('each plot has its lines, says them in words, and as a table', () =>
  visiting({}, async (visit) => {
    await visit.page.waitForSelector('#traffic path');
    for (const [id, lines] of [['hits', 1], ['latency', 6], ['traffic', 3]]) {
      const paths = await visit.page.$$eval(`#${id} path`, (found) => found.map((path) => path.getAttribute('d')));
      assert.equal(paths.length, lines);
      for (const path of paths) {
        assert.ok(path.split('L').length > 100, `${id}: ${path}`);
        assert.doesNotMatch(path, /NaN|Infinity/);
      }
      const words = await visit.page.$eval(`#${id} svg[role=img]`, (svg) => svg.getAttribute('aria-label'));
      assert.equal(words.match(/now [\d.]+[^,]*, lowest [\d.]+[^,]*, highest [\d.]+/g).length, lines, words);
      await visit.page.click(`#${id} summary`);
      await visit.page.waitForSelector(`#${id} tbody tr:nth-child(10)`);
      assert.match((await row(visit, `${id} table`)).join(' '), /^\d\d:\d\d:\d\d [\d.]+ ?[%mµ/]/);
    }
    const axis = await visit.texts('#latency svg text');
    const ticks = ['100 µs', '1 ms', '10 ms', '100 ms', '1 s'];
    for (const text of [...ticks, 'hit', 'miss', 'provider']) assert.ok(axis.includes(text), text);
  }));

test('the values below the pointer are in the legend', () =>
  visiting({}, async (visit) => {
    await visit.page.waitForSelector('#hits path');
    const box = await (await visit.page.$('#hits svg')).boundingBox();
    await visit.page.mouse.move(box.x + 60, box.y + 50);
    const early = parseFloat(await visit.text('#hits .legend b'));
    await visit.page.mouse.move(box.x + 60, box.y - 50);
    assert.ok(early < parseFloat(await visit.text('#hits .legend b')));
  }));

test('savings stand beside what was billed, and estimates are marked', () =>
  visiting({}, async (visit) => {
    await visit.until('#savings tbody td', /\d/);
    assert.deepEqual((await row(visit, 'savings', 1)).map((text) => text.replace(/[\d,.]+/, 'N')),
      ['Calls', 'N', 'N', 'N %', 'N', 'N', 'N']);
    assert.match(await written(visit, 'savings', 3), /^Money\|≈ \$\d+\.\d\d\|≈ \$\d+\.\d\d\|[\d.]+ %\|\|\|$/);
    assert.match(await written(visit, 'savings', 4), /^Waiting\|\|≈ [\d.]+ min\|\|≈ [\d.]+ min\|≈ [\d.]+ m?s\|$/);
    assert.match(await visit.text('#savings-note'), /≈ marks estimates: money from the prices of 2026-11-01; time from/);
    assert.match(await written(visit, 'accounts', 1), /^openai\|text-embedding-3-small\|embed\|.*\|≈ \$[\d.]+\|≈ \$[\d.]+$/);
    assert.match(await written(visit, 'accounts', 2), /^openai\|gpt-5-mini\|chat\|.*\|–\|–$/);
  }));

const REFUSED = 'connection refused by 127.0.0.1:6379';
const HUNG = 'no response from voyage within 1m (first_byte_timeout)';

test('tiers, providers and errors are told', () => {
  const prepare = (mock) => {
    mock.advance(120);
    const code = 'upstream_unreachable';
    const of = { provider: 'openai', model: 'text-embedding-3-small', operation: 'embed' };
    mock.errors = [
      { time: mock.started + 4, ...of, status: 502, code, reason: 'cannot reach openai', count: 3 },
      { time: mock.started + 3, ...of, status: 401, code: null, reason: 'Incorrect API key provided: [key]', count: 1 },
    ];
    mock.breaker = 'half_open';
    mock.down = { since: mock.started + 9, reason: REFUSED };
    mock.voyage = { breaker: 'open', since: mock.started + 8, reason: HUNG };
  };
  return visiting({ prepare }, async (visit) => {
    await visit.until('#errors tbody', /\d/);
    assert.match(await written(visit, 'tiers', 1), /^memory\|[\d,]+\|[\d.]+ MiB of 256 MiB \([\d.]+ %\)\|.*\|3\.07 min\|ok$/);
    assert.match(await written(visit, 'tiers', 2), /^redis\|[\d,]+\|[\d.]+ MiB\|.*\|–\|down since \d\d:\d\d:49: connection refused by 127\.0\.0\.1:6379$/);
    assert.match(await written(visit, 'providers', 1), /^openai\|ok\|[\d,]+\|2 \([\d.]+ %\)\|6\|2 of 64\|0$/);
    assert.match(await written(visit, 'providers', 2), /^voyage\|down since \d\d:\d\d:48: no response .*\|5\|5 \(100 %\)\|0\|0 of 64\|3$/);
    assert.equal(await visit.text('#idle'), 'Not called yet: anthropic.');
    assert.match(await written(visit, 'errors', 1),
      /^\d\d:\d\d:44\|3\|openai\|text-embedding-3-small\|embed\|502\|upstream_unreachable\|cannot reach openai$/);
    assert.match(await written(visit, 'errors', 2), /\|401\|–\|Incorrect API key provided: \[key\]$/);
  });
});

test('Ready was green above a tier that was down', () => {
  const prepare = (mock) => {
    mock.advance(120);
    mock.breaker = 'open';
    mock.down = { since: mock.started + 9, reason: REFUSED };
  };
  return visiting({ prepare }, async (visit, mock) => {
    await visit.until('#state', /^Degraded: tier redis down since \d\d:\d\d:49: connection refused by 127\.0\.0\.1:6379$/);
    assert.equal(await visit.page.$eval('#state', ({ className }) => className), 'bad');
    mock.voyage = { breaker: 'open', since: mock.started + 8, reason: HUNG };
    await visit.until('#state', /; voyage down since \d\d:\d\d:48: no response/);
    mock.breaker = 'closed';
    mock.voyage = {};
    await visit.until('#state', /^Ready$/);
  });
});

test('requests that all failed looked like no traffic', () => {
  const prepare = (mock) => {
    mock.busy = false;
    mock.advance(3);
    mock.points.at(-1).requests = 6;
    mock.failed = [{ provider: 'openai', status: 401, code: null, count: 6, reason: 'Incorrect API key provided' }];
  };
  return visiting({ prepare }, async (visit, mock) => {
    await visit.until('#state', /^Ready, but all requests failed \(6\): 401 from openai: Incorrect API key provided$/);
    assert.equal(await visit.page.$eval('#empty', ({ hidden }) => hidden), true);
    mock.breaker = 'open';
    await visit.until('#state', /^Degraded: tier redis down; all requests failed \(6\): 401 from openai/);
  });
});

test('a selection survives the next figures', () =>
  visiting({}, async (visit) => {
    await visit.until('#accounts tbody', /openai/);
    await visit.page.evaluate(() => getSelection().selectAllChildren(document.querySelector('#accounts tbody td')));
    const before = await visit.text('#savings tbody td');
    await visit.page.waitForFunction((was) => document.querySelector('#savings tbody td').textContent !== was, {}, before);
    assert.equal(await visit.page.evaluate(() => String(getSelection())), 'text-embedding-3-small');
  }));
