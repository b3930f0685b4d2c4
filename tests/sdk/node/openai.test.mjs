// The official Node SDK, current and 6.49: what it gets through larder is what it gets directly.
// 6.49 asks for base64 by itself and decodes whatever comes back (trap 2 of providers.md).

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { Larder, Provider, isHit, outcome } from './harness.mjs';

const MODEL = 'text-embedding-3-small';
const SHAPES = {
  'a text': 'a text',
  'a list of one': ['a text'],
  'a list': ['one', 'two', 'one', 'caf\u00e9', 'cafe\u0301', '\u{1F600}\u2028\uFEFF', 'a\0b ', 'end\n'],
  'a token array': [15496, 995],
  'token arrays': [[15496, 995], [0]],
  '2048 inputs': Array.from({ length: 2048 }, (_, i) => `text ${i}`),
};
const ODD = {
  'an empty text': '',
  'an empty list': [],
  'an empty text in a list': [''],
  'an empty text among others': ['a', ''],
  'white space': ' ',
  'an empty token array': [[]],
  null: [null],
  true: [true],
  'a fraction': [1.5],
  'an object': {},
  'a number': 123,
  'texts and tokens': ['a', [1, 2]],
  'a mixed prompt': [12, 's', 56],
  'a lone surrogate': '\ud800',
  'a lone surrogate in a list': ['good', 'a\udfffb'],
  'a bad input': ['good', 'bad __poison__'],
  'an over-long text': 'x'.repeat(8193),
};
const FORMATS = { 'by default': {}, 'as float': { encoding_format: 'float' }, 'as base64': { encoding_format: 'base64' } };
const UNTRUSTED = ['fault-fewer', 'fault-null', 'fault-other-length', 'fault-no-data', 'fault-html', 'fault-empty'];
const UNUSUAL = ['fault-no-usage', 'fault-extra-fields', 'fault-gzip', 'fault-br', 'fault-deflate', 'fault-chunked',
  'fault-until-close'];
const TYPED = ['fault-no-content-type', 'fault-text-plain'];
const REFUSED = ['fault-401', 'fault-403', 'fault-404', 'fault-429', 'fault-429-seconds', 'fault-429-never',
  'fault-500', 'fault-502-html', 'fault-503', 'fault-529', 'fault-307'];

