// Pictures of the page before a larder that is made up: node screenshots.mjs DIRECTORY

import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { launch, Visit } from './browser.mjs';
import { Mock } from './mock.mjs';

const LARGEST = 120 * 1024; // bytes
const PICTURES = {
  'page-light.png': { width: 980, height: 750 },
  'page-dark.png': { width: 980, height: 750, dark: true },
  'page-phone.png': { width: 360, height: 1000 },
  'page-accounts.png': { width: 980, height: 750, from: '#accounts' },
};

const [directory] = process.argv.slice(2);
await mkdir(directory, { recursive: true });
const mock = await Mock.start();
mock.advance(170);
mock.moving = false;
const browser = await launch();
for (const [name, how] of Object.entries(PICTURES)) {
  const visit = await Visit.open(browser, mock.origin, how);
  await visit.until('#state', /^Ready$/);
  await visit.page.waitForSelector('#traffic path');
  if (how.from) await visit.page.$eval(how.from, (found) => found.scrollIntoView());
  const path = join(directory, name);
  await writeFile(path, await visit.page.screenshot());
  const { size } = await stat(path);
  console.log(`${name}: ${size} bytes`);
  if (size > LARGEST) throw new Error(`${name} is larger than ${LARGEST} bytes`);
  await visit.close();
}
await browser.close();
await mock.close();
