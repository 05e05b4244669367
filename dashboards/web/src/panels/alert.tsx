// One alert: what, about whom, since when, where, by which rule.
import type { Alert } from '../api/types';
import { useSpeech } from '../i18n';
import { age, clock } from '../pure/format';
import type { Model } from '../state/model';
import { useValueSaid } from './alerts';
import { AreaLinks } from './area-links';
import { Detail } from './detail';
import { SeverityMark } from './severity';

interface AlertPanelProps {
  alert: Alert;
  model: Model;
  now: number;
  goArea: (layer: string, code: string) => void;
  goEntity: (source: string) => void;
  close: () => void;
}

export function AlertPanel({ alert, model, now, goArea, goEntity, close }: AlertPanelProps) {
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
          <button type="button" className="link" onClick={goSubject} data-do="subject">
            {subject}
          </button>
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
        <dt>{t('entity.place')}</dt>
        <dd>{alert.areas.length === 0 ? t('alerts.nowhere') : <AreaLinks areas={alert.areas} go={goArea} />}</dd>
        <dt>{t('alert.rule')}</dt>
        <dd className="num">{alert.rule}</dd>
      </dl>
    </Detail>
  );
}
