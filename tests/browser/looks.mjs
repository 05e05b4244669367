// The page as a person meets it when all is well.
import { ask, axe, base, check, coloursOf, enter, foreign, fromTheStart, limit, open, overflow, placesOf, shoot, token, until } from './kit.mjs';

export async function signIn(browser) {
  // Being refused once is what this page is for; the browser logs each 401 as an error.
  const page = await open(browser, 'sign in', { quiet: true, colorScheme: 'light', locale: 'en-GB' });
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
    await page.keyboard.press('Enter');
    await page.locator('.kpis').waitFor({ timeout: limit });
  });
  await check('the token is kept nowhere a script can read', async () => {
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    if (kept.includes(token)) throw new Error('it stands in the browser’s storage');
  });
  await check('signing out ends the session', async () => {
    await page.click('[data-do=leave]');
    await page.locator('#token').waitFor({ timeout: limit });
    await page.reload();
    await page.locator('#token').waitFor({ timeout: limit });
  });
  await page.context().close();
}

export async function watchCity(page) {
  await check('the link with the token opens the page and the token leaves the address', async () => {
    await enter(page);
    if (page.url().includes(token)) throw new Error('the token is still in the address');
  });
  const city = await ask('city');
  await check('a simulated city says so, a real one does not', async () => {
    const said = await page.locator('.top .simulated').isVisible();
    if (said !== city.simulated) throw new Error(`simulated is ${city.simulated}, the page says ${said}`);
    return said ? await page.locator('.top .simulated').textContent() : 'a real city';
  });
  await check('figures say what they count', () =>
    until('figures', async () => {
      const values = await page.locator('.tile-value').allTextContents();
      const abouts = await page.locator('.tile-about').allTextContents();
      const ok = values.length === 6 && !values.includes('–') && abouts.every((text) => text !== '');
      return { ok, detail: values.join(' ') };
    }),
  );
  for (const feed of ['live', 'observations', 'entities', 'metrics']) {
    if (feed !== 'live' && !city.simulated) continue;
    await check(`what is shown is fresh: ${feed}`, () =>
      until('a fresh feed', async () => {
        const grade = await page.locator(`[data-feed=${feed}]`).getAttribute('data-grade');
        return { ok: grade === 'fresh', detail: await page.locator(`[data-feed=${feed}] .fresh-age`).textContent() };
      }),
    );
  }
  await check('times are the city’s, wherever the reader is', async () => {
    const form = new Intl.DateTimeFormat('en-GB', { timeZone: city.timezone, hour: '2-digit', minute: '2-digit' });
    return until('the city’s time', async () => {
      const shown = (await page.locator('.top-clock').textContent()) ?? '';
      const { now } = await ask('city');
      const near = [now - 60_000, now, now + 60_000].map((at) => form.format(at));
      return { ok: near.some((time) => shown.includes(time)), detail: `${shown.trim()} in ${city.timezone}` };
    });
  });
}

export async function watchAreas(page) {
  const levels = page.locator('[data-level]');
  for (let i = 0; i < (await levels.count()); i += 1) {
    const id = await levels.nth(i).getAttribute('data-level');
    await check(`level ${id} is coloured by its values`, async () => {
      await levels.nth(i).click();
      return until('the legend’s colours on the map', async () => {
        const query = new URL(page.url()).searchParams;
        const asked = `metrics/areas?layer=${query.get('layer')}&level=${id}&metric=${query.get('metric')}&span=600`;
        const { values } = await ask(asked);
        const colours = await coloursOf(page, '.legend-classes .swatch:not(.swatch-none)');
        const places = await placesOf(page, colours);
        const used = colours.filter((colour) => places[colour].length > 20);
        const wanted = Math.min(2, new Set(values).size, colours.length);
        const ok = values.length > 0 && used.length >= Math.max(1, wanted);
        return { ok, detail: `${values.length} values, ${used.length} of ${colours.length} colours seen` };
      });
    });
  }
  await check('the legend has the unit and of which time it is', async () => {
    const metric = new URL(page.url()).searchParams.get('metric');
    const { metrics } = await ask('metrics');
    const unit = metrics.find((one) => one.metric === metric)?.unit ?? '';
    const said = (await page.locator('.legend').textContent()) ?? '';
    if (!said.includes(unit) || !/\d\d:\d\d:\d\d/.test(said)) throw new Error(said);
    return said.replace(/\s+/g, ' ').slice(0, 40);
  });
  await check('another metric changes the map', async () => {
    const before = await page.locator('.legend-title').textContent();
    const options = await page.locator('select[name=metric] option').evaluateAll((all) => all.map((one) => one.value));
    const { metric } = Object.fromEntries(new URL(page.url()).searchParams);
    const other = options.find((one) => one !== metric && one.includes('.')) ?? options.find((one) => one !== metric);
    if (other === undefined) return 'there is one metric only';
    await page.selectOption('select[name=metric]', other);
    const detail = await until('another legend', async () => {
      const after = await page.locator('.legend-title').textContent();
      return { ok: after !== before, detail: `${before} → ${after}` };
    });
    await page.selectOption('select[name=metric]', metric);
    return detail;
  });
}

