// A made-up larder and a visit to its page for each test, in one browser for a file of tests.

import { after, before } from 'node:test';

import { launch, Visit } from './browser.mjs';
import { Mock } from './mock.mjs';

let browser;

export function withBrowser() {
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());
}

export const open = (url, how) => Visit.open(browser, url, how);

/** `prepare` is given the larder before the page is opened. */
export async function visiting({ prepare = (mock) => mock.advance(120), ...how }, look) {
  const mock = await Mock.start();
  prepare(mock);
  const visit = await open(mock.origin, how);
  try {
    await look(visit, mock);
  } finally {
    await visit.close();
    await mock.close();
  }
}
