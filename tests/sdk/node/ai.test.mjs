// The Vercel AI SDK with its OpenAI provider (`/v1/responses`, embeddings) and its Anthropic one
// (`/messages` below a base URL of the caller's choice, with `x-api-key`): case 76 of providers.md.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { embed, embedMany, generateText, jsonSchema, streamText, tool } from 'ai';

import { Larder, Provider } from './harness.mjs';

const WEATHER = tool({
  description: 'Weather of a place',
  inputSchema: jsonSchema({ type: 'object', properties: { place: { type: 'string' }, days: { type: 'integer' } } }),
});
const KINDS = { text: {}, tools: { tools: { weather: WEATHER } } };
const MODELS = {
  responses: (side, name) => openai(side).responses(name),
  chat: (side, name) => openai(side).chat(name),
  messages: (side, name) => anthropic(side, '').languageModel(name),
  'messages of a version': (side, name) => anthropic(side, '/v1').languageModel(name),
};
const WHOLE = ['some-model', 'split-stream', 'commented-stream', 'no-end'];
const BROKEN = ['cut-stream', 'cut-mid-frame', 'error-mid-stream'];
const REFUSED = ['fault-400', 'fault-403', 'fault-404', 'fault-429', 'fault-429-seconds', 'fault-500', 'fault-503',
  'fault-529'];
const TEXTS = ['one', 'two', 'one', 'caf\u00e9', '\u{1F600}\u2028'];

const openai = (side) => createOpenAI({ apiKey: 'sk-one', baseURL: side.baseURL });
const anthropic = (side, version) =>
  createAnthropic({ apiKey: 'sk-ant-one', baseURL: side.family('anthropic') + version });

/** Without the classes, and without the addresses, times and headers that differ between any two calls. */
function plain(value) {
  const drawn = new Set(['timestamp', 'headers', 'responseHeaders', 'url', 'requestUrl', 'stack']);
  return JSON.parse(JSON.stringify(value, (name, member) => (drawn.has(name) ? undefined : member)));
}

function failed({ name, message, statusCode, responseBody, data, isRetryable, reason, responseHeaders }) {
  const retryAfter = responseHeaders?.['retry-after'];
  return plain({ failure: name, message, statusCode, responseBody, data, isRetryable, reason, retryAfter });
}

async function settled(call) {
  try {
    return plain(await call());
  } catch (failure) {
    return failed(failure);
  }
}

describe('ai', () => {
  let provider, larder;

  before(async () => {
    globalThis.AI_SDK_LOG_WARNINGS = false;
    provider = await Provider.start();
  });
  after(() => provider.stop());
  beforeEach(async () => {
    await provider.reset();
    larder = await Larder.start(provider.baseURL, provider.config('anthropic'));
  });
  afterEach(() => larder.stop());

  /** First and second call through larder are as the direct one. */
  async function expectSame(call) {
    const direct = await call(provider);
    for (let time = 0; time < 2; time += 1) assert.deepEqual(await call(larder), direct);
    return direct;
  }

  const generated = (model, name, asked) => (side) => settled(async () => {
    const got = await generateText({ model: model(side, name), prompt: 'hello', maxRetries: 0, ...asked });
    const { text, finishReason, usage, warnings, response, content } = got;
    const calls = got.toolCalls.map(({ toolName, input }) => ({ toolName, input }));
    const types = content.map(({ type }) => type);
    return { text, calls, finishReason, usage, warnings, body: response.body, types };
  });

  /** The parts of a stream. The SDK draws the ids of some. */
  const streamed = (model, name, asked) => async (side) => {
    const parts = [];
    const onError = () => {};
    const got = streamText({ model: model(side, name), prompt: 'hello', maxRetries: 0, onError, ...asked });
    try {
      for await (const part of got.fullStream) {
        const { id, toolCallId, response, request, error, ...kept } = part;
        parts.push(plain({ ...kept, error: error && failed(error) }));
      }
      return { parts, end: 'end' };
    } catch (failure) {
      return { parts, end: failed(failure) };
    }
  };

  for (const [api, model] of Object.entries(MODELS)) {
    for (const [kind, asked] of Object.entries(KINDS)) {
      test(`${api} with ${kind} has the direct outcome`, async () => {
        const got = await expectSame(generated(model, 'some-model', asked));
        assert.equal(got.finishReason, kind === 'tools' ? 'tool-calls' : 'stop');
      });
      for (const name of WHOLE) {
        test(`the stream of ${api} with ${kind} of ${name} has the direct parts`, async () => {
          const { parts } = await expectSame(streamed(model, name, asked));
          assert.ok(parts.length > 6 && parts.every(({ error }) => !error), JSON.stringify(parts));
        });
      }
    }
    for (const name of BROKEN) {
      test(`${api} of ${name} has the direct parts and the direct failure`, async () => {
        const { parts, end } = await expectSame(streamed(model, name, {}));
        assert.ok(end !== 'end' || parts.some(({ type }) => type === 'error' || type === 'abort'), JSON.stringify(parts));
      });
    }
    for (const name of REFUSED) {
      test(`${api} of ${name} has the direct outcome`, async () => {
        const got = await expectSame(generated(model, name, {}));
        assert.equal(got.statusCode, Number(name.split('-')[1]));
        await expectSame(streamed(model, name, {}));
      });
    }
  }

  const model = (side, name = 'text-embedding-3-small') => openai(side).embedding(name);

  test('embed has the direct outcome and is stored', async () => {
    const call = (side) => settled(async () => {
      const { embedding, usage } = await embed({ model: model(side), value: 'a text', maxRetries: 0 });
      return { embedding, usage };
    });
    assert.equal((await expectSame(call)).embedding.length, 8);
    assert.equal(await provider.calls(() => call(larder)), 0);
  });

  test('embedMany has the direct outcome, and only new texts go to the provider', async () => {
    const call = (values) => (side) => settled(async () => {
      const { embeddings, usage } = await embedMany({ model: model(side), values, maxRetries: 0 });
      return { embeddings, usage };
    });
    await expectSame(call(TEXTS));
    const before = (await provider.embeddings()).length;
    await call([...TEXTS, 'new'])(larder);
    const [request, ...more] = (await provider.embeddings()).slice(before);
    assert.deepEqual([JSON.parse(request.body).input, more], [['new'], []]);
    await expectSame(call([...TEXTS, 'new']));
  });

  test('embedMany of 5,000 texts, in calls at once, has the direct outcome', () => {
    const values = Array.from({ length: 5_000 }, (_, i) => `text ${i}`);
    return expectSame((side) => settled(async () => (await embedMany({ model: model(side), values })).embeddings));
  });

  for (const name of ['fault-401', 'fault-429', 'fault-529']) {
    test(`embed of ${name} has the direct outcome`, () => expectSame((side) =>
      settled(() => embed({ model: model(side, name), value: 'a', maxRetries: 0 }))));
  }
});
