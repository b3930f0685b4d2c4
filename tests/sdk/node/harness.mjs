// The nouns of these tests: a provider (the scripted one, in Python), a larder before it, and the
// outcome of an SDK call in a form that two calls can be compared in.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROVIDER = fileURLToPath(new URL('../provider.py', import.meta.url));
const PATIENCE = 20_000;

/** A child process, and what it said first that matches. */
async function start(command, args, stream, pattern) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LARDER_')));
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const exited = once(child, 'exit');
  let said = '';
  const found = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${command} did not start:\n${said}`)), PATIENCE);
    const look = (text) => {
      said += text;
      const match = pattern.exec(said);
      if (match) {
        clearTimeout(late);
        resolve(match[1]);
      }
    };
    child[stream].setEncoding('utf8').on('data', look);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`${command} ended with ${code}:\n${said}`));
    });
  });
  // The SDKs keep their connections open; a second signal does not wait for those.
  const stop = async () => {
    child.kill('SIGTERM');
    const again = setTimeout(() => child.kill('SIGTERM'), 100);
    const late = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(again);
    clearTimeout(late);
  };
  try {
    const answer = await found;
    return { answer, stop, said: () => said };
  } catch (failure) {
    child.kill('SIGKILL');
    throw failure;
  }
}

export class Provider {
  static async start() {
    const provider = new Provider();
    provider.child = await start('python3', ['-B', PROVIDER, '--port', '0'], 'stdout', /^(\d+)\r?\n/m);
    provider.origin = `http://127.0.0.1:${provider.child.answer}`;
    provider.baseURL = `${provider.origin}/v1`;
    return provider;
  }

  /** The base URL of another family than OpenAI's. */
  family(name) {
    return `${this.origin}/${name}`;
  }

  /** What tells larder of a family. */
  config(name) {
    return `[providers.${name}]\nbase_url = "${this.family(name)}"\n`;
  }

  async embeddings() {
    const seen = await (await fetch(`${this.origin}/__requests`)).json();
    return seen.filter((request) => request.method === 'POST' && request.target.includes('/embeddings'));
  }

  /** How many requests for embeddings reach the provider during some work. */
  async calls(work) {
    const before = (await this.embeddings()).length;
    await work();
    return (await this.embeddings()).length - before;
  }

  async release() {
    await fetch(`${this.origin}/__release`, { method: 'POST' });
  }

  async reset() {
    await fetch(`${this.origin}/__reset`, { method: 'POST' });
  }

  async stop() {
    await this.child.stop();
  }
}

/** The same without the seconds in which a refusal is given again: each is to come from the provider. */
function askingAnew(config) {
  const anew = '[cache]\nnegative_ttl = "0"\n';
  return config.includes('[cache]\n') ? config.replace('[cache]\n', anew) : `${config}\n${anew}`;
}

export class Larder {
  static async start(upstream, config = '') {
    const larder = new Larder();
    larder.folder = await mkdtemp(join(tmpdir(), 'larder-'));
    const file = join(larder.folder, 'larder.toml');
    await writeFile(file, askingAnew(config));
    const free = '127.0.0.1:0';
    const args = ['serve', '--config', file, '--upstream', upstream, '--listen', free, '--admin-listen', free];
    const pattern = /listening proxy=(\S+) admin=\S+/;
    larder.child = await start(process.env.LARDER_BIN, args, 'stderr', pattern);
    larder.origin = `http://${larder.child.answer}`;
    larder.baseURL = `${larder.origin}/v1`;
    return larder;
  }

  family(name) {
    return `${this.origin}/${name}`;
  }

  async stop() {
    await this.child.stop();
    await rm(this.folder, { recursive: true });
    if (this.child.said().includes('panicked')) throw new Error(this.child.said());
  }
}

/** What became of a call: its value or its failure, and the headers of the answer. */
export async function outcome(call) {
  try {
    const { data, response } = await call().withResponse();
    return { what: plain(data), headers: response.headers };
  } catch (failure) {
    const { status, code, param, type, error, message } = failure;
    return { what: { failure: failure.constructor.name, status, code, param, type, error, message }, headers: failure.headers };
  }
}

/** Without the SDK's own classes and symbols. */
function plain(data) {
  return data?.data && data.body ? plain(data.body) : structuredClone(data);
}

/** Whether an answer came from the cache. */
export function isHit({ headers }) {
  return (headers.get('cache-status') ?? '').startsWith('larder; hit');
}
