// A browser, and a page in it that remembers whatever it should not have done.

import { existsSync } from 'node:fs';

import puppeteer from 'puppeteer-core';

const PLACES = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
export const PATIENCE = 10_000;

/** As root, in a container, Chromium has no sandbox of its own; it opens nothing here but the page. */
export function launch() {
  const executablePath = PLACES.find((place) => existsSync(place));
  if (!executablePath) throw new Error(`none of ${PLACES.join(', ')} is here`);
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--force-color-profile=srgb'];
  return puppeteer.launch({ executablePath, args, headless: 'shell' });
}

export class Visit {
  complaints = []; // console errors, exceptions and violations of the policy
  elsewhere = []; // requests to another origin

  static async open(browser, url, { width = 1100, height = 900, dark = false } = {}) {
    const visit = new Visit();
    // Of its own, so that rights and storage of one visit are not another's.
    visit.context = await browser.createBrowserContext();
    const page = await visit.context.newPage();
    visit.page = page;
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
    await page.emulateTimezone('UTC');
    page.on('console', (message) => message.type() === 'error' && visit.complaints.push(message.text()));
    page.on('pageerror', (error) => visit.complaints.push(String(error)));
    page.on('request', (request) => visit.#look(request.url(), new URL(url).origin));
    await page.exposeFunction('complain', (violation) => visit.complaints.push(violation));
    await page.evaluateOnNewDocument(() =>
      document.addEventListener('securitypolicyviolation', (event) =>
        globalThis.complain(`${event.violatedDirective} forbids ${event.blockedURI}`)));
    await page.goto(url, { waitUntil: 'load' });
    return visit;
  }

  #look(url, origin) {
    if (!url.startsWith('data:') && new URL(url).origin !== origin) this.elsewhere.push(url);
  }

  text(selector) {
    return this.page.$eval(selector, (found) => found.textContent);
  }

  texts(selector) {
    return this.page.$$eval(selector, (found) => found.map(({ textContent }) => textContent));
  }

  /** Waits until the text of an element matches; fails with the text that it had instead. */
  async until(selector, pattern) {
    const { source, flags } = pattern;
    const matches = (...[at, text, how]) => new RegExp(text, how).test(document.querySelector(at)?.textContent ?? '');
    await this.page.waitForFunction(matches, { timeout: PATIENCE }, selector, source, flags).catch(async () => {
      throw new Error(`${selector} is ${JSON.stringify(await this.text(selector))}, and not ${pattern}`);
    });
  }

  /** By how many pixels the page is wider than the window. */
  overflow() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  }

  async close() {
    await this.context.close();
  }
}
