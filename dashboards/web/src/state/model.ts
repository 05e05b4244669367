// What the page knows, and how each piece of news changes it. Pure.
import type { Alert, AreaValues, City, Freshness, Kpi, Layer, Metric, ValueChanges } from '../api/types';
import type { LiveState, Watched } from '../api/live';
import { mergeAlerts } from '../pure/alerts';
import { NO_VALUES, applyChanges, valuesFrom, type Values } from '../pure/values';

export type Part = 'values' | 'alerts' | 'entities' | 'kpi' | 'metrics';

export interface Model {
  city: City;
  layers: Layer[];
  metrics: Metric[];
  choice: Watched | null;
  values: Values;
  /** whether values of this choice have been heard at all */
  valuesKnown: boolean;
  alerts: Alert[] | null;
  alertsTotal: number;
  kpi: Kpi | null;
  freshness: Freshness | null;
  live: LiveState;
  /** page's clock when the console was last heard */
  heardAt: number | null;
  /** console's clock minus the page's */
  offset: number;
  failed: ReadonlySet<Part>;
}

export type News =
  | { type: 'layers'; layers: Layer[] }
  | { type: 'metrics'; metrics: Metric[] }
  | { type: 'choice'; choice: Watched }
  | { type: 'values'; values: AreaValues }
  | { type: 'changes'; changes: ValueChanges }
  | { type: 'alerts'; alerts: Alert[]; total?: number; fresh: boolean }
  | { type: 'kpi'; kpi: Kpi }
  | { type: 'freshness'; freshness: Freshness }
  | { type: 'live'; live: LiveState }
  | { type: 'heard'; at: number; server: number | null }
  | { type: 'failed'; part: Part }
  | { type: 'well'; part: Part };

export function keyOf(choice: Watched): string {
  return [choice.layer, choice.level, choice.metric, choice.span].join('|');
}

export function firstModel(city: City, layers: Layer[], metrics: Metric[], choice: Watched | null, now: number): Model {
  return {
    city,
    layers,
    metrics,
    choice,
    values: NO_VALUES,
    valuesKnown: false,
    alerts: null,
    alertsTotal: 0,
    kpi: null,
    freshness: null,
    live: 'connecting',
    heardAt: null,
    offset: city.now - now,
    failed: new Set(),
  };
}

function withPart(failed: ReadonlySet<Part>, part: Part, bad: boolean): ReadonlySet<Part> {
  if (failed.has(part) === bad) return failed;
  const next = new Set(failed);
  if (bad) next.add(part);
  else next.delete(part);
  return next;
}

export function reduce(model: Model, news: News): Model {
  switch (news.type) {
    case 'layers':
      return { ...model, layers: news.layers };
    case 'metrics':
      return { ...model, metrics: news.metrics, failed: withPart(model.failed, 'metrics', false) };
    case 'choice':
      return { ...model, choice: news.choice, values: NO_VALUES, valuesKnown: false };
    case 'values':
      return {
        ...model,
        values: valuesFrom(news.values),
        valuesKnown: true,
        failed: withPart(model.failed, 'values', false),
      };
    case 'changes':
      if (model.choice === null || news.changes.key !== keyOf(model.choice)) return model;
      return {
        ...model,
        values: applyChanges(model.values, news.changes),
        valuesKnown: true,
        failed: withPart(model.failed, 'values', false),
      };
    case 'alerts': {
      const alerts = mergeAlerts(news.fresh ? [] : (model.alerts ?? []), news.alerts);
      const added = alerts.length - (model.alerts?.length ?? 0);
      const total = news.total ?? model.alertsTotal + Math.max(0, added);
      return { ...model, alerts, alertsTotal: total, failed: withPart(model.failed, 'alerts', false) };
    }
    case 'kpi':
      return { ...model, kpi: news.kpi, failed: withPart(model.failed, 'kpi', false) };
    case 'freshness':
      return { ...model, freshness: news.freshness };
    case 'live':
      return { ...model, live: news.live };
    case 'heard':
      return { ...model, heardAt: news.at, offset: news.server === null ? model.offset : news.server - news.at };
    case 'failed':
      return { ...model, failed: withPart(model.failed, news.part, true) };
    case 'well':
      return { ...model, failed: withPart(model.failed, news.part, false) };
  }
}

/** Lengths of time a map can be folded over, in seconds. */
export const SPANS: readonly number[] = [60, 600, 3_600, 86_400];

/** The choice asked for, as far as the city has it; else the main layer, its second level, the first metric. */
export function settleChoice(
  asked: Partial<Watched>,
  layers: readonly Layer[],
  metrics: readonly Metric[],
): Watched | null {
  const layer = layers.find((one) => one.id === asked.layer) ?? layers.find((one) => one.main) ?? layers[0];
  if (layer === undefined) return null;
  const known = layer.levels.some((one) => one.id === asked.level);
  const usual = layer.levels[Math.min(1, layer.levels.length - 1)]?.id ?? '';
  const metric =
    metrics.find((one) => one.metric === asked.metric)?.metric ?? usualMetric(metrics) ?? asked.metric ?? '';
  const span = asked.span !== undefined && SPANS.includes(asked.span) ? asked.span : 600;
  return { layer: layer.id, level: known ? (asked.level ?? usual) : usual, metric, span };
}

function usualMetric(metrics: readonly Metric[]): string | undefined {
  const measured = metrics.find((one) => one.metric === 'air.pm25') ?? metrics.find((one) => one.statistic === 'mean');
  return (measured ?? metrics[0])?.metric;
}
