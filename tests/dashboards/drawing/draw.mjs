// Asks Prometheus what each panel asks, and photographs the boards as Grafana's UI components draw it.
//
//   node draw.mjs PROMETHEUS_URL FROM TO FOLDER      (times in seconds since 1970)

import { writeFileSync } from 'node:fs';

import { build } from 'esbuild';
import puppeteer from 'puppeteer-core';
import UPNG from 'upng-js';

import { asked, boards, labelValues, substituted } from '../boards.mjs';

const [prometheus, start, end, folder] = process.argv.slice(2);
const [from, to] = [Number(start), Number(end)];

async function api(path, parameters) {
  const asking = new URLSearchParams({ start, end, ...parameters });
  return (await (await fetch(`${prometheus}/api/v1/${path}?${asking}`)).json()).data;
}

async function chosen(board) {
  const values = { __rate_interval: '5s', __range: `${to - from}s` };
  for (const { name, allValue, query } of asked(board)) {
    const { series, label } = labelValues(query.query);
    const found = await api('series', { 'match[]': substituted(series, values) });
    values[name] = allValue ?? [...new Set(found.map((labels) => labels[label]))].join('|');
  }
  return values;
}

/** The board with each query's result beside it. */
async function answered(board) {
  const values = await chosen(board);
  for (const target of board.panels.flatMap(({ targets }) => targets)) {
    const query = substituted(target.expr, values);
    target.result = (await api('query_range', { query, step: 1 })).result;
  }
  return board;
}

async function bundled() {
  const { outputFiles } = await build({
    entryPoints: [new URL('page.jsx', import.meta.url).pathname],
    bundle: true, write: false, outdir: 'out', minify: true, jsx: 'automatic', logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    loader: { '.svg': 'dataurl', '.ttf': 'empty' },
  });
  const text = (ending) => outputFiles.find(({ path }) => path.endsWith(ending)).text;
  return { script: text('.js'), style: text('.css') };
}

/** The same picture in 64 colours, which is as many as it needs. */
function smaller(png) {
  const picture = UPNG.decode(png);
  return Buffer.from(UPNG.encode(UPNG.toRGBA8(picture), picture.width, picture.height, 64));
}

async function photograph(browser, { script, style }, { name, board }) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.log(`${name}: ${error.message}`));
  await page.setViewport({ width: 1344, height: 900 });
  // A page of Prometheus' own, so that there is an origin, which Grafana's library wants for its storage.
  await page.goto(`${prometheus}/-/ready`);
  await page.setContent('<body style="margin:0;padding:12px"><div id="root"></div></body>');
  await page.addStyleTag({ content: style });
  await page.addScriptTag({ content: script });
  await page.evaluate((input) => window.draw(input), { board: await answered(board), from, to, mode: 'dark' });
  await page.waitForSelector('#board');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  writeFileSync(`${folder}/${name}.png`, smaller(await page.screenshot({ fullPage: true })));
  await page.close();
}

const browser = await puppeteer.launch({
  executablePath: '/usr/bin/chromium-headless-shell',
  args: ['--no-sandbox', '--disable-gpu'],
});
const bundle = await bundled();
for (const one of boards()) await photograph(browser, bundle, one);
await browser.close();
