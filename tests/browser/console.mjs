// Looks at the console's page as a person would, in a real browser, against a running console.
//
//   CONSOLE_URL=http://127.0.0.1:8080 TOKEN=… node tests/browser/console.mjs
//
// SHOTS      folder for screenshots (default: no screenshots)
// WAIT_S     how long to wait for each thing (default 60)
// SIMULATED  1 when the page must say that the city is simulated
// NEED       what must be seen, of areas,entities,alerts (default all three); a city without movers leaves some out
// CHROMIUM   browser binary (default /usr/bin/chromium)
//
// Prints one line per check; exit code 1 when a check failed.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(new URL('../../dashboards/web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const { AxeBuilder } = require('@axe-core/playwright');

const base = (process.env.CONSOLE_URL ?? '').replace(/\/$/, '');
const token = process.env.TOKEN ?? '';
const shots = process.env.SHOTS;
const limit = Number(process.env.WAIT_S ?? 60) * 1000;
const needed = new Set((process.env.NEED ?? 'areas,entities,alerts').split(','));
const failures = [];

function say(text) {
  process.stdout.write(`${text}\n`);
}

function fail(name, why) {
  failures.push(`${name}: ${why}`);
  say(`FAILED  ${name}: ${why}`);
}

async function check(name, act) {
  try {
    const detail = await act();
    say(`ok      ${name}${detail === undefined ? '' : ` (${detail})`}`);
  } catch (error) {
    fail(name, String(error?.message ?? error).split('\n').slice(0, 4).join(' '));
  }
}

/** Asks until the answer is truthy, or says what the last answer was. */
async function until(what, ask) {
  const end = Date.now() + limit;
  let last;
  while (Date.now() < end) {
    last = await ask().catch((error) => ({ error: String(error) }));
    if (last?.ok === true) return last.detail;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${what} was not seen within ${limit / 1000} s; last: ${JSON.stringify(last)}`);
}

async function ask(pathAndQuery) {
  const answer = await fetch(`${base}/api/v1/${pathAndQuery}`, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${pathAndQuery}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Notes everything a page must not do. */
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

async function open(browser, name, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  watch(page, name);
  return page;
}

async function shoot(page, name) {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

/** Colours in the map's own canvas, apart from ground and empty area: proof that values reached the picture. */
async function axe(page, name) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map((one) => `${one.id} (${one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join('; ')})`);
  if (found.length > 0) throw new Error(`${name}: ${found.join(', ')}`);
}

async function overflow(page) {
  const size = await page.evaluate(() => {
    const root = document.documentElement;
    return { wide: root.scrollWidth - root.clientWidth, high: root.scrollHeight - root.clientHeight };
  });
  if (size.wide > 0 || size.high > 0) throw new Error(`the page overflows by ${size.wide} × ${size.high} pixels`);
}

async function signIn(browser) {
  const page = await open(browser, 'sign in', { colorScheme: 'light', locale: 'en-GB' });
  // Being refused once is what this page is for; the browser logs each 401 as an error.
  page.removeAllListeners('console');
  await check('without a token there is a token field', async () => {
    await page.goto(`${base}/`);
    await page.locator('#token').waitFor({ timeout: limit });
    await axe(page, 'sign in');
    await shoot(page, 'sign-in');
  });
  await check('a wrong token is refused in words', async () => {
    await page.fill('#token', 'wrong');
    await page.click('button[type=submit]');
    await page.locator('[role=alert]').waitFor({ timeout: limit });
  });
  await check('the right token opens the page', async () => {
    await page.fill('#token', token);
    await page.click('button[type=submit]');
    await page.locator('.kpis').waitFor({ timeout: limit });
  });
  await page.context().close();
}

async function watchCity(page) {
  await check('the link with the token opens the page and the token leaves the address', async () => {
    await page.goto(`${base}/#token=${token}`);
    await page.locator('.kpis').waitFor({ timeout: limit });
    if (page.url().includes(token)) throw new Error('the token is still in the address');
  });
  await check('figures say what they count', () =>
    until('figures', async () => {
      const values = await page.locator('.tile-value').allTextContents();
      const abouts = await page.locator('.tile-about').allTextContents();
      return { ok: values.length === 6 && !values.includes('–') && abouts.every((text) => text !== ''), detail: values.join(' ') };
    }),
  );
  if (process.env.SIMULATED === '1') {
    await check('the page says that the city is simulated', async () => {
      const said = page.locator('.simulated');
      await said.waitFor({ timeout: limit });
      const text = (await said.textContent()) ?? '';
      if (!/simulated/i.test(text)) throw new Error(`it says: ${text}`);
      return text;
    });
  }
  await check('the stream is live', () =>
    until('a live connection', async () => {
      const grade = await page.locator('[data-feed=live]').getAttribute('data-grade');
      return { ok: grade === 'fresh', detail: grade };
    }),
  );
}

