// Lines to copy: the base URL for each SDK, and a first request.
//
// Which variable an SDK reads, and whether its value has the version segment, differs from SDK to SDK.

import { byId, element, put } from './text.js';

const SDKS = [
  ['OpenAI (Python, Node), LangChain', (proxy) => `export OPENAI_BASE_URL=${proxy}/v1`],
  ['Anthropic (Python, Node)', (proxy) => `export ANTHROPIC_BASE_URL=${proxy}/anthropic`],
  ['Cohere (Python)', (proxy) => `export CO_API_URL=${proxy}/cohere`],
  ['Voyage (Python)', (proxy) => `voyageai.Client(base_url="${proxy}/voyage/v1")`],
  ['LlamaIndex', (proxy) => `export OPENAI_API_BASE=${proxy}/v1`],
  ['Vercel ai, OpenAI', (proxy) => `export OPENAI_BASE_URL=${proxy}/v1`],
  ['Vercel ai, Anthropic', (proxy) => `export ANTHROPIC_BASE_URL=${proxy}/anthropic/v1`],
];

const FIRST = [
  ['With curl', (proxy) =>
    `curl ${proxy}/v1/embeddings -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" ` +
    `-d '{"model":"text-embedding-3-small","input":"hello"}'`],
];

const POLITE = 2_000; // milliseconds that a button says what it did

let shown;

/** Writes the lines, once for each address of the proxy. */
export function connect(proxy) {
  if (!proxy || proxy === shown) return;
  shown = proxy;
  for (const [id, lines] of [['sdks', SDKS], ['first', FIRST]]) {
    byId(id).replaceChildren(...lines.map(([name, line]) => item(name, line(proxy))));
  }
}

function item(name, text) {
  const code = element('code', text);
  const button = element('button', 'Copy');
  button.type = 'button';
  button.setAttribute('aria-label', `Copy: ${name}`);
  button.addEventListener('click', () => copy(button, code, name));
  const made = element('li');
  made.append(element('span', name), code, button);
  return made;
}

/** Without the right to the clipboard (plain HTTP off loopback) the line is selected instead. */
async function copy(button, code, name) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    put(button, 'Copied');
  } catch {
    getSelection().selectAllChildren(code);
    put(button, 'Selected');
  }
  put(byId('copied'), `${button.textContent}: ${name}`);
  setTimeout(() => {
    put(button, 'Copy');
    put(byId('copied'), '');
  }, POLITE);
}