export async function watchEntities(page) {
  await check('the map shows entities by kind', () =>
    until('kinds', async () => {
      const kinds = await page.locator('[data-kind]').count();
      return { ok: kinds > 0, detail: `${kinds} kinds` };
    }),
  );
  await check('entities move on the picture', async () => {
    await page.click('[data-do=fit]');
    const colours = await coloursOf(page, '[data-kind][aria-pressed=true] .kind-mark');
    let before = null;
    return until('a move', async () => {
      const places = await placesOf(page, colours);
      const now = new Set(Object.values(places).flat());
      const left = before === null ? 0 : [...before].filter((place) => !now.has(place)).length;
      before = now;
      return { ok: left > 0, detail: `${left} of ${now.size} pixels left their place` };
    });
  });
  await check('a kind can be switched off and on', async () => {
    const kind = page.locator('[data-kind][aria-pressed=true]').first();
    const name = await kind.getAttribute('data-kind');
    const [colour] = await coloursOf(page, `[data-kind="${name}"] .kind-mark`);
    const count = async () => (await placesOf(page, [colour]))[colour].length;
    const on = await until('the kind on the map', async () => {
      const detail = await count();
      return { ok: detail > 0, detail };
    });
    await page.click(`[data-kind="${name}"]`);
    const off = await until('the kind gone from the map', async () => {
      const detail = await count();
      return { ok: detail < on / 4, detail };
    });
    await page.click(`[data-kind="${name}"]`);
    return `${on} → ${off} pixels of ${name}`;
  });
}

export async function watchAlerts(page) {
  await check('an alert appears in the list', async () => {
    await page.click('[data-show=all]');
    return until('an alert', async () => {
      const alerts = await page.locator('[data-alert]').count();
      return { ok: alerts > 0, detail: `${alerts} listed` };
    });
  });
  await check('the list goes on by itself', async () => {
    const first = () => page.locator('[data-alert]').first().textContent();
    const before = await first();
    return until('a newer first row', async () => ({ ok: (await first()) !== before, detail: (await first())?.slice(0, 40) }));
  });
  await check('choosing an alert says what, whom, when and where, and leads to its subject', async () => {
    await page.locator('[data-alert]').first().click();
    const detail = page.locator('[data-chosen-alert]');
    await detail.waitFor({ timeout: limit });
    const facts = await detail.locator('dt').allTextContents();
    if (facts.length < 4) throw new Error(`only ${facts.join(', ')}`);
    await detail.locator('[data-do=subject]').click();
    await page.locator('[data-entity], [data-area]').first().waitFor({ timeout: limit });
    await page.keyboard.press('Escape');
    await page.locator('.detail').waitFor({ state: 'detached', timeout: limit });
    return facts.join(', ');
  });
  await check('a severity can be looked at alone', async () => {
    const severity = await page.locator('[data-alert]').first().getAttribute('data-severity');
    await page.click(`[data-filter="${severity}"]`);
    const all = await page.locator('[data-alert]').evaluateAll((rows) => rows.map((row) => row.dataset.severity));
    if (all.length === 0 || all.some((one) => one !== severity)) throw new Error(all.join(' '));
    await page.click(`[data-filter="${severity}"]`);
    return `${all.length} ${severity}`;
  });
}

