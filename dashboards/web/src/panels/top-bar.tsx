// Name of the city, whether it is simulated, the pages, how fresh the data are, language and theme.
import type { ReactNode } from 'react';
import type { Key } from '../i18n/en';
import { useSpeech } from '../i18n';
import { age, clock, date } from '../pure/format';
import { grade, type Feed, type Grade } from '../pure/freshness';
import type { Ground } from '../pure/scale';
import type { Model } from '../state/model';
import type { Go, PageName, Place } from '../state/place';
import type { Start } from '../state/use-city';

const FEEDS: readonly [Feed, Key, Key][] = [
  ['observations', 'fresh.observations', 'fresh.observations.about'],
  ['entities', 'fresh.entities', 'fresh.entities.about'],
  ['metrics', 'fresh.metrics', 'fresh.metrics.about'],
  ['live', 'fresh.live', 'fresh.live.about'],
];

const GRADES: Record<Grade, Key> = {
  fresh: 'fresh.grade.fresh',
  aging: 'fresh.grade.aging',
  stale: 'fresh.grade.stale',
  unknown: 'fresh.grade.unknown',
};

function ageOf(model: Model, feed: Feed, now: number): number | null {
  if (feed === 'live') return model.heardAt === null ? null : now - model.heardAt;
  const at = model.freshness?.[feed] ?? null;
  return at === null ? null : Math.max(0, now + model.offset - at);
}

interface FreshChipProps {
  model: Model;
  feed: Feed;
  name: string;
  about: string;
  now: number;
}

function FreshChip({ model, feed, name, about, now }: FreshChipProps) {
  const { t, lang } = useSpeech();
  const old = ageOf(model, feed, now);
  const lost = feed === 'live' && model.live === 'lost';
  const found = lost ? 'stale' : grade(feed, old);
  const said = old === null ? t('fresh.none') : age(old, lang);
  return (
    <li className="fresh" data-grade={found} data-feed={feed} title={about}>
      <span className="fresh-dot" aria-hidden="true" />
      <span className="fresh-name">{name}</span>
      <span className="fresh-age num">{lost ? t('fresh.lost') : said}</span>
      <span className="hidden">{t(GRADES[found])}</span>
    </li>
  );
}

export function Freshness({ model, now }: { model: Model; now: number }) {
  const { t } = useSpeech();
  return (
    <ul className="freshness" aria-label={t('fresh.title')}>
      {FEEDS.map(([feed, name, about]) => (
        <FreshChip key={feed} model={model} feed={feed} name={t(name)} about={t(about)} now={now} />
      ))}
    </ul>
  );
}

/** What every page is shown in. */
export interface Frame {
  start: Start;
  place: Place;
  go: Go;
  ground: Ground;
  flipGround: () => void;
  leave: () => void;
}

const PAGES: readonly [PageName, Key][] = [
  ['city', 'page.city'],
  ['rules', 'page.rules'],
];

interface TopBarProps {
  frame: Frame;
  /** the city's time */
  cityNow: number;
  /** id of what the skip link leads to, and what it is called */
  skip: [string, string];
  leave: () => void;
  children?: ReactNode;
}

export function TopBar({ frame, cityNow, skip: [main, skip], leave, children }: TopBarProps) {
  const { t, tx, lang, switchLang } = useSpeech();
  const { city, session } = frame.start;
  return (
    <header className="top">
      <a className="skip" href={`#${main}`}>
        {skip}
      </a>
      <h1 className="top-city">
        <span className="brand">{t('app.name')}</span>
        <span className="top-name">{tx(city.name, t('app.title'))}</span>
      </h1>
      {city.simulated && (
        <p className="simulated" title={t('app.simulated.about')}>
          {t('app.simulated')}
        </p>
      )}
      <nav className="segments pages" aria-label={t('page.title')}>
        {PAGES.map(([page, name]) => (
          <button
            key={page}
            type="button"
            data-page={page}
            aria-pressed={frame.place.page === page}
            onClick={() => frame.go({ page, rule: null })}
          >
            {t(name)}
          </button>
        ))}
      </nav>
      {children}
      <time className="top-clock num" title={t('app.zone', { zone: city.timezone })}>
        <span className="top-date">{date(cityNow, city.timezone, lang)}</span>{' '}
        {clock(cityNow, cityNow, city.timezone, lang)}
      </time>
      <div className="top-buttons">
        <button type="button" className="button small" onClick={switchLang} aria-label={t('lang.label')} data-do="lang">
          {t('lang.switch')}
        </button>
        <button
          type="button"
          className="button small"
          onClick={frame.flipGround}
          aria-label={t('theme.label')}
          data-do="theme"
        >
          {t(frame.ground === 'dark' ? 'theme.light' : 'theme.dark')}
        </button>
        <button
          type="button"
          className="button small"
          onClick={leave}
          title={session.name === null ? undefined : t('session.of', { name: session.name })}
          data-do="leave"
        >
          {t('session.leave')}
        </button>
      </div>
    </header>
  );
}
