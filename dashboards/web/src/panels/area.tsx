// One area: who it is, what it holds, how its value went; and the way up and down the tree.
import { Suspense, lazy } from 'react';
import { api } from '../api/client';
import type { AreaDetail, AreaItem, Metric, Series } from '../api/types';
import { useSpeech } from '../i18n';
import { SEVERITIES, isWithin } from '../pure/alerts';
import { clock, number, span } from '../pure/format';
import type { Ground } from '../pure/scale';
import type { Model } from '../state/model';
import { AreaLinks } from './area-links';
import { Detail } from './detail';
import { SeverityMark } from './severity';
import { useFetched, type Fetched } from './use-fetched';

const Chart = lazy(() => import('./chart'));
const CHART_S = 600;
const CHART_EVERY_MS = 5_000;
const CHILDREN = 60;

type Go = (layer: string, code: string) => void;

interface AreaPanelProps {
  layer: string;
  code: string;
  model: Model;
  ground: Ground;
  go: Go;
  drill: (level: string) => void;
  close: () => void;
}

export function AreaPanel({ layer, code, model, ground, go, drill, close }: AreaPanelProps) {
  const { t, tx } = useSpeech();
  const fetched = useFetched(`${layer}/${code}`, null, (signal) => api.area(layer, code, signal));
  const area = fetched.is === 'here' ? fetched.value : null;
  const levels = model.layers.find((one) => one.id === layer)?.levels ?? [];
  const levelName = (id: string) => tx(levels.find((one) => one.id === id)?.name, id);
  const below = area?.children[0]?.level;
  return (
    <Detail
      eyebrow={`${area === null ? t('area.title') : levelName(area.level)} · ${code}`}
      title={area === null ? code : tx(area.name, area.code)}
      close={close}
      data={{ 'data-area': code }}
    >
      {fetched.is === 'failed' && (
        <p className="quiet" role="status">
          {t('panel.failed')}
        </p>
      )}
      <Now layer={layer} code={code} area={area} model={model} ground={ground} go={go} />
      {area !== null && below !== undefined && (
        <>
          <h3>
            {t('area.inside')} <Count n={area.children.length} />
            <button type="button" className="link" onClick={() => drill(below)} data-do="drill">
              {t('area.drill', { level: levelName(below) })}
            </button>
          </h3>
          <Children areas={area.children} model={model} go={go} />
        </>
      )}
    </Detail>
  );
}

function Count({ n }: { n: number }) {
  const { lang } = useSpeech();
  return <span className="num quiet">{number(n, lang)}</span>;
}

function AlertsHere({ layer, code, model }: { layer: string; code: string; model: Model }) {
  const { t, lang } = useSpeech();
  const here = (model.alerts ?? []).filter((alert) => alert.open && isWithin(alert, layer, code));
  if (here.length === 0) return <>{t('area.alerts.none')}</>;
  return (
    <span className="tile-split">
      {SEVERITIES.map((severity) => {
        const n = here.filter((alert) => alert.severity === severity).length;
        return n === 0 ? null : (
          <span key={severity} className="tile-part" title={t(`severity.${severity}`)}>
            <SeverityMark severity={severity} />
            <span className="hidden">{t(`severity.${severity}`)}</span>
            <span className="num">{number(n, lang)}</span>
          </span>
        );
      })}
    </span>
  );
}

interface NowProps {
  layer: string;
  code: string;
  area: AreaDetail | null;
  model: Model;
  ground: Ground;
  go: Go;
}

/** The value as the map has it when the map shows this level, else the newest window alone. */
function Now({ layer, code, area, model, ground, go }: NowProps) {
  const { t, tx, lang } = useSpeech();
  const chosen = model.choice?.metric ?? '';
  const metric = model.metrics.find((one) => one.metric === chosen);
  const series = useFetched(`${layer}/${code}/${chosen}`, CHART_EVERY_MS, (signal) =>
    chosen === ''
      ? Promise.reject(new Error())
      : api.series({ layer, code, metric: chosen, window: 10, last: CHART_S }, signal),
  );
  const onMap = area !== null && model.choice?.level === area.level;
  const newest = series.is === 'here' ? series.value.points.at(-1)?.value : undefined;
  const value = onMap ? model.values.byId.get(area.id) : newest;
  const length = onMap ? (model.choice?.span ?? 0) : 10;
  const statistic = metric === undefined ? '' : t(`stat.${metric.statistic}`);
  return (
    <>
      <dl className="facts">
        <dt>{metric === undefined ? t('area.value') : tx(metric.name, metric.metric)}</dt>
        <dd>
          {value === undefined ? t('area.no_value') : <span className="big num">{number(value, lang)}</span>}
          {value !== undefined && (
            <span className="unit">
              {[metric?.unit ?? '', t('area.value.of', { statistic, span: span(length, lang) })].join(' ').trimStart()}
            </span>
          )}
        </dd>
        <dt>{t('area.alerts')}</dt>
        <dd>
          <AlertsHere layer={layer} code={code} model={model} />
        </dd>
        <dt>{t('area.up')}</dt>
        <dd>
          {area === null || area.parents.length === 0 ? t('area.root') : <AreaLinks areas={area.parents} go={go} />}
        </dd>
      </dl>
      <History series={series} model={model} metric={metric} ground={ground} />
    </>
  );
}

interface HistoryProps {
  series: Fetched<Series>;
  model: Model;
  metric: Metric | undefined;
  ground: Ground;
}

function History({ series, model, metric, ground }: HistoryProps) {
  const { t, lang } = useSpeech();
  const points = series.is === 'here' ? series.value.points : [];
  // The console's clock at the last tick: close enough to tell today from then.
  const now = (model.heardAt ?? 0) + model.offset;
  const last = points.at(-1);
  const older = last !== undefined && now - last.start > 2 * CHART_S * 1000;
  const time = last === undefined ? '' : clock(last.start, now, model.city.timezone, lang, false);
  const title = older ? t('area.chart.older', { time }) : t('area.chart');
  const nothing = series.is === 'here' ? 'area.chart.none' : series.is === 'failed' ? 'panel.failed' : 'app.loading';
  return (
    <>
      <h3>{title}</h3>
      {points.length === 0 ? (
        <p className="quiet chart-none">{t(nothing)}</p>
      ) : (
        <Suspense fallback={<div className="chart" />}>
          <Chart
            points={points}
            unit={metric?.unit ?? ''}
            zone={model.city.timezone}
            lang={lang}
            ground={ground}
            label={title}
          />
        </Suspense>
      )}
    </>
  );
}

function Children({ areas, model, go }: { areas: AreaItem[]; model: Model; go: Go }) {
  const { t, tx, lang } = useSpeech();
  const known = areas[0]?.level === model.choice?.level;
  return (
    <ul className="children">
      {areas.slice(0, CHILDREN).map((child) => {
        const value = known ? model.values.byId.get(child.id) : undefined;
        return (
          <li key={child.code}>
            <button type="button" className="link" onClick={() => go(child.layer, child.code)}>
              {tx(child.name, child.code)}
            </button>
            <span className="num quiet">{value === undefined ? '' : number(value, lang)}</span>
          </li>
        );
      })}
      {areas.length > CHILDREN && (
        <li className="quiet">{t('area.more', { n: number(areas.length - CHILDREN, lang) })}</li>
      )}
    </ul>
  );
}
