// One area: who it is, what it holds, how its value went; and the way up and down the tree.
import { Suspense, lazy, useEffect, useState } from 'react';
import { api } from '../api/client';
import type { AreaDetail, AreaItem, Metric, Series } from '../api/types';
import { useSpeech } from '../i18n';
import { clock, number } from '../pure/format';
import type { Ground } from '../pure/scale';
import type { Model } from '../state/model';

const Chart = lazy(() => import('./chart'));
const CHART_S = 600;
const CHART_EVERY_MS = 5_000;
const CHILDREN = 60;

interface AreaPanelProps {
  layer: string;
  code: string;
  model: Model;
  ground: Ground;
  go: (layer: string, code: string) => void;
  drill: (level: string) => void;
  close: () => void;
}

function useSeries(layer: string, code: string, metric: string): Series | null {
  const [series, setSeries] = useState<Series | null>(null);
  useEffect(() => {
    if (metric === '') return;
    const abort = new AbortController();
    const load = () => {
      const query = { layer, code, metric, window: 10, last: CHART_S };
      api.series(query, abort.signal).then(setSeries, () => undefined);
    };
    load();
    const timer = setInterval(load, CHART_EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [layer, code, metric]);
  return series?.code === code && series.metric === metric ? series : null;
}

function useArea(layer: string, code: string): AreaDetail | null {
  const [area, setArea] = useState<AreaDetail | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    api.area(layer, code, abort.signal).then(setArea, () => undefined);
    return () => abort.abort();
  }, [layer, code]);
  return area?.code === code && area.layer === layer ? area : null;
}

function History({
  series,
  model,
  metric,
  ground,
}: {
  series: Series | null;
  model: Model;
  metric: Metric | undefined;
  ground: Ground;
}) {
  const { t, lang } = useSpeech();
  const now = Date.now() + model.offset;
  const last = series?.points.at(-1);
  const older = last !== undefined && now - last.start > 2 * CHART_S * 1000;
  const title = older
    ? t('area.chart.older', { time: clock(last.start, now, model.city.timezone, lang, false) })
    : t('area.chart');
  return (
    <>
      <h3>{title}</h3>
      {series === null || series.points.length === 0 ? (
        <p className="quiet chart-none">{t(series === null ? 'app.loading' : 'area.chart.none')}</p>
      ) : (
        <Suspense fallback={<div className="chart" />}>
          <Chart
            points={series.points}
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

export function AreaPanel({ layer, code, model, ground, go, drill, close }: AreaPanelProps) {
  const { t, tx, lang } = useSpeech();
  const area = useArea(layer, code);
  const chosen = model.choice?.metric ?? '';
  const series = useSeries(layer, code, chosen);
  const metric = model.metrics.find((one) => one.metric === chosen);
  const levels = model.layers.find((one) => one.id === layer)?.levels ?? [];
  const levelName = (id: string) => tx(levels.find((one) => one.id === id)?.name, id);
  const shown = area !== null && model.choice?.level === area.level ? model.values.byId.get(area.id) : undefined;
  const value = shown ?? series?.points.at(-1)?.value;
  const below = area?.children[0]?.level;
  return (
    <section className="detail" aria-labelledby="detail-title" data-area={code}>
      <header className="panel-head">
        <h2 id="detail-title">
          <span className="quiet">{area === null ? t('area.title') : levelName(area.level)}</span>{' '}
          {area === null ? code : tx(area.name, area.code)}
        </h2>
        <button type="button" className="button small" onClick={close}>
          {t('panel.close')}
        </button>
      </header>
      <div className="detail-body">
        <dl className="facts">
          <dt>{metric === undefined ? t('area.value') : tx(metric.name, metric.metric)}</dt>
          <dd className="big num">
            {value === undefined ? t('area.no_value') : number(value, lang)}
            {value !== undefined && metric?.unit ? <span className="unit"> {metric.unit}</span> : null}
          </dd>
          <dt>{t('area.code')}</dt>
          <dd className="num">{code}</dd>
          <dt>{t('area.up')}</dt>
          <dd>
            {area === null || area.parents.length === 0
              ? t('area.root')
              : area.parents.map((parent) => (
                  <button key={parent.code} type="button" className="link" onClick={() => go(layer, parent.code)}>
                    {tx(parent.name, parent.code)}
                  </button>
                ))}
          </dd>
        </dl>
        <History series={series} model={model} metric={metric} ground={ground} />
        {area !== null && below !== undefined && (
          <>
            <h3>
              {t('area.inside')} <span className="num quiet">{number(area.children.length, lang)}</span>
              <button type="button" className="link" onClick={() => drill(below)} data-do="drill">
                {t('area.drill', { level: levelName(below) })}
              </button>
            </h3>
            <Children areas={area.children} model={model} go={go} />
          </>
        )}
      </div>
    </section>
  );
}

function Children({
  areas,
  model,
  go,
}: {
  areas: AreaItem[];
  model: Model;
  go: (layer: string, code: string) => void;
}) {
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
