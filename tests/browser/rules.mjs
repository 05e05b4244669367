// Looks at the page of rules as a grid manager would, in a real browser, against a running console whose stream holds the rules
// `hot` (a draft, version 1), `cold` (active, versions 1 and 2) and nobody else looks at.
//
//   CONSOLE_URL=http://127.0.0.1:8080 TOKEN=… VIEWER_TOKEN=… node tests/browser/rules.mjs
//
// LOOK   all (default); away: the stream is stopped; absent: no stream is configured
// SHOTS, WAIT_S, CHROMIUM as in console.mjs
//
// Prints one line per check; exit code 1 when a check failed.
import { ask, axe, base, check, failures, foreign, launch, limit, open, overflow, say, shoot, token, until } from './kit.mjs';

const NAME = '王芳';
const viewer = process.env.VIEWER_TOKEN ?? '';

async function change(method, path, body, headers = {}) {
  const answer = await fetch(`${base}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Signs in by the form, with a name or without. */
async function signIn(page, secret, name, query = '?page=rules') {
  await page.goto(`${base}/${query}`);
  await page.locator('#token').waitFor({ timeout: limit });
  await page.fill('#token', secret);
  if (name !== '') await page.fill('#person', name);
  await page.click('button[type=submit]');
  await page.locator('.top').waitFor({ timeout: limit });
}

const row = (page, id) => page.locator(`tr[data-rule="${id}"]`);
const panel = (page) => page.locator('[data-chosen-rule]');

async function openRule(page, id) {
  await row(page, id).locator('.rule-open').click();
  await page.locator(`[data-chosen-rule="${id}"] [data-version]`).first().waitFor({ timeout: limit });
}

/** Gives the reason and confirms; the version that was written. */
async function confirm(page, why) {
  await page.fill('input[name=why]', why);
  await page.click('[data-do=confirm]');
  await page.locator('[data-written]').waitFor({ timeout: limit });
  return Number(await page.locator('[data-written]').getAttribute('data-written'));
}

async function newest(id) {
  const { versions } = await ask(`rules/${id}/versions?documents=false`);
  return versions.at(-1);
}

async function theList(page) {
  await check('all rules are listed with state, version, kind, who and when', async () => {
    await row(page, 'hot').waitFor({ timeout: limit });
    const hot = await row(page, 'hot').locator('td').allTextContents();
    const wanted = ['Hot', 'Threshold', 'Draft', '1', 'ben'];
    const missing = wanted.filter((one) => !hot.join('|').includes(one));
    if (missing.length > 0 || !/\d\d:\d\d/.test(hot.at(-1))) throw new Error(hot.join('|'));
    if ((await row(page, 'cold').getAttribute('data-state')) !== 'active') throw new Error('cold is not active');
    return hot.join(' | ');
  });
  await check('rules are found by words and by state', async () => {
    await page.fill('input[name=words]', 'ben first');
    if ((await page.locator('tr[data-rule]').count()) !== 1) throw new Error('words find more than hot');
    await page.fill('input[name=words]', '');
    await page.click('[data-filter-state=active]');
    const all = await page.locator('tr[data-rule]').evaluateAll((rows) => rows.map((one) => one.dataset.state));
    if (all.length === 0 || all.some((one) => one !== 'active')) throw new Error(all.join(' '));
    await page.click('[data-filter-state=all]');
    return `${all.length} active`;
  });
  await check('storms are listed: rule, since, until, how many were held back', async () => {
    const rows = page.locator('.storms tbody tr');
    await rows.first().waitFor({ timeout: limit });
    const said = await rows.allTextContents();
    const open = await rows.evaluateAll((all) => all.map((one) => one.dataset.open));
    if (open.join() !== 'true,false' || !said[0].includes('1,234') || !said[1].includes('56')) throw new Error(said.join(' / '));
    return said.join(' / ');
  });
  await check('axe finds nothing on the list', () => axe(page, 'rules'));
  await check('the list fits', () => overflow(page));
  await shoot(page, 'rules-list');
}

async function oneRule(page) {
  await check('a rule shows its document, and its history with who, why and when', async () => {
    await openRule(page, 'cold');
    await until('the document', async () => {
      const text = (await page.locator('pre.document').textContent()) ?? '';
      return { ok: text.includes('"level": -5') && text.includes('"side": "below"') };
    });
    await page.click('[data-tab=history]');
    const said = await page.locator('.versions li').allTextContents();
    if (said.length !== 2 || !said[0].includes('anna') || !said[0].includes('too many')) throw new Error(said.join(' / '));
    return said.join(' / ');
  });
  await check('two versions are compared field by field', async () => {
    const field = page.locator('[data-field="threshold.level"]');
    await field.waitFor({ timeout: limit });
    const said = await field.locator('td').allTextContents();
    if (said.join() !== '0,-5') throw new Error(said.join());
    if ((await page.locator('.diff tbody tr').count()) !== 1) throw new Error('more differs than the level');
    await axe(page, 'history');
    await shoot(page, 'rules-history');
    return said.join(' → ');
  });
  await check('an earlier version is taken back, with a reason, in the name of who is signed in', async () => {
    await page.click('.versions li[data-version="1"] [data-do=take-back]');
    const version = await confirm(page, 'was better');
    const line = await newest('cold');
    const { by, why } = line.changed;
    if (version !== 3 || line.version !== 3 || by !== NAME || why !== 'was better') throw new Error(JSON.stringify(line));
    await until('the new version in the list', async () => ({ ok: (await row(page, 'cold').textContent()).includes(NAME) }));
    return `${by}: ${why}`;
  });
}

async function changes(page) {
  await check('a draft is activated', async () => {
    await openRule(page, 'hot');
    await page.click('[data-do=activate]');
    await shoot(page, 'rules-activate');
    const version = await confirm(page, 'tried for a week');
    const line = await newest('hot');
    if (line.state !== 'active' || line.version !== version || line.changed.by !== NAME) throw new Error(JSON.stringify(line));
    await page.locator('.detail .state[data-state=active]').first().waitFor({ timeout: limit });
  });
  await check('who was slower is told, overwrites nothing, and looks at what changed', async () => {
    await page.click('[data-do=retire]');
    await page.fill('input[name=why]', 'not needed');
    const seen = await newest('hot');
    await change('POST', 'rules/hot/state', { state: 'draft', by: 'ben', why: 'quicker' });
    await page.click('[data-do=confirm]');
    await page.locator('[data-fault=moved]').waitFor({ timeout: limit });
    await shoot(page, 'rules-moved');
    const line = await newest('hot');
    if (line.version !== seen.version + 1 || line.changed.by !== 'ben') throw new Error(JSON.stringify(line));
    await page.click('[data-do=look-anew]');
    await page.locator(`.versions li[data-version="${line.version}"]`).waitFor({ timeout: limit });
    return line.changed.why;
  });
  await check('a document that is no rule is refused with its line and reason', async () => {
    await page.click('[data-do=edit]');
    const area = page.locator('textarea[name=document]');
    await area.waitFor({ timeout: limit });
    const text = await area.inputValue();
    await area.fill(text.replace('"level": 90', '"level": "high"'));
    await page.click('[data-do=check]');
    const fault = page.locator('[data-fault=invalid]');
    await fault.waitFor({ timeout: limit });
    const line = Number(await fault.getAttribute('data-line'));
    const wanted = text.split('\n').findIndex((one) => one.includes('"level"')) + 1;
    const marked = await area.evaluate((one) => one.value.slice(one.selectionStart, one.selectionEnd));
    if (line !== wanted || !marked.includes('high')) throw new Error(`line ${line}, not ${wanted}: ${marked}`);
    await axe(page, 'a document refused');
    await shoot(page, 'rules-refused');
    return (await fault.textContent()) ?? '';
  });
  await check('a document is edited, checked and written', async () => {
    const area = page.locator('textarea[name=document]');
    await area.fill((await area.inputValue()).replace('"level": "high"', '"level": 95'));
    await page.click('[data-do=check]');
    await page.selectOption('select[name=state]', 'active');
    const version = await confirm(page, 'fewer alerts');
    const rule = await ask('rules/hot');
    const { state } = await newest('hot');
    const ok = rule.version === version && state === 'active' && rule.threshold.level === 95;
    if (!ok || rule.changed.by !== NAME) throw new Error(JSON.stringify(rule));
    return `version ${version}`;
  });
  await check('a rule is retired', async () => {
    await page.click('[data-do=retire]');
    await confirm(page, 'out of season');
    if ((await newest('hot')).state !== 'retired') throw new Error(JSON.stringify(await newest('hot')));
    await until('its line', async () => ({ ok: (await row(page, 'hot').getAttribute('data-state')) === 'retired' }));
  });
  await check('a new rule is written as YAML and begins as a draft', async () => {
    await page.click('[data-do=new]');
    const yaml = 'id: dusty\ntitle: {en: Dusty, zh: 扬尘}\nseverity: minor\nthreshold: {value: t, side: above, level: 7}\n';
    await page.fill('textarea[name=document]', yaml);
    await page.click('[data-do=check]');
    await page.fill('input[name=why]', 'building sites');
    await page.click('[data-do=confirm]');
    await page.locator('[data-chosen-rule=dusty] [data-version="1"]').waitFor({ timeout: limit });
    const line = await newest('dusty');
    if (line.state !== 'draft' || line.changed.by !== NAME) throw new Error(JSON.stringify(line));
  });
  await check('a draft is tried on the past', async () => {
    await page.click('[data-tab=try]');
    await page.click('[data-do=begin-try]');
    const detail = await until('what was found', async () => {
      const state = await page.locator('[data-try]').getAttribute('data-try');
      return { ok: state === 'done', detail: await page.locator('[data-try]').textContent() };
    });
    if ((await page.locator('[data-tried=dusty]').count()) !== 1) throw new Error(detail);
    await shoot(page, 'rules-tried');
    return detail.slice(-60);
  });
}

async function storms(page) {
  await check('on the city’s page a storm that goes on stands above the alerts and leads to its rule', async () => {
    await page.click('[data-page=city]');
    const flag = page.locator('.storm-flag');
    await flag.waitFor({ timeout: limit });
    const said = (await flag.textContent()) ?? '';
    if (!said.includes('1,234') || (await flag.count()) !== 1) throw new Error(said);
    await axe(page, 'a storm on the city’s page');
    await shoot(page, 'city-storm');
    await flag.click();
    await page.locator('[data-chosen-rule=cold]').waitFor({ timeout: limit });
    await page.goBack();
    await page.locator('.storm-flag').waitFor({ timeout: limit });
    return said;
  });
}

async function onlyLooking(browser) {
  const page = await open(browser, 'viewer', { quiet: true, colorScheme: 'light', locale: 'en-GB' });
  await check('a viewer sees rules and cannot change them', async () => {
    await signIn(page, viewer, '');
    await openRule(page, 'cold');
    const offered = await page.locator('[data-do=new], [data-do=activate], [data-do=retire], [data-do=edit]').count();
    await page.click('[data-tab=history]');
    const back = await page.locator('[data-do=take-back]').count();
    if (offered + back > 0) throw new Error(`${offered + back} changes are offered`);
    const status = await page.evaluate(async () => {
      const body = JSON.stringify({ state: 'retired', by: 'x' });
      return (await fetch('/api/v1/rules/cold/state', { method: 'POST', body })).status;
    });
    if (status !== 403) throw new Error(`the console answers ${status}`);
  });
  await page.context().close();
}

async function everyLook(browser) {
  const looks = [
    ['rules-light-zh', 'light', 'zh-CN', 1280, 800],
    ['rules-dark-en', 'dark', 'en-GB', 1280, 800],
    ['rules-dark-zh-wall', 'dark', 'zh-CN', 2560, 1440],
    ['rules-light-en-small', 'light', 'en-GB', 1024, 768],
  ];
  for (const [name, colorScheme, locale, width, height] of looks) {
    const page = await open(browser, name, { colorScheme, locale, viewport: { width, height } });
    await check(`${name}: fits, is in its language, and axe finds nothing`, async () => {
      await page.goto(`${base}/?page=rules&rule=cold#token=${token}`);
      await page.locator('pre.document').waitFor({ timeout: limit });
      await page.locator('.storms tbody tr').first().waitFor({ timeout: limit });
      await page.click('[data-tab=history]');
      await page.locator('[data-field]').first().waitFor({ timeout: limit });
      await shoot(page, name);
      await overflow(page);
      // What people wrote themselves is in whatever language they wrote it.
      const own = ['.version-why', '.versions', '[data-field] th', '.facts', '.rule-by', '.rule-id', '.diff td', '.top-name'];
      const words = await foreign(page, locale.startsWith('zh') ? 'zh' : 'en', own);
      if (words.length > 0) throw new Error(`not in ${locale}: ${words.slice(0, 8).join(', ')}`);
      await axe(page, name);
    });
    await page.context().close();
  }
}