async function watchAreas(page) {
  await check('areas are coloured by their values', () =>
    until('a legend with classes', async () => {
      const classes = await page.locator('.legend-classes li').count();
      const said = (await page.locator('.legend').textContent()) ?? '';
      return { ok: classes >= 2, detail: `${classes} rows: ${said.slice(0, 80)}` };
    }),
  );
  const levels = page.locator('[data-level]');
  for (let i = 0; i < (await levels.count()); i += 1) {
    const id = await levels.nth(i).getAttribute('data-level');
    await check(`level ${id} is shown`, async () => {
      await levels.nth(i).click();
      return until('values of the level', async () => {
        const query = new URL(page.url()).searchParams;
        const asked = `metrics/areas?layer=${query.get('layer')}&level=${id}&metric=${query.get('metric')}&span=600`;
        const { values } = await ask(asked);
        const rows = await page.locator('.legend-classes li').count();
        return { ok: values.length > 0 && rows >= 2, detail: `${values.length} values` };
      });
    });
  }
  await check('an area can be found without a pointer, and says its code, parents and history', async () => {
    const { layers } = await ask('layers');
    const layer = layers[0];
    const { areas } = await ask(`areas?layer=${layer.id}&level=${layer.levels.at(-1).id}&limit=1`);
    await page.locator('.search input').fill(areas[0].code);
    await page.locator('[role=option]').first().waitFor({ timeout: limit });
    await page.keyboard.press('Enter');
    await page.locator(`[data-area="${areas[0].code}"]`).waitFor({ timeout: limit });
    return areas[0].code;
  });
}

async function watchEntities(page) {
  await check('entities move', async () => {
    const spots = new Map();
    const detail = await until('a move', async () => {
      const { sources, lon, lat } = await ask('entities');
      let moved = 0;
      sources.forEach((source, i) => {
        const spot = `${lon[i]},${lat[i]}`;
        if ((spots.get(source) ?? spot) !== spot) moved += 1;
        spots.set(source, spot);
      });
      return { ok: moved > 0, detail: `${moved} of ${sources.length}` };
    });
    return detail;
  });
  await check('the map shows them by kind', () =>
    until('kinds', async () => {
      const kinds = await page.locator('[data-kind]').count();
      return { ok: kinds > 0, detail: `${kinds} kinds` };
    }),
  );
  await check('a kind can be switched off and on', async () => {
    const kind = page.locator('[data-kind]').first();
    const before = await kind.getAttribute('aria-pressed');
    await kind.click();
    if ((await kind.getAttribute('aria-pressed')) === before) throw new Error('nothing happened');
    await kind.click();
  });
}

async function watchAlerts(page) {
  await check('an alert appears in the list', async () => {
    await page.locator('.alerts .segments button').nth(1).click();
    return until('an alert', async () => {
      const alerts = await page.locator('[data-alert]').count();
      return { ok: alerts > 0, detail: `${alerts} listed` };
    });
  });
  await check('choosing an alert shows whom it is about', async () => {
    await page.locator('[data-alert]').first().click();
    await page.locator('.detail').waitFor({ timeout: limit });
  });
}

async function switches(page) {
  await check('language switches and is kept', async () => {
    const before = await page.locator('#alerts-title').textContent();
    await page.click('[data-do=lang]');
    const after = await page.locator('#alerts-title').textContent();
    if (before === after) throw new Error(`still ${after}`);
    await page.reload();
    await page.locator('.kpis').waitFor({ timeout: limit });
    if ((await page.locator('#alerts-title').textContent()) !== after) throw new Error('forgotten after a reload');
    return `${before} → ${after}`;
  });
  await check('theme switches and is kept', async () => {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    const before = await theme();
    await page.click('[data-do=theme]');
    const after = await theme();
    if (before === after) throw new Error(`still ${after}`);
    await page.reload();
    await page.locator('.kpis').waitFor({ timeout: limit });
    if ((await theme()) !== after) throw new Error('forgotten after a reload');
    return `${before} → ${after}`;
  });
}

async function shootAll(browser) {
  const looks = [
    ['light-en', 'light', 'en-GB', 1280, 800],
    ['dark-zh', 'dark', 'zh-CN', 1280, 800],
    ['dark-en-wall', 'dark', 'en-GB', 2560, 1440],
  ];
  for (const [name, colorScheme, locale, width, height] of looks) {
    const page = await open(browser, name, { colorScheme, locale, viewport: { width, height } });
    await check(`${name}: fits, and axe finds nothing`, async () => {
      await page.goto(`${base}/#token=${token}`);
      await page.locator('.kpis').waitFor({ timeout: limit });
      await until('the picture', async () => ({ ok: (await page.locator('.maplibregl-canvas').count()) > 0 }));
      await page.waitForTimeout(4_000);
      await shoot(page, name);
      await overflow(page);
      await axe(page, name);
    });
    await page.context().close();
  }
}

if (base === '' || token === '') {
  say('CONSOLE_URL and TOKEN must be set');
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
try {
  await signIn(browser);
  const page = await open(browser, 'page', { colorScheme: 'light', locale: 'en-GB' });
  await watchCity(page);
  if (needed.has('areas')) await watchAreas(page);
  if (needed.has('entities')) await watchEntities(page);
  if (needed.has('alerts')) await watchAlerts(page);
  await check('axe finds nothing on the page in use', () => axe(page, 'page'));
  await shoot(page, 'in-use');
  await switches(page);
  await page.context().close();
  await shootAll(browser);
} finally {
  await browser.close();
}
say(failures.length === 0 ? 'all checks passed' : `${failures.length} checks failed`);
process.exit(failures.length === 0 ? 0 : 1);
