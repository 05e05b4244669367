// What the checks of the page share: saying how a check went, waiting for a condition, a browser that notices everything a
// page must not do, and reading colours off a picture.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(new URL('../../dashboards/web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const { AxeBuilder } = require('@axe-core/playwright');

export const base = (process.env.CONSOLE_URL ?? '').replace(/\/$/, '');
export const token = process.env.TOKEN ?? '';
export const limit = Number(process.env.WAIT_S ?? 60) * 1000;
const shots = process.env.SHOTS;
export const failures = [];

/** The browser pages are looked at with. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Software drawing, and no internet at all: what the page needs must come from the console.
    args: [
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${new URL(base).hostname}`,
    ],
  });
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}

export function fail(name, why) {
  failures.push(`${name}: ${why}`);
  say(`FAILED  ${name}: ${why}`);
}

export async function check(name, act) {
  try {
    const detail = await act();
    say(`ok      ${name}${detail === undefined ? '' : ` (${detail})`}`);
  } catch (error) {
    fail(name, String(error?.message ?? error).split('\n').slice(0, 4).join(' '));
  }
}

/** Asks until the answer is `{ ok: true, detail }`, or says what the last answer was. */
export async function until(what, ask, ms = limit) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    last = await ask().catch((error) => ({ error: String(error) }));
    if (last?.ok === true) return last.detail;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${what} was not seen within ${ms / 1000} s; last: ${JSON.stringify(last)}`);
}

/** Asks the API, as any program may. */
export async function ask(pathAndQuery) {
  const answer = await fetch(`${base}/api/v1/${pathAndQuery}`, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${pathAndQuery}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Notes everything a page must not do: errors, other hosts, broken answers. */
function watch(page, name) {
  const own = new URL(base).host;
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error') fail(`${name}: console`, text);
    // Software rendering says so; it is not ours.
    else if (message.type() === 'warning' && !/GPU stall|WebGL|GL Driver/.test(text)) fail(`${name}: warning`, text);
  });
  page.on('pageerror', (error) => fail(`${name}: exception`, error.message));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.host !== own) fail(`${name}: other host`, request.url());
  });
  page.on('response', (response) => {
    if (response.status() >= 500) fail(`${name}: answer`, `${response.status()} ${response.url()}`);
  });
}

/** A page in a browser of its own. `quiet`: for pages that are made to fail, where the browser logs every failure. */
export async function open(browser, name, { quiet = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  if (!quiet) watch(page, name);
  return page;
}

/** Opens the page as the link that `up` prints does, and waits until it stands. */
export async function enter(page, query = '') {
  await page.goto(`${base}/${query}#token=${token}`);
  await page.locator('.kpis').waitFor({ timeout: limit });
}

export async function shoot(page, name) {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

export async function axe(page, name) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const where = (one) => one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join('; ');
  const found = violations.map((one) => `${one.id} (${where(one)})`);
  if (found.length > 0) throw new Error(`${name}: ${found.join(', ')}`);
}

export async function overflow(page) {
  const size = await page.evaluate(() => {
    const root = document.documentElement;
    return { wide: root.scrollWidth - root.clientWidth, high: root.scrollHeight - root.clientHeight };
  });
  if (size.wide > 0 || size.high > 0) throw new Error(`the page overflows by ${size.wide} × ${size.high} pixels`);
}

/** Where each of the colours stands on the map, what lies over the map left out: places `x,y` by colour. Read in an empty page. */
export async function placesOf(page, colours) {
  const map = await page.locator('.map').boundingBox();
  const over = [];
  for (const one of await page.locator('.legend, .search, .map-buttons, .tip, .maplibregl-ctrl').all()) {
    const box = await one.boundingBox();
    if (box !== null) over.push([box.x - map.x, box.y - map.y, box.width, box.height]);
  }
  const picture = (await page.locator('.map').screenshot()).toString('base64');
  const blank = await page.context().browser().newPage();
  try {
    return await blank.evaluate(
      async ({ picture, colours, over }) => {
        const image = new Image();
        image.src = `data:image/png;base64,${picture}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext('2d');
        context.drawImage(image, 0, 0);
        const { data, width } = context.getImageData(0, 0, image.width, image.height);
        const wanted = colours.map((colour) => colour.match(/\d+/g).slice(0, 3).map(Number));
        const found = Object.fromEntries(colours.map((colour) => [colour, []]));
        const covered = (x, y) => over.some(([left, top, w, h]) => x >= left && x <= left + w && y >= top && y <= top + h);
        for (let i = 0; i < data.length; i += 4) {
          const [x, y] = [(i / 4) % width, Math.floor(i / 4 / width)];
          for (let c = 0; c < wanted.length; c += 1) {
            const [r, g, b] = wanted[c];
            if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) > 6) continue;
            if (!covered(x, y)) found[colours[c]].push(`${x},${y}`);
          }
        }
        return found;
      },
      { picture, colours, over },
    );
  } finally {
    await blank.close();
  }
}

/** Puts the focus before everything, as on a page just opened. */
export function fromTheStart(page) {
  return page.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
  });
}

/** Colours of elements as the browser computes them. */
export function coloursOf(page, selector) {
  return page.locator(selector).evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
}

/** Words of a language that do not belong on a page in the other. Names, ids and units are neither. */
const NEITHER = /Gridwarden|ClickHouse|English|中文|JSON|YAML|PM2\.5|PM10|dB\(A\)|km\/h|µg\/m³|NTU|[a-z]+-\d+|[A-Za-z]+\d+/g;

/** Words of the page that are not in its language, what stands in `own` left out. */
export async function foreign(page, lang, own = []) {
  const whole = await page.evaluate((own) => {
    const body = document.body.cloneNode(true);
    for (const one of own) for (const found of body.querySelectorAll(one)) found.remove();
    document.body.append(body);
    const text = body.innerText;
    body.remove();
    return text;
  }, own);
  const text = whole.replace(NEITHER, ' ');
  return lang === 'zh' ? (text.match(/[A-Za-z]{3,}/g) ?? []) : (text.match(/\p{Script=Han}+/gu) ?? []);
}
