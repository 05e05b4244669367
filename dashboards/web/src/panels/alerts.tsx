// The live list of alerts. Choosing one shows it on the map.
import { memo, useMemo, useState } from 'react';
import type { Alert, Severity } from '../api/types';
import { useSpeech } from '../i18n';
import { SEVERITIES, filterAlerts, lastMoment, type AlertFilter } from '../pure/alerts';
import { age, number } from '../pure/format';
import { SeverityMark } from './severity';

/** Rows drawn at once; the rest is counted, so that a storm does not freeze the page. */
const DRAWN = 120;

interface RowProps {
  alert: Alert;
  now: number;
  chosen: boolean;
  choose: (alert: Alert) => void;
}

const AlertRow = memo(function AlertRow({ alert, now, chosen, choose }: RowProps) {
  const { t, tx, lang } = useSpeech();
  const leaf = alert.areas[0];
  const place = leaf === undefined ? t('alerts.nowhere') : tx(leaf.name, leaf.code);
  const when = t(alert.open ? 'alerts.raised' : 'alerts.cleared', { age: age(now - lastMoment(alert), lang) });
  return (
    <li>
      <button
        type="button"
        className="alert"
        data-alert={alert.id}
        data-open={alert.open}
        data-severity={alert.severity}
        aria-current={chosen}
        onClick={() => choose(alert)}
      >
        <SeverityMark severity={alert.severity} open={alert.open} />
        <span className="alert-row">
          <span className="alert-title">
            <span className="hidden">{t(`severity.${alert.severity}`)} </span>
            {tx(alert.title, alert.rule)}
          </span>
          <span className="alert-age num">{when}</span>
        </span>
        <span className="alert-row">
          <span className="alert-subject">{tx(alert.subject.name, alert.subject.id)}</span>
          {alert.value !== null && alert.level !== null && (
            <span className="alert-value num">
              {t('alerts.value', {
                value: [number(alert.value, lang), alert.unit ?? ''].join(' ').trimEnd(),
                level: number(alert.level, lang),
              })}
            </span>
          )}
        </span>
        <span className="alert-place">{place}</span>
      </button>
    </li>
  );
});

interface AlertsProps {
  alerts: Alert[] | null;
  total: number;
  now: number;
  chosen: string | null;
  choose: (alert: Alert) => void;
}

export function Alerts({ alerts, total, now, chosen, choose }: AlertsProps) {
  const { t, lang } = useSpeech();
  const [filter, setFilter] = useState<AlertFilter>({ open: true, severities: [] });
  const listed = useMemo(() => filterAlerts(alerts ?? [], filter), [alerts, filter]);
  const toggle = (severity: Severity) => {
    const has = filter.severities.includes(severity);
    const severities = has ? filter.severities.filter((one) => one !== severity) : [...filter.severities, severity];
    setFilter({ ...filter, severities });
  };
  const counts = (severity: Severity) =>
    (alerts ?? []).filter((alert) => alert.severity === severity && (!filter.open || alert.open)).length;
  const nothing =
    filter.severities.length > 0 ? 'alerts.none.filter' : filter.open ? 'alerts.none.open' : 'alerts.none';
  const hidden = Math.max(0, listed.length - DRAWN) + (filter.open ? 0 : Math.max(0, total - (alerts?.length ?? 0)));
  return (
    <section className="alerts" id="alerts" aria-labelledby="alerts-title" tabIndex={-1}>
      <header className="panel-head">
        <h2 id="alerts-title">{t('alerts.title')}</h2>
        <div className="segments" role="group" aria-label={t('alerts.title')}>
          {([true, false] as const).map((open) => (
            <button
              key={String(open)}
              type="button"
              aria-pressed={filter.open === open}
              onClick={() => setFilter({ ...filter, open })}
            >
              {t(open ? 'alerts.open' : 'alerts.all')}
            </button>
          ))}
        </div>
      </header>
      <div className="chips" role="group" aria-label={t('alerts.filter')}>
        {SEVERITIES.map((severity) => (
          <button
            key={severity}
            type="button"
            className="chip"
            aria-pressed={filter.severities.includes(severity)}
            onClick={() => toggle(severity)}
          >
            <SeverityMark severity={severity} />
            {t(`severity.${severity}`)}
            <span className="num chip-count">{number(counts(severity), lang)}</span>
          </button>
        ))}
      </div>
      {alerts === null ? (
        <p className="empty" role="status">
          {t('alerts.loading')}
        </p>
      ) : listed.length === 0 ? (
        <p className="empty" role="status">
          {t(nothing)}
        </p>
      ) : (
        <ul className="alert-list">
          {listed.slice(0, DRAWN).map((alert) => (
            <AlertRow key={alert.id} alert={alert} now={now} chosen={chosen === alert.id} choose={choose} />
          ))}
        </ul>
      )}
      {hidden > 0 && <p className="quiet list-end">{t('alerts.more', { n: number(hidden, lang) })}</p>}
    </section>
  );
}
