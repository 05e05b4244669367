// Looks at the console's page as a person would, in a real browser, against a running console that nobody else looks at.
//
//   CONSOLE_URL=http://127.0.0.1:8080 TOKEN=… node tests/browser/console.mjs
//
// SHOTS           folder for screenshots (default: no screenshots)
// WAIT_S          how long to wait for each thing (default 60)
// NEED            what must be seen, of areas,entities,alerts,rules (default all); a city without movers leaves some out
// CLICKHOUSE_PID  the engine's process: it is stopped for a while, to see the page without it (default: left alone)
// CHROMIUM        browser binary (default /usr/bin/chromium)
//
// Prints one line per check; exit code 1 when a check failed.
import { clickHouseAway, hiddenTab, lineLost } from './faults.mjs';
import { axe, base, check, failures, launch, open, say, shoot, token } from './kit.mjs';
import { everyLook, keyboard, signIn, switches, watchAlerts, watchAreas, watchCity, watchEntities, watchRules } from './looks.mjs';

const needed = new Set((process.env.NEED ?? 'areas,entities,alerts,rules').split(','));

if (base === '' || token === '') {
  say('CONSOLE_URL and TOKEN must be set');
  process.exit(2);
}
const browser = await launch();
try {
  await signIn(browser);
  const page = await open(browser, 'page', { colorScheme: 'light', locale: 'en-GB', timezoneId: 'America/Bogota' });
  await watchCity(page);
  if (needed.has('areas')) await watchAreas(page);
  if (needed.has('entities')) await watchEntities(page);
  if (needed.has('alerts')) await watchAlerts(page);
  await keyboard(page);
  await check('axe finds nothing on the page in use', () => axe(page, 'page'));
  await shoot(page, 'in-use');
  if (needed.has('rules')) await watchRules(page);
  await switches(page);
  await page.context().close();
  await everyLook(browser);
  await lineLost(browser);
  await hiddenTab(browser);
  const engine = Number(process.env.CLICKHOUSE_PID ?? 0);
  if (engine > 0) await clickHouseAway(browser, engine);
} finally {
  await browser.close();
}
say(failures.length === 0 ? 'all checks passed' : `${failures.length} checks failed`);
process.exit(failures.length === 0 ? 0 : 1);
