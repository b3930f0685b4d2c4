// The real thing: a simulated provider, and a larder before it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const PATIENCE = 20_000;

/** A process of larder, once it says where it listens: a whole line, which may come in pieces. */
async function start(args, pattern, env = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('LARDER_'));
  const options = { stdio: ['ignore', 'ignore', 'pipe'], env: { ...Object.fromEntries(kept), ...env } };
  const child = spawn(process.env.LARDER_BIN, args, options);
  let said = '';
  const found = await new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`larder ${args[0]} did not start:\n${said}`));
    const late = setTimeout(fail, PATIENCE);
    child.once('error', reject).once('exit', fail);
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const match = pattern.exec(said);
      if (!match) return;
      clearTimeout(late);
      resolve(match);
    });
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGTERM'), 200); // does not wait for connections that the browser holds
    await ended;
  };
  return { found, stop };
}

export class Larder {
  static async start(env) {
    const free = '127.0.0.1:0';
    const larder = new Larder();
    larder.simulated = await start(['simulate', '--listen', free, '--latency', '30ms'], /listening provider=(\S+)\s/);
    const upstream = `http://${larder.simulated.found[1]}/v1`;
    const args = ['serve', '--upstream', upstream, '--listen', free, '--admin-listen', free];
    larder.served = await start(args, /listening proxy=(\S+) admin=(\S+)\s/, env);
    [larder.proxy, larder.admin] = larder.served.found.slice(1).map((address) => `http://${address}`);
    return larder;
  }

  async embed(input, model = 'text-embedding-3-small') {
    const headers = { authorization: 'Bearer sk-page', 'content-type': 'application/json' };
    const body = JSON.stringify({ model, input });
    const answer = await fetch(`${this.proxy}/v1/embeddings`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** Some texts, again and again. */
  async load(requests, texts = 10) {
    for (let at = 0; at < requests; at += 1) await this.embed([`text ${at % texts}`]);
  }

  /** Whether it has the page at all. */
  async hasPage() {
    return (await fetch(`${this.admin}/`)).status !== 404;
  }

  async stop() {
    await this.served.stop();
    await this.simulated.stop();
  }
}