/** Everything that can be done with a pointer can be done with keys. */
export async function keyboard(page) {
  await check('an area is found by its code with keys alone, and says its parents and its history', async () => {
    const { layers } = await ask('layers');
    const layer = layers.find((one) => one.main) ?? layers[0];
    const { areas } = await ask(`areas?layer=${layer.id}&level=${layer.levels.at(-1).id}&limit=1`);
    await page.locator('.search input').focus();
    await page.keyboard.type(areas[0].code);
    // At once: what is listed by then may still answer the first half of the code.
    await page.keyboard.press('Enter');
    const area = page.locator(`[data-area="${areas[0].code}"]`);
    await area.waitFor({ timeout: limit });
    await area.locator('dd').first().waitFor({ timeout: limit });
    return areas[0].code;
  });
  await check('the skip link leads to the alerts', async () => {
    await fromTheStart(page);
    await page.keyboard.press('Tab');
    const skip = await page.evaluate(() => document.activeElement?.className);
    if (skip !== 'skip') throw new Error(`the first stop is ${skip}`);
    await page.keyboard.press('Enter');
    const there = await page.evaluate(() => document.activeElement?.id);
    if (there !== 'alerts') throw new Error(`it leads to ${there}`);
  });
  await check('every control is reached with Tab and shows that it is', async () => {
    await fromTheStart(page);
    const seen = new Set();
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const one = document.activeElement;
        if (one === null || one === document.body) return null;
        const style = getComputedStyle(one);
        const part = one.closest('.top, .controls, .map, .kinds, .detail, .alerts')?.className.split(' ')[0] ?? '?';
        const shown = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1) || one.tagName === 'CANVAS';
        return { part, shown, name: one.outerHTML.slice(0, 60) };
      });
      if (stop === null) continue;
      if (!stop.shown) throw new Error(`no sign of focus on ${stop.name}`);
      seen.add(stop.part);
    }
    const missing = ['top', 'controls', 'map', 'kinds', 'detail', 'alerts'].filter((part) => !seen.has(part));
    if (missing.length > 0) throw new Error(`never reached: ${missing.join(', ')}`);
    return `${[...seen].join(', ')}`;
  });
  await check('Escape closes what was chosen', async () => {
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press('Escape');
    await page.locator('.detail').waitFor({ state: 'detached', timeout: limit });
  });
}

export async function switches(page) {
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

/** The rules the city runs on; tests/browser/rules.mjs looks closer. */
export async function watchRules(page) {
  await check('the rules of the city stand on their page, and one says what it is', async () => {
    await page.click('[data-page=rules]');
    await page.locator('tr[data-rule]').first().waitFor({ timeout: limit });
    await page.locator('tr[data-rule] .rule-open').first().click();
    await page.locator('pre.document').waitFor({ timeout: limit });
    await page.locator('.storms').waitFor({ timeout: limit });
    await overflow(page);
    await axe(page, 'rules');
    await shoot(page, 'rules');
    const detail = `${await page.locator('tr[data-rule]').count()} rules`;
    await page.click('[data-page=city]');
    await page.locator('.kpis').waitFor({ timeout: limit });
    return detail;
  });
}

export async function everyLook(browser) {
  const { simulated } = await ask('city');
  const looks = [
    ['light-en', 'light', 'en-GB', 1280, 800],
    ['light-zh', 'light', 'zh-CN', 1024, 768],
    ['dark-zh', 'dark', 'zh-CN', 1280, 800],
    ['dark-en-wall', 'dark', 'en-GB', 2560, 1440],
  ];
  for (const [name, colorScheme, locale, width, height] of looks) {
    const options = { colorScheme, locale, viewport: { width, height }, timezoneId: 'America/Bogota' };
    const page = await open(browser, name, options);
    await check(`${name}: fits, is in its language, and axe finds nothing`, async () => {
      await enter(page);
      await until('the picture', async () => {
        const [colour] = await coloursOf(page, '.legend-classes .swatch:not(.swatch-none)');
        return { ok: colour !== undefined && (await placesOf(page, [colour]))[colour].length > 20 };
      });
      await shoot(page, name);
      await overflow(page);
      const words = simulated ? await foreign(page, locale.startsWith('zh') ? 'zh' : 'en') : [];
      if (words.length > 0) throw new Error(`not in ${locale}: ${words.slice(0, 8).join(', ')}`);
      await axe(page, name);
    });
    await page.context().close();
  }
}