for (const name of ['openai', 'openai-6.49']) {
  const { default: OpenAI } = await import(name);

  describe(name, () => {
    let provider, larder;

    before(async () => { provider = await Provider.start(); });
    after(() => provider.stop());
    beforeEach(async () => {
      await provider.reset();
      larder = await Larder.start(provider.baseURL);
    });
    afterEach(() => larder.stop());

    const client = (side, options) =>
      new OpenAI({ apiKey: 'sk-one', baseURL: side.baseURL, maxRetries: 0, ...options });
    const embed = (side, asked, options) =>
      outcome(() => client(side, options).embeddings.create({ model: MODEL, ...asked }));

    /** First and second call through larder are as the direct one. */
    async function expectSame(asked, { stored } = {}) {
      const direct = await embed(provider, asked);
      const first = await embed(larder, asked);
      assert.deepEqual(first.what, direct.what);
      let second;
      const calls = await provider.calls(async () => { second = await embed(larder, asked); });
      assert.deepEqual(second.what, direct.what);
      if (stored !== undefined) {
        assert.equal(calls, stored ? 0 : 1);
        assert.equal(isHit(second), stored);
      }
    }

    for (const [shape, input] of Object.entries(SHAPES)) {
      for (const [format, asked] of Object.entries(FORMATS)) {
        test(`${shape} ${format} has the direct outcome on miss and hit`, () =>
          expectSame({ input, ...asked }, { stored: true }));
      }
    }
    for (const [shape, input] of Object.entries(ODD)) {
      test(`${shape} has the direct outcome`, () => expectSame({ input }));
    }
    for (const model of UNUSUAL) {
      test(`${model} has the direct outcome on miss and hit`, () =>
        expectSame({ model, input: ['a', 'b'] }, { stored: true }));
    }
    for (const model of UNTRUSTED) {
      test(`${model} has the direct outcome and is never stored`, () =>
        expectSame({ model, input: ['a', 'b', 'c'] }, { stored: false }));
    }
    for (const model of TYPED) {
      test(`${model} has the direct outcome`, () => expectSame({ model, input: ['a', 'b'] }));
    }
    for (const model of REFUSED) {
      test(`${model} has the direct outcome`, () => expectSame({ model, input: 'a' }));
    }

    test('floats in place of base64 are never decoded into a wrong vector', async () => {
      const model = 'fault-ignores-base64';
      const right = await embed(provider, { model, input: ['a', 'b'], encoding_format: 'float' });
      for (let time = 0; time < 2; time += 1) {
        const got = await embed(larder, { model, input: ['a', 'b'] });
        assert.deepEqual(as32Bit(got), as32Bit(right));
      }
    });

    test('floats for one caller and base64 for another are the same numbers', async () => {
      // A vector that comes both ways.
      await embed(larder, { input: 'both ways', encoding_format: 'float' });
      await embed(larder, { input: 'both ways' });
      let floats, base64;
      const calls = await provider.calls(async () => {
        floats = await embed(larder, { input: 'bits', encoding_format: 'float' });
        base64 = await embed(larder, { input: 'bits' });
      });
      assert.equal(calls, 1);
      assert.deepEqual(as32Bit(floats), as32Bit(base64));
    });

    test('a lone surrogate reaches the provider as it was written', async () => {
      await embed(larder, { input: '\ud800' });
      const [request] = await provider.embeddings();
      assert.match(request.body, /"\\ud800"/);
    });

    test('a hundred identical calls are one provider call', async () => {
      const direct = await embed(provider, { input: 'same' });
      let many;
      const calls = await provider.calls(async () => {
        many = await Promise.all(Array.from({ length: 100 }, () => embed(larder, { input: 'same' })));
      });
      assert.equal(calls, 1);
      for (const got of many) assert.deepEqual(got.what, direct.what);
    });

    test('fifty mixed callers each get their own outcome', async () => {
      const many = Array.from({ length: 50 }, (_, i) => [
        { input: `text ${i}` },
        { input: [`text ${i}`, `shared ${i % 4}`], encoding_format: 'float' },
        { input: [i, 7], encoding_format: 'base64' },
        { input: i % 8 === 3 ? [`text ${i}`, 'bad __poison__'] : [`text ${i}`], dimensions: 4 },
      ][i % 4]);
      const got = await Promise.all(many.map((asked) => embed(larder, asked)));
      for (const [i, asked] of many.entries()) {
        assert.deepEqual(got[i].what, (await embed(provider, asked)).what);
      }
    });

    test('two keys share nothing', async () => {
      const calls = await provider.calls(async () => {
        await embed(larder, { input: 'x' }, { apiKey: 'sk-one' });
        await embed(larder, { input: 'x' }, { apiKey: 'sk-two' });
      });
      assert.equal(calls, 2);
    });

    test('an SDK tries again through larder as often as directly', async () => {
      const tries = (side) => provider.calls(() => embed(side, { model: 'fault-429-ms', input: 'a' }, { maxRetries: 2 }));
      assert.equal(await tries(larder), await tries(provider));
    });

    test('models have the direct outcome', async () => {
      const list = (side) => outcome(() => client(side).models.list());
      const unknown = (side) => outcome(() => client(side).models.retrieve('no-such-model'));
      assert.deepEqual((await list(larder)).what, (await list(provider)).what);
      assert.deepEqual((await unknown(larder)).what, (await unknown(provider)).what);
    });

    const CHAT = { messages: [{ role: 'user', content: 'hello' }] };

    test('a chat has the direct outcome', async () => {
      const chat = (side) => outcome(() => client(side).chat.completions.create({ model: 'gpt-4o-mini', ...CHAT }));
      assert.deepEqual((await chat(larder)).what, (await chat(provider)).what);
    });

    /** The chunks of a streamed chat, and how it ended. */
    async function stream(side, model, seen = () => {}) {
      const chunks = [];
      try {
        for await (const chunk of await client(side).chat.completions.create({ model, stream: true, ...CHAT })) {
          chunks.push(structuredClone(chunk));
          await seen();
        }
        return { chunks, end: 'end' };
      } catch (failure) {
        return { chunks, end: failure.constructor.name };
      }
    }

    for (const model of ['gpt-4o-mini', 'cut-stream']) {
      test(`the stream of ${model} has the direct chunks and the direct end`, async () => {
        const direct = await stream(provider, model);
        assert.deepEqual(await stream(larder, model), direct);
        assert.equal(direct.end === 'end', model === 'gpt-4o-mini');
      });
    }

    test('a chunk arrives before the provider has finished', { timeout: 15_000 }, async () => {
      const { chunks, end } = await stream(larder, 'held-chat', () => provider.release());
      assert.deepEqual([chunks.length, end], [8, 'end']);
    });
  });
}

function as32Bit({ what }) {
  return what.data.map((item) => Array.from(Float32Array.from(item.embedding)));
}
