// Storms that go on, above the alerts: a rule that raises more than people are told must not look like a calm one.
import type { Storm } from '../api/types';
import { useSpeech } from '../i18n';
import { age, number } from '../pure/format';

interface StormFlagsProps {
  storms: Storm[];
  now: number;
  go: (rule: string) => void;
}

export function StormFlags({ storms, now, go }: StormFlagsProps) {
  const { t, tx, lang } = useSpeech();
  if (storms.length === 0) return null;
  return (
    <ul className="storm-flags" aria-label={t('storms.now')}>
      {storms.map((storm) => (
        <li key={storm.id}>
          <button
            type="button"
            className="storm-flag"
            data-storm={storm.id}
            title={t('storms.about', { n: number(storm.per_minute, lang) })}
            onClick={() => go(storm.rule)}
          >
            <span className="storm-rule">{t('storms.flag', { rule: tx(storm.title, storm.rule) })}</span>
            <span className="storm-more num">
              {t('storms.held', { n: number(storm.held_back, lang) })} · {age(now - storm.since, lang)}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}
