// The page when something is wrong: no larder, no token, names that mean harm, nobody who looks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { HOSTILE } from './mock.mjs';
import { visiting, withBrowser } from './fixture.mjs';

const UNREACHED = /^No response from larder since \d\d:\d\d:\d\d \(.+\)\. Retrying$/;
const hidden = (visit, selector) => visit.page.$eval(selector, (found) => found.hidden);

withBrowser();

test('it says that larder is gone, and finds it again', () =>
  visiting({}, async (visit, mock) => {
    await visit.until('#state', /^Ready$/);
    await mock.close();
    await visit.until('#state', UNREACHED);
    const since = await visit.text('#state');
    assert.equal(await hidden(visit, '#main'), false);
    assert.match(await visit.text('#accounts tbody'), /openai/);
    await pause(4_500);
    assert.equal(await visit.text('#state'), since);
    mock.restart(mock.started + 10_000);
    await mock.listen();
    await visit.until('#state', /^Ready$/);
    await visit.until('#life', /^up \d+ s$/);
    await visit.until('#hits svg text.middle', /^\d\d:\d\d:\d\d$/);
    assert.deepEqual(visit.elsewhere, []);
  }));

test('it says what else than figures it was answered', () =>
  visiting({}, async (visit, mock) => {
    mock.answering = false;
    await visit.until('#state', /^No response from larder since \S+ \(status 503\)\. Retrying$/);
    mock.answering = true;
    await visit.until('#state', /^Ready$/);
  }));

test('it says that larder takes no new requests', () =>
  visiting({}, async (visit, mock) => {
    mock.ready = false;
    await visit.until('#state', /^Draining/);
  }));

test('it asks for a token, and keeps it in memory only', () => {
  const prepare = (mock) => {
    mock.advance(120);
    mock.token = 'a token of the admin';
  };
  return visiting({ prepare }, async (visit, mock) => {
    await visit.until('#state', /^Admin token required$/);
    assert.equal(await hidden(visit, '#ask'), false);
    assert.equal(await hidden(visit, '#main'), true);
    assert.equal(await visit.page.evaluate(() => document.activeElement.id), 'token');
    await visit.page.keyboard.type('not this one\n');
    await visit.until('#state', /^The admin token was rejected$/);
    const asked = mock.asked.length;
    await pause(2_500);
    assert.equal(mock.asked.length, asked, 'it asks again without a token');

    await visit.page.keyboard.type(`${mock.token}\n`);
    await visit.until('#state', /^Ready$/);
    assert.equal(await hidden(visit, '#ask'), true);
    assert.equal(await visit.page.$eval('#token', ({ value }) => value), '');
    const kept = () => [Object.keys(localStorage).length, Object.keys(sessionStorage).length, document.cookie, location.href];
    assert.deepEqual(await visit.page.evaluate(kept), [0, 0, '', `${mock.origin}/`]);
    assert.deepEqual(mock.asked.filter((path) => path.includes('token')), []);
    assert.deepEqual(visit.complaints.filter((text) => !text.includes('401')), []);

    await visit.page.reload();
    await visit.until('#state', /^Admin token required$/);
  });
});

test('a token that no header can carry is not taken', () =>
  visiting({ prepare: (mock) => Object.assign(mock, { token: 'right' }) }, async (visit) => {
    await visit.until('#state', /^Admin token required$/);
    await visit.page.type('#token', 'zażółć\n');
    assert.equal(await visit.page.$eval('#token', (field) => field.validity.patternMismatch), true);
    assert.equal(await visit.text('#state'), 'Admin token required');
  }));

test('names that mean harm are only text', () => {
  const prepare = (mock) => {
    mock.advance(120);
    mock.models = [HOSTILE, '\u202egnp.exe', 'm'.repeat(300), '__proto__'];
    mock.errors = [{ time: mock.started, provider: HOSTILE, operation: HOSTILE, status: 502, code: HOSTILE,
      model: HOSTILE, reason: HOSTILE, count: 1 }];
    mock.breaker = HOSTILE;
  };
  return visiting({ prepare, width: 360 }, async (visit, mock) => {
    await visit.until('#accounts tbody', /img/);
    await pause(500);
    const models = await visit.texts('#accounts tbody td:nth-child(2)');
    assert.deepEqual([...models].sort(), [...mock.models].sort());
    assert.equal((await visit.texts('#errors tbody td')).filter((text) => text === HOSTILE).length, 5);
    assert.equal((await visit.texts('#tiers tbody td')).filter((text) => text === HOSTILE).length, 1);
    assert.equal(await visit.page.$$eval('img, body script, iframe', (found) => found.length), 0);
    assert.equal(await visit.page.evaluate(() => globalThis.harmed), undefined);
    assert.equal(await visit.overflow(), 0);
    assert.deepEqual(visit.complaints, []);
  });
});

test('while nobody looks it asks nothing', () =>
  visiting({}, async (visit, mock) => {
    await visit.until('#state', /^Ready$/);
    const look = (away) => visit.page.evaluate((now) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => now });
      document.dispatchEvent(new Event('visibilitychange'));
    }, away);
    await look(true);
    await pause(200);
    const asked = mock.asked.length;
    await pause(4_500);
    assert.equal(mock.asked.length, asked);
    await look(false);
    await pause(500);
    assert.equal(mock.asked.length, asked + 1);
  }));
