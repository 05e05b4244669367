// The tiles: each says what it counts. Figures that are not of now look like it.
import { memo, type ReactNode } from 'react';
import type { Kpi } from '../api/types';
import { useSpeech } from '../i18n';
import { SEVERITIES } from '../pure/alerts';
import { count } from '../pure/format';
import { SeverityMark } from './severity';

interface TileProps {
  id: string;
  name: string;
  about: string;
  value: string;
  tone?: 'warn' | undefined;
  children?: ReactNode;
}

function Tile({ id, name, about, value, tone, children }: TileProps) {
  return (
    <div className="tile" data-kpi={id} data-tone={tone}>
      <dt className="tile-name">{name}</dt>
      <dd className="tile-body">
        <span className="tile-value num">{value}</span>
        {children}
        <span className="tile-about">{about}</span>
      </dd>
    </div>
  );
}

function OpenAlerts({ kpi }: { kpi: Kpi | null }) {
  const { t, lang } = useSpeech();
  const total = kpi === null ? null : SEVERITIES.reduce((sum, one) => sum + kpi.open_alerts[one], 0);
  return (
    <Tile
      id="alerts"
      name={t('kpi.alerts')}
      about={t('kpi.alerts.about')}
      value={total === null ? '–' : count(total, lang)}
    >
      <span className="tile-split">
        {SEVERITIES.map((severity) => (
          <span key={severity} className="tile-part" title={t(`severity.${severity}`)}>
            <SeverityMark severity={severity} />
            <span className="hidden">{t(`severity.${severity}`)}</span>
            <span className="num">{kpi === null ? '–' : count(kpi.open_alerts[severity], lang)}</span>
          </span>
        ))}
      </span>
    </Tile>
  );
}

export const Kpis = memo(function Kpis({ kpi, stale }: { kpi: Kpi | null; stale: boolean }) {
  const { t, lang } = useSpeech();
  const show = (value: number | undefined) => (value === undefined ? '–' : count(value, lang));
  const warn = (value: number | undefined) => (value !== undefined && value > 0 ? 'warn' : undefined);
  return (
    <section aria-label={t('kpi.title')}>
      <dl className="kpis" data-stale={stale}>
        <Tile id="events" name={t('kpi.events')} about={t('kpi.events.about')} value={show(kpi?.events_per_min)} />
        <Tile
          id="entities"
          name={t('kpi.entities')}
          about={t('kpi.entities.about', { n: show(kpi?.entities_known) })}
          value={show(kpi?.entities_seen_5m)}
        />
        <OpenAlerts kpi={kpi} />
        <Tile id="reports" name={t('kpi.reports')} about={t('kpi.reports.about')} value={show(kpi?.reports_today)} />
        <Tile
          id="nowhere"
          name={t('kpi.nowhere')}
          about={t('kpi.nowhere.about')}
          value={show(kpi?.nowhere_5m)}
          tone={warn(kpi?.nowhere_5m)}
        />
        <Tile
          id="rejects"
          name={t('kpi.rejects')}
          about={t('kpi.rejects.about')}
          value={show(kpi?.rejects_today)}
          tone={warn(kpi?.rejects_today)}
        />
      </dl>
    </section>
  );
});
