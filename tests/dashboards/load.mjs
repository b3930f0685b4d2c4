// A mixed load through larder, with a provider that is in trouble now and then.
//
//   node load.mjs PROXY_URL PROVIDER_URL SECONDS

const [proxy, provider, seconds] = process.argv.slice(2);
const end = Date.now() + seconds * 1000;
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const answered = {};
let fresh = 0;

const text = (name) => `The ${name} sentence of the load.`;
const newText = () => text(`new ${fresh += 1}`);
/** Small numbers often, large ones seldom. */
const seldomLarge = (below) => Math.floor(below * Math.random() ** 3);

async function ask(path, body, { headers = {}, method = 'POST', signal } = {}) {
  const sent = { authorization: 'Bearer load', 'content-type': 'application/json', ...headers };
  try {
    const response = await fetch(`${proxy}${path}`, { method, headers: sent, signal, body: body && JSON.stringify(body) });
    await response.arrayBuffer();
    answered[response.status] = (answered[response.status] ?? 0) + 1;
  } catch {
    answered.none = (answered.none ?? 0) + 1;
  }
}

const embed = (input, options) => ask('/v1/embeddings', { model: 'text-embedding-3-small', input }, options);
const embedLarge = (input) => ask('/v1/embeddings', { model: 'text-embedding-3-large', input });
const chat = (content, more, options) => ask('/v1/chat/completions',
  { model: 'gpt-4o-mini', messages: [{ role: 'user', content }], ...more }, options);

const INSTRUCTIONS = 'the same instructions '.repeat(250);

const WORK = {
  repeats: [20, () => embed(text(seldomLarge(60)))],
  lists: [300, () => {
    const twice = newText();
    return embedLarge([twice, twice, ...Array.from({ length: 30 }, () => text(seldomLarge(200)))]);
  }],
  'the same new text at once': [500, () => {
    const one = newText();
    return Promise.all(Array.from({ length: 12 }, () => embed(one)));
  }],
  'new texts at once': [400, () => Promise.all(Array.from({ length: 24 }, () => embed(newText())))],
  'plain chats': [150, () => chat(text(seldomLarge(20)), { temperature: 0 })],
  'streamed chats': [150, () => chat(text(seldomLarge(20)), { temperature: 0, stream: true })],
  'one new stream for many': [700, () => {
    const one = newText();
    return Promise.all(Array.from({ length: 5 }, () => chat(one, { temperature: 0, stream: true })));
  }],
  // Long enough for the provider's prompt cache.
  'chats with the same instructions': [400, () => chat(INSTRUCTIONS + newText(), { temperature: 1 })],
  'sampled chats': [400, () => chat(text('sampled'), { temperature: 1 })],
  relays: [500, () => ask('/v1/models', undefined, { method: 'GET' })],
  'reads of a store': [100, () => ask('/store/embeddings', { model: text(seldomLarge(4)), input: text(seldomLarge(20)) })],
  'writes to a store': [1000, () => ask('/store/chat/completions', { model: text(seldomLarge(4)), messages: [] })],
  'bad inputs': [1500, () => Promise.all([embed(newText()), embed('__poison__'), embed(newText())])],
  retries: [1000, () => chat(newText(), { temperature: 0 }, { headers: { 'x-stainless-retry-count': '1' } })],
  leavers: [1000, () => chat(newText(), { temperature: 0 }, { signal: AbortSignal.timeout(15) })],
};

async function repeat([pause, work]) {
  while (Date.now() < end) {
    await Promise.all([work(), sleep(pause)]);
  }
}

const faults = (change) => fetch(`${provider}/__faults`, { method: 'POST', body: JSON.stringify(change) });

/** Errors, then too many calls, then no answers at all, so that the breaker opens; then all is well again. */
async function troubles() {
  const part = (share) => sleep(seconds * 1000 * share);
  await part(0.35);
  await faults({ error_rate: 0.3 });
  await part(0.1);
  await faults({ error_rate: 0, max_concurrent: 2 });
  await part(0.1);
  await faults({ max_concurrent: 0, reset_rate: 1 });
  await part(0.1);
  await faults({ reset_rate: 0 });
}

await Promise.all([troubles(), ...Object.values(WORK).map(repeat)]);
console.log(`load: answers by status: ${JSON.stringify(answered)}`);
