// What is wrong with what the page shows, in a sentence: nobody must take an old picture for the present one.
import { useSpeech } from '../i18n';
import type { Key } from '../i18n/en';
import { clock } from '../pure/format';
import type { Model, Part } from '../state/model';

const PARTS: Record<Part, Key> = {
  layers: 'part.layers',
  metrics: 'part.metrics',
  alerts: 'part.alerts',
  entities: 'part.entities',
};

/** A line that is lost for shorter than this is not worth a word: the stream opens again by itself. */
const SHORT_MS = 2_500;

export function Notice({ model, now }: { model: Model; now: number }) {
  const { t, lang } = useSpeech();
  const at = (moment: number) => clock(moment, now + model.offset, model.city.timezone, lang);
  const since = model.heardAt ?? now;
  if (model.live !== 'open' && now - since > SHORT_MS) {
    return (
      <p className="notice" role="alert" data-notice="lost">
        {t('notice.lost', { time: at(since + model.offset) })}
      </p>
    );
  }
  if (model.away !== null) {
    return (
      <p className="notice" role="alert" data-notice="away">
        {t('notice.away', { time: at(model.away) })}
      </p>
    );
  }
  if (model.failed.size === 0) return null;
  const parts = [...model.failed].map((part) => t(PARTS[part]));
  return (
    <p className="notice" role="alert" data-notice="failed">
      {t('notice.failed', { what: parts.join(t('list.and')) })}
    </p>
  );
}
