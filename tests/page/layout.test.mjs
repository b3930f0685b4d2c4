// How the page looks and is used: sizes, colours, keyboard, what a screen reader is told, buttons.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { visiting, withBrowser } from './fixture.mjs';

const CONTRAST = 4.5; // WCAG 2.2 AA, for text
const LINES = [
  'export OPENAI_BASE_URL=http://127.0.0.1:5273/v1',
  'export ANTHROPIC_BASE_URL=http://127.0.0.1:5273/anthropic',
  'export CO_API_URL=http://127.0.0.1:5273/cohere',
  'voyageai.Client(base_url="http://127.0.0.1:5273/voyage/v1")',
  'export OPENAI_API_BASE=http://127.0.0.1:5273/v1',
  'export OPENAI_BASE_URL=http://127.0.0.1:5273/v1',
  'export ANTHROPIC_BASE_URL=http://127.0.0.1:5273/anthropic/v1',
];

const prepare = (mock) => {
  mock.advance(120);
  mock.errors = [{ time: mock.started, provider: 'openai', operation: 'embed', status: null, code: 'upstream_timeout' }];
};

/** In the page: elements with text of their own whose colour is too near to what is behind them. */
function faint(least) {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    const [, , , alpha = 1] = channels(backgroundColor);
    return alpha > 0 || !element.parentElement ? backgroundColor : behind(element.parentElement);
  };
  const contrast = (element) => {
    const style = getComputedStyle(element);
    const colour = element.closest('svg') ? style.fill : style.color;
    const [dark, light] = [colour, behind(element)].map(luminance).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.body.querySelectorAll('*')].filter((element) => own(element) && contrast(element) < least)
    .map((element) => `${element.textContent}: ${contrast(element)}`);
}

withBrowser();

for (const dark of [false, true]) {
  for (const width of [360, 768, 1440]) {
    test(`${width} pixels, ${dark ? 'dark' : 'light'}: nothing is wider than the window or hard to read`, () =>
      visiting({ prepare, width, height: 800, dark }, async (visit) => {
        await visit.page.waitForSelector('#traffic path');
        assert.equal(await visit.overflow(), 0);
        const [back] = (await visit.page.$eval('body', (body) => getComputedStyle(body).backgroundColor)).match(/\d+/);
        assert.equal(Number(back) < 128, dark);
        assert.deepEqual(await visit.page.evaluate(faint, CONTRAST), []);
        const plots = await visit.page.$$eval('svg', (found) => found.map((svg) => svg.getBoundingClientRect().width));
        for (const plot of plots) assert.ok(plot >= 300 && plot <= width, `a plot of ${plot} pixels`);
      }));
  }
}

test('plots are drawn anew when the window changes', () =>
  visiting({ prepare }, async (visit) => {
    await visit.page.waitForSelector('#hits path');
    const right = () => visit.page.$eval('#hits svg .grid', (line) => Number(line.getAttribute('x2')));
    const before = await right();
    await visit.page.setViewport({ width: 360, height: 740 });
    const other = (was) => Number(document.querySelector('#hits svg .grid').getAttribute('x2')) !== was;
    await visit.page.waitForFunction(other, { timeout: 1_500 }, before);
    assert.equal(await visit.overflow(), 0);
  }));

test('tables that are wider than a phone can be moved by keyboard', () =>
  visiting({ prepare, width: 360 }, async (visit) => {
    await visit.until('#accounts tbody', /openai/);
    await visit.page.focus('[aria-labelledby=accounts-title].scroll');
    await visit.page.keyboard.press('ArrowRight');
    await visit.page.waitForFunction(() => document.activeElement.scrollLeft > 0);
  }));

test('landmarks, headings, tables and plots have names, and nothing moves by itself', () =>
  visiting({ prepare }, async (visit) => {
    await visit.page.waitForSelector('#traffic path');
    const found = await visit.page.evaluate(() => {
      const all = (selector) => [...document.querySelectorAll(selector)];
      const named = (element) => element.ariaLabel || element.labels?.length ||
        document.getElementById(element.getAttribute('aria-labelledby') ?? '');
      return {
        landmarks: ['header', 'main', 'footer'].map((name) => all(`body > ${name}`).length),
        titles: all('h1').length,
        unnamed: all('section, [role=region], svg, form input').filter((element) => !named(element)).length,
        unscoped: all('.scroll th').filter(({ scope }) => !scope).length,
        lively: all('[aria-live], [role=status], [role=alert]').map(({ id }) => id),
        moving: document.getAnimations().length,
        language: document.documentElement.lang,
      };
    });
    assert.deepEqual(found, {
      landmarks: [1, 1, 1], titles: 1, unnamed: 0, unscoped: 0, lively: ['state', 'copied'], moving: 0, language: 'en',
    });
  }));

test('each button copies its line, by keyboard too', () =>
  visiting({ prepare }, async (visit, mock) => {
    const rights = ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write'];
    await visit.context.overridePermissions(mock.origin, rights);
    await visit.page.waitForSelector('#sdks button');
    const buttons = await visit.page.$$('#sdks button');
    assert.deepEqual(await visit.texts('#sdks code'), LINES);
    for (const [at, button] of buttons.entries()) {
      if (at % 2) await button.press('Enter');
      else await button.click();
      await visit.until(`#sdks li:nth-child(${at + 1}) button`, /^Copied$/);
      assert.equal(await visit.page.evaluate(() => navigator.clipboard.readText()), LINES[at]);
    }
    await visit.until('#copied', /^Copied: Vercel ai, Anthropic$/);
    await visit.until('#sdks button', /^Copy$/);
    assert.deepEqual(visit.complaints, []);
  }));

test('without the right to the clipboard the line is selected', () =>
  visiting({ prepare }, async (visit) => {
    await visit.page.waitForSelector('#sdks button');
    await visit.page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    await visit.page.click('#sdks button');
    await visit.until('#sdks button', /^Selected$/);
    assert.equal(await visit.page.evaluate(() => String(getSelection())), LINES[0]);
  }));
