// Storms now and lately: rule, since, until, how many alerts were held back.
import { api } from '../api/client';
import { useSpeech } from '../i18n';
import { age, clock, number } from '../pure/format';
import { SeverityMark } from '../panels/severity';
import { useAsked } from './use-asked';

const EVERY_MS = 5_000;
const LISTED = 6;

interface StormListProps {
  cityNow: number;
  zone: string;
  go: (rule: string) => void;
}

export function StormList({ cityNow, zone, go }: StormListProps) {
  const { t, tx, lang } = useSpeech();
  const { value, error } = useAsked('storms', EVERY_MS, (signal) => api.storms({ limit: LISTED }, signal));
  const storms = value?.storms ?? [];
  const at = (moment: number) => clock(moment, cityNow, zone, lang, false);
  return (
    <section className="storms" aria-labelledby="storms-title" data-storms={storms.length}>
      <h2 id="storms-title">{t('storms.title')}</h2>
      {error !== null && (
        <p className="quiet" role="status">
          {t('storms.failed')}
        </p>
      )}
      {value !== null && storms.length === 0 && <p className="quiet">{t('storms.none')}</p>}
      {storms.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">{t('storms.rule')}</th>
              <th scope="col">{t('storms.since')}</th>
              <th scope="col">{t('storms.until')}</th>
              <th scope="col" className="right">
                {t('storms.held_back')}
              </th>
            </tr>
          </thead>
          <tbody>
            {storms.map((storm) => (
              <tr key={storm.id} data-storm={storm.id} data-open={storm.until === null}>
                <td>
                  <SeverityMark severity={storm.severity} open={storm.until === null} />{' '}
                  <button type="button" className="link" onClick={() => go(storm.rule)}>
                    {tx(storm.title, storm.rule)}
                  </button>
                </td>
                <td className="num when">{at(storm.since)}</td>
                <td className="num when">
                  {storm.until === null ? (
                    <strong className="going-on">
                      {t('storms.going_on', { age: age(cityNow - storm.since, lang) })}
                    </strong>
                  ) : (
                    at(storm.until)
                  )}
                </td>
                <td className="num right">{number(storm.held_back, lang)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
