// The official SDK of Anthropic: what it gets through larder is what it gets directly.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { Larder, Provider, outcome } from './harness.mjs';

const ASKED = { model: 'claude-test', max_tokens: 64, messages: [{ role: 'user', content: 'hello' }] };
const TOOLS = { tools: [{ name: 'weather', description: 'Weather of a place', input_schema: { type: 'object' } }] };
const KINDS = { text: {}, tools: TOOLS };
const WHOLE = ['claude-test', 'split-stream', 'commented-stream', 'no-end'];
const BROKEN = ['cut-stream', 'cut-mid-frame', 'error-mid-stream'];
const REFUSED = ['fault-400', 'fault-403', 'fault-404', 'fault-429', 'fault-429-seconds', 'fault-500', 'fault-503',
  'fault-529'];

describe('@anthropic-ai/sdk', () => {
  let provider, larder;

  before(async () => { provider = await Provider.start(); });
  after(() => provider.stop());
  beforeEach(async () => {
    await provider.reset();
    larder = await Larder.start(provider.baseURL, provider.config('anthropic'));
  });
  afterEach(() => larder.stop());

  const client = (side, options) =>
    new Anthropic({ apiKey: 'sk-ant-one', baseURL: side.family('anthropic'), maxRetries: 0, ...options });

  /** First and second call through larder are as the direct one. */
  async function expectSame(call) {
    const direct = await call(provider);
    for (let time = 0; time < 2; time += 1) assert.deepEqual(await call(larder), direct);
    return direct;
  }

  /** The outcome, with what a caller may act on of the headers. */
  const create = (asked, options) => async (side) => {
    const { what, headers } = await outcome(() => client(side, options).messages.create({ ...ASKED, ...asked }));
    return { what, retryAfter: headers?.get('retry-after'), id: headers?.get('request-id') };
  };

  const stream = (asked) => async (side) => {
    const events = [];
    try {
      for await (const event of await client(side).messages.create({ ...ASKED, ...asked, stream: true })) {
        events.push(structuredClone(event));
      }
      return { events, end: 'end' };
    } catch ({ constructor, status, message, error }) {
      return { events, end: constructor.name, status, message, error };
    }
  };

  /** The message that the SDK's own way to stream puts together. */
  const final = (asked) => async (side) => {
    const texts = [];
    try {
      const helper = client(side).messages.stream({ ...ASKED, ...asked }).on('text', (text) => texts.push(text));
      return { texts, message: structuredClone(await helper.finalMessage()) };
    } catch ({ constructor, status, message }) {
      return { texts, end: constructor.name, status, message };
    }
  };

  for (const [kind, asked] of Object.entries(KINDS)) {
    test(`a message with ${kind} has the direct outcome`, async () => {
      const { what } = await expectSame(create(asked));
      assert.equal(what.stop_reason, kind === 'tools' ? 'tool_use' : 'end_turn');
    });
    for (const model of WHOLE) {
      test(`the stream of ${model} with ${kind} has the direct events`, async () => {
        const { events, end } = await expectSame(stream({ model, ...asked }));
        assert.equal(end, 'end');
        assert.ok(events.length > 8);
        await expectSame(final({ model, ...asked }));
      });
    }
  }
  for (const model of BROKEN) {
    test(`${model} has the direct events and the direct failure`, async () => {
      const { events, end } = await expectSame(stream({ model }));
      assert.notEqual(end, 'end');
      assert.ok(events.length > 0);
      await expectSame(final({ model }));
    });
  }
  for (const model of REFUSED) {
    test(`${model} has the direct outcome`, async () => {
      const { what } = await expectSame(create({ model }));
      assert.equal(what.status, Number(model.split('-')[1]));
      await expectSame(stream({ model }));
    });
  }

  test('a wrong key has the direct outcome', async () => {
    const { what } = await expectSame(create({}, { apiKey: 'wrong-key' }));
    assert.equal(what.status, 401);
  });

  test('tokens are counted as directly', () => expectSame(async (side) => {
    const { model, messages } = ASKED;
    return (await outcome(() => client(side).messages.countTokens({ model, messages }))).what;
  }));
});
