// One alert: what, about whom, since when, where, by which rule.
import type { Alert } from '../api/types';
import { useSpeech } from '../i18n';
import { age, clock } from '../pure/format';
import type { Model } from '../state/model';
import { useValueSaid } from './alerts';
import { AreaLinks } from './area-links';
import { Detail } from './detail';
import { SeverityMark } from './severity';

const WORDS = new Set([
  'immediate',
  'expected',
  'future',
  'past',
  'observed',
  'likely',
  'possible',
  'unlikely',
  'unknown',
]);
type Word = 'immediate' | 'expected' | 'future' | 'past' | 'observed' | 'likely' | 'possible' | 'unlikely' | 'unknown';

/** Partition and offset of a record; its topic is the same for all of a city. */
const record = (place: string) => place.split('/').slice(-2).join('/');

interface AlertPanelProps {
  alert: Alert;
  model: Model;
  now: number;
  goArea: (layer: string, code: string) => void;
  goEntity: (source: string) => void;
  goRule: (rule: string) => void;
  close: () => void;
}

export function AlertPanel({ alert, model, now, goArea, goEntity, goRule, close }: AlertPanelProps) {
  const { t, tx, lang } = useSpeech();
  const value = useValueSaid()(alert);
  const cityNow = now + model.offset;
  const at = (moment: number) => clock(moment, cityNow, model.city.timezone, lang);
  const subject = tx(alert.subject.name, alert.subject.id);
  const goSubject = () => {
    if (alert.subject.kind === 'entity') goEntity(alert.subject.id);
    else {
      const [layer = '', code = ''] = alert.subject.id.split('/');
      goArea(layer, code);
    }
  };
  // Two at once, and a place that only its rule draws, have no page of their own.
  const leads = alert.subject.kind === 'entity' || alert.subject.kind === 'area';
  const known = (word: string) => (WORDS.has(word) ? word : 'unknown') as Word;
  const eyebrow = (
    <>
      <SeverityMark severity={alert.severity} open={alert.open} /> {t(`severity.${alert.severity}`)} ·{' '}
      {t(alert.open ? 'alert.state.open' : 'alert.state.cleared')}
    </>
  );
  return (
    <Detail
      eyebrow={eyebrow}
      title={tx(alert.title, alert.rule)}
      close={close}
      data={{ 'data-chosen-alert': alert.id }}
    >
      <dl className="facts">
        <dt>{t('alert.subject')}</dt>
        <dd>
          {leads ? (
            <button type="button" className="link" onClick={goSubject} data-do="subject">
              {subject}
            </button>
          ) : (
            subject
          )}
          {subject !== alert.subject.id && <span className="quiet num">{alert.subject.id}</span>}
        </dd>
        <dt>{t('alert.raised')}</dt>
        <dd className="num">
          {at(alert.raised_at)} <span className="quiet">{t('ago', { age: age(cityNow - alert.raised_at, lang) })}</span>
        </dd>
        {alert.cleared_at !== null && (
          <>
            <dt>{t('alert.cleared')}</dt>
            <dd className="num">
              {at(alert.cleared_at)}{' '}
              <span className="quiet">{t('alert.lasted', { age: age(alert.cleared_at - alert.raised_at, lang) })}</span>
            </dd>
          </>
        )}
        {value !== null && (
          <>
            <dt>{alert.metric_name === null ? t('alert.value') : tx(alert.metric_name, alert.metric ?? '')}</dt>
            <dd className="num">{value}</dd>
          </>
        )}
        <dt>{t('alert.urgency')}</dt>
        <dd>
          {t(`alert.word.${known(alert.urgency)}`)} · {t(`alert.word.${known(alert.certainty)}`)}
        </dd>
        <dt>{t('entity.place')}</dt>
        <dd>{alert.areas.length === 0 ? t('alerts.nowhere') : <AreaLinks areas={alert.areas} go={goArea} />}</dd>
        <dt>{t('alert.rule')}</dt>
        <dd className="num">
          <button type="button" className="link" onClick={() => goRule(alert.rule)} data-do="rule">
            {alert.rule}
          </button>
        </dd>
        {alert.evidence.length > 0 && (
          <>
            <dt>{t('alert.evidence')}</dt>
            <dd className="num quiet" data-evidence={alert.evidence.length}>
              {alert.evidence.map(record).join(', ')}
            </dd>
          </>
        )}
      </dl>
    </Detail>
  );
}
