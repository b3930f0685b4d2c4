// The page as the binary serves it, with the figures of real traffic.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { open, withBrowser } from './fixture.mjs';
import { Larder } from './larder.mjs';
import { HOSTILE, POLICY } from './mock.mjs';

const TOKEN = 'a-token-of-the-admin';
const ABSENT = 'this larder answers 404 at / of its admin listener';
let larder;
let absent;

withBrowser();
before(async () => {
  larder = await Larder.start();
  absent = !(await larder.hasPage());
});
after(() => larder.stop());

async function visiting(url, look) {
  const visit = await open(url);
  try {
    await look(visit);
  } finally {
    await visit.close();
  }
}

test('it is served under its policy, and shows what went through', async (t) => {
  if (absent) return t.skip(ABSENT);
  assert.equal((await fetch(larder.admin)).headers.get('content-security-policy'), POLICY);
  await visiting(larder.admin, async (visit) => {
    await visit.until('#state', /^Ready$/);
    await visit.until('#life', /^up [\d.]+ m?s$/);
    await visit.until('#first code', new RegExp(`^curl ${larder.proxy}/v1/embeddings `));
    await larder.load(100);
    assert.equal(await larder.embed('one more', HOSTILE), 200);
    assert.equal(await larder.embed('__poison__'), 400);
    await visit.until('#now-hit', /^(?:8[5-9]|9\d)(?:\.\d)? %$/);
    await visit.until('#now-fast', /^[\d.]+ (?:µs|ms)$/);
    await visit.until('#now-miss', /^[\d.]+ ms$/);
    await visit.until('#tiers tbody tr', /^memory11/);
    await visit.until('#providers tbody tr', /^openaiok1\d/);
    await visit.until('#sdks code', new RegExp(`^export OPENAI_BASE_URL=${larder.proxy}/v1$`));
    const all = () => [...document.querySelectorAll('svg')].every((svg) => svg.querySelector('path')?.getAttribute('d'));
    await visit.page.waitForFunction(all);
    const models = await visit.texts('#accounts tbody td:nth-child(2)');
    assert.ok(models.includes('text-embedding-3-small'), String(models));
    assert.equal(await visit.page.$$eval('img, body script', (found) => found.length), 0);
    assert.equal(await visit.overflow(), 0);
    assert.deepEqual([visit.complaints, visit.elsewhere], [[], []]);
  });
});

test('with a token the page is open, and its figures are not', async (t) => {
  if (absent) return t.skip(ABSENT);
  const guarded = await Larder.start({ LARDER_ADMIN_TOKEN: TOKEN });
  try {
    assert.equal((await fetch(`${guarded.admin}/api/stats`)).status, 401);
    await visiting(guarded.admin, async (visit) => {
      await visit.until('#state', /^Admin token required$/);
      await visit.page.type('#token', `${TOKEN}\n`);
      await visit.until('#state', /^Ready$/);
    });
  } finally {
    await guarded.stop();
  }
});

test('an ended larder is told', async (t) => {
  if (absent) return t.skip(ABSENT);
  const short = await Larder.start();
  try {
    await visiting(short.admin, async (visit) => {
      await visit.until('#state', /^Ready$/);
      await short.served.stop();
      await visit.until('#state', /^No response from larder since/);
    });
  } finally {
    await short.stop();
  }
});
