// The live list of alerts. Choosing one shows it on the map.
import { memo, useMemo, useState } from 'react';
import type { Alert, Severity, Storm } from '../api/types';
import { useSpeech } from '../i18n';
import { SEVERITIES, filterAlerts, isWithin, lastMoment, placeOf, type AlertFilter } from '../pure/alerts';
import { age, number } from '../pure/format';
import { StormFlags } from './storms';
import { SeverityMark } from './severity';

/** Rows drawn at once; the rest is counted, so that a storm does not freeze the page. */
const DRAWN = 120;

/** An area the list can be narrowed to. */
export interface Within {
  layer: string;
  code: string;
  name: string;
}

interface RowProps {
  alert: Alert;
  when: string;
  mainLayer: string | undefined;
  citySimulated: boolean;
  chosen: boolean;
  choose: (alert: Alert) => void;
}

/** "152 µg/m³ (limit 150)": what was seen and what it crossed. */
export function useValueSaid(): (alert: Alert) => string | null {
  const { t, lang } = useSpeech();
  return (alert) => {
    if (alert.value === null || alert.level === null) return null;
    const value = [number(alert.value, lang), alert.unit ?? ''].join(' ').trimEnd();
    return t('alerts.value', { value, level: number(alert.level, lang) });
  };
}

const AlertRow = memo(function AlertRow({ alert, when, mainLayer, citySimulated, chosen, choose }: RowProps) {
  const { t, tx } = useSpeech();
  const value = useValueSaid()(alert);
  const place = placeOf(alert, mainLayer).map((area) => tx(area.name, area.code));
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
          {value !== null && <span className="alert-value num">{value}</span>}
        </span>
        <span className="alert-place">
          {place.length === 0 ? t('alerts.nowhere') : place.join(' · ')}
          {alert.simulated && !citySimulated && <span className="simulated small">{t('alerts.simulated')}</span>}
        </span>
      </button>
    </li>
  );
});

interface AlertsProps {
  alerts: Alert[] | null;
  /** open ones that were not fetched */
  beyond: number;
  failed: boolean;
  /** those that go on */
  storms: Storm[];
  goRule: (rule: string) => void;
  now: number;
  mainLayer: string | undefined;
  citySimulated: boolean;
  within: Within | null;
  chosen: string | null;
  choose: (alert: Alert) => void;
}

export function Alerts(props: AlertsProps) {
  const { alerts, beyond, failed, storms, goRule, now, mainLayer, citySimulated, within, chosen, choose } = props;
  const { t, lang } = useSpeech();
  const [filter, setFilter] = useState<AlertFilter>({ open: true, severities: [] });
  const [narrow, setNarrow] = useState(false);
  const here = narrow ? within : null;
  const inReach = useMemo(
    () => (alerts ?? []).filter((alert) => here === null || isWithin(alert, here.layer, here.code)),
    [alerts, here],
  );
  const listed = useMemo(() => filterAlerts(inReach, filter), [inReach, filter]);
  const toggle = (severity: Severity) => {
    const has = filter.severities.includes(severity);
    const severities = has ? filter.severities.filter((one) => one !== severity) : [...filter.severities, severity];
    setFilter({ ...filter, severities });
  };
  const counts = (severity: Severity) => filterAlerts(inReach, { open: filter.open, severities: [severity] }).length;
  const hasFilter = filter.severities.length > 0 || here !== null;
  const nothing = hasFilter ? 'alerts.none.filter' : filter.open ? 'alerts.none.open' : 'alerts.none';
  const hidden = Math.max(0, listed.length - DRAWN) + (hasFilter ? 0 : beyond);
  const when = (alert: Alert) => {
    const old = age(now - lastMoment(alert), lang);
    return alert.open ? old : t('alerts.cleared', { age: old });
  };
  return (
    <section className="alerts" id="alerts" aria-labelledby="alerts-title" tabIndex={-1}>
      <header className="panel-head">
        <h2 id="alerts-title">{t('alerts.title')}</h2>
        <div className="segments" role="group" aria-label={t('alerts.which')}>
          {([true, false] as const).map((open) => (
            <button
              key={String(open)}
              type="button"
              data-show={open ? 'open' : 'all'}
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
            data-filter={severity}
            aria-pressed={filter.severities.includes(severity)}
            onClick={() => toggle(severity)}
          >
            <SeverityMark severity={severity} />
            <span className="num chip-count">{number(counts(severity), lang)}</span>
            <span className="chip-name">{t(`severity.${severity}`)}</span>
          </button>
        ))}
        {within !== null && (
          <button
            type="button"
            className="chip wide"
            data-filter="area"
            aria-pressed={narrow}
            onClick={() => setNarrow(!narrow)}
          >
            {t('alerts.within', { area: within.name })}
          </button>
        )}
      </div>
      <StormFlags storms={storms} now={now} go={goRule} />
      {alerts === null ? (
        <p className="empty" role="status">
          {t(failed ? 'alerts.failed' : 'alerts.loading')}
        </p>
      ) : listed.length === 0 ? (
        <p className="empty" role="status">
          {t(nothing)}
        </p>
      ) : (
        <ul className="alert-list">
          {listed.slice(0, DRAWN).map((alert) => (
            <AlertRow
              key={alert.id}
              alert={alert}
              when={when(alert)}
              mainLayer={mainLayer}
              citySimulated={citySimulated}
              chosen={chosen === alert.id}
              choose={choose}
            />
          ))}
        </ul>
      )}
      {hidden > 0 && <p className="quiet list-end">{t('alerts.more', { n: number(hidden, lang) })}</p>}
    </section>
  );
}