/** The page without the stream says so. */
async function without(browser, why) {
  for (const locale of ['en-GB', 'zh-CN']) {
    const page = await open(browser, why, { quiet: true, colorScheme: 'light', locale });
    await check(`${why} in ${locale}: told in words, not a blank page`, async () => {
      await page.goto(`${base}/?page=rules&rule=cold#token=${token}`);
      const notice = page.locator(`[data-notice=${why}]`);
      await notice.waitFor({ timeout: limit });
      await page.locator('.rules-list .empty').waitFor({ timeout: limit });
      await page.locator('.storms tbody tr').first().waitFor({ timeout: limit });
      await overflow(page);
      await axe(page, why);
      await shoot(page, `rules-${why}-${locale}`);
      return (await notice.textContent()) ?? '';
    });
    await page.context().close();
  }
}

const browser = await launch();
try {
  const look = process.env.LOOK ?? 'all';
  if (look === 'all') {
    // Refused changes are what some of these checks are for; the browser logs each as an error.
    const page = await open(browser, 'rules', { quiet: true, colorScheme: 'light', locale: 'en-GB' });
    await signIn(page, token, NAME);
    await theList(page);
    await oneRule(page);
    await changes(page);
    await storms(page);
    await page.context().close();
    await onlyLooking(browser);
    await everyLook(browser);
  } else {
    await without(browser, look);
  }
} finally {
  await browser.close();
}
say(failures.length === 0 ? 'all checks passed' : `${failures.length} checks failed`);
process.exit(failures.length === 0 ? 0 : 1);
