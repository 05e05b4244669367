// Name of the city, whether it is simulated, how fresh the data are, language and theme.
import type { Key } from '../i18n/en';
import { useSpeech } from '../i18n';
import { age, clock, date } from '../pure/format';
import { grade, type Feed, type Grade } from '../pure/freshness';
import type { Ground } from '../pure/scale';
import type { Model } from '../state/model';

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

interface TopBarProps {
  model: Model;
  now: number;
  ground: Ground;
  flipGround: () => void;
  leave: () => void;
}

export function TopBar({ model, now, ground, flipGround, leave }: TopBarProps) {
  const { t, tx, lang, switchLang } = useSpeech();
  const cityNow = now + model.offset;
  const zone = model.city.timezone;
  return (
    <header className="top">
      <a className="skip" href="#alerts">
        {t('app.skip')}
      </a>
      <h1 className="top-city">
        <span className="brand">{t('app.name')}</span>
        <span className="top-name">{tx(model.city.name, t('app.title'))}</span>
      </h1>
      {model.city.simulated && (
        <p className="simulated" title={t('app.simulated.about')}>
          {t('app.simulated')}
        </p>
      )}
      <ul className="freshness" aria-label={t('fresh.title')}>
        {FEEDS.map(([feed, name, about]) => (
          <FreshChip key={feed} model={model} feed={feed} name={t(name)} about={t(about)} now={now} />
        ))}
      </ul>
      <time className="top-clock num" title={t('app.zone', { zone })}>
        <span className="top-date">{date(cityNow, zone, lang)}</span> {clock(cityNow, cityNow, zone, lang)}
      </time>
      <div className="top-buttons">
        <button type="button" className="button small" onClick={switchLang} aria-label={t('lang.label')} data-do="lang">
          {t('lang.switch')}
        </button>
        <button
          type="button"
          className="button small"
          onClick={flipGround}
          aria-label={t('theme.label')}
          data-do="theme"
        >
          {t(ground === 'dark' ? 'theme.light' : 'theme.dark')}
        </button>
        <button type="button" className="button small" onClick={leave} data-do="leave">
          {t('session.leave')}
        </button>
      </div>
    </header>
  );
}
