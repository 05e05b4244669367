// The page when something is wrong: it says so, shows what it last knew, and mends itself.
import { base, check, coloursOf, enter, limit, open, placesOf, shoot, until } from './kit.mjs';

const notice = (page, which) => page.locator(`[data-notice=${which}]`);

/** What was on the map is still there. */
async function stillThere(page) {
  const figures = await page.locator('.tile-value').allTextContents();
  if (figures.every((text) => text === '–')) throw new Error('the figures are gone');
  const colours = await coloursOf(page, '.legend-classes .swatch:not(.swatch-none)');
  const places = await placesOf(page, colours);
  if (!colours.some((colour) => places[colour].length > 20)) throw new Error('the map is blank');
  return figures.join(' ');
}

async function settled(page) {
  await until('figures and colours', async () => {
    const detail = await stillThere(page);
    return { ok: !detail.includes('–'), detail };
  });
}

export async function lineLost(browser) {
  const page = await open(browser, 'line lost', { quiet: true, locale: 'en-GB' });
  await check('a lost line is said in words, and what was known stays', async () => {
    await enter(page);
    await settled(page);
    await page.context().setOffline(true);
    // An open stream is not cut by this; it is opened anew for another map, and that fails.
    await page.locator('[data-span]').first().click();
    await page.locator('[data-level]').first().click();
    await notice(page, 'lost').waitFor({ timeout: limit });
    await shoot(page, 'line-lost');
    return notice(page, 'lost').textContent();
  });
  await check('the page mends itself when the line is back', async () => {
    await page.context().setOffline(false);
    await notice(page, 'lost').waitFor({ state: 'detached', timeout: limit });
    await until('a live stream', async () => ({
      ok: (await page.locator('[data-feed=live]').getAttribute('data-grade')) === 'fresh',
    }));
  });
  await page.context().close();
}

/** Open live streams, as the console counts them. */
async function viewers() {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(/^gridwarden_console_viewers (\d+)/m.exec(text)?.[1] ?? NaN);
}

/** A browser opens six lines to one place: tabs nobody sees must not hold them. */
export async function hiddenTab(browser) {
  const lines = (wanted) =>
    until(`${wanted} open lines`, async () => {
      const detail = await viewers();
      return { ok: detail === wanted, detail };
    });
  await check('before, nobody looks on', () => lines(0));
  const page = await open(browser, 'hidden tab', { locale: 'en-GB' });
  await enter(page);
  // The browser here shows every tab, so the tab is told by hand that it is out of sight.
  const show = (state) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await check('a tab out of sight lets its line go', async () => {
    await lines(1);
    await show('hidden');
    return lines(0);
  });
  await check('and takes it up again when it is seen, with everything it missed', async () => {
    await show('visible');
    await lines(1);
    await settled(page);
  });
  await page.context().close();
}

/** Stops the engine as an overloaded machine would, and lets it go on. */
export async function clickHouseAway(browser, pid) {
  const page = await open(browser, 'ClickHouse away', { quiet: true, locale: 'en-GB' });
  await enter(page);
  await check('before it goes, all is well', () => settled(page));
  process.kill(pid, 'SIGSTOP');
  try {
    await check('ClickHouse being away is said, and map, figures and alerts stay', async () => {
      await notice(page, 'away').waitFor({ timeout: limit });
      const rows = await page.locator('[data-alert]').count();
      await stillThere(page);
      await shoot(page, 'away');
      return `${await notice(page, 'away').textContent()} (${rows} alerts)`;
    });
    await check('what is shown grows old visibly', () =>
      until('a feed that is not fresh', async () => {
        const grade = await page.locator('[data-feed=entities]').getAttribute('data-grade');
        return { ok: grade === 'aging' || grade === 'stale', detail: grade };
      }),
    );
    await check('a page loaded meanwhile is not blank', async () => {
      await page.reload();
      await page.locator('.kpis').waitFor({ timeout: limit });
      await notice(page, 'away').waitFor({ timeout: limit });
      const detail = await until('what was last seen', async () => ({ ok: true, detail: await stillThere(page) }));
      await shoot(page, 'away-reloaded');
      return detail;
    });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await check('when it is back the page goes on by itself', async () => {
    await notice(page, 'away').waitFor({ state: 'detached', timeout: limit });
    await until('a fresh feed', async () => ({
      ok: (await page.locator('[data-feed=entities]').getAttribute('data-grade')) === 'fresh',
    }));
  });
  await page.context().close();
}
