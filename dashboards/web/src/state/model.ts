// What the page knows, and how each piece of news changes it. Pure.
import type { Alert, City, Freshness, Kpi, Layer, Metric, Storm, Tick, ValueChanges } from '../api/types';
import type { LiveState, Watched } from '../api/live';
import { mergeAlerts } from '../pure/alerts';
import { NO_VALUES, applyChanges, type Values } from '../pure/values';

/** What is fetched apart from the stream, and may fail. */
export type Part = 'layers' | 'metrics' | 'alerts' | 'entities';

export interface Model {
  city: City;
  layers: Layer[];
  metrics: Metric[];
  choice: Watched | null;
  values: Values;
  /** whether values of this choice have been heard at all */
  valuesKnown: boolean;
  alerts: Alert[] | null;
  /** open alerts that are more than a page lists */
  alertsBeyond: number;
  kpi: Kpi | null;
  freshness: Freshness | null;
  /** storms that go on */
  storms: Storm[];
  live: LiveState;
  /** page's clock when the console was last heard */
  heardAt: number | null;
  /** since when the console has no answer from ClickHouse; its clock */
  away: number | null;
  /** console's clock minus the page's */
  offset: number;
  failed: ReadonlySet<Part>;
}

/** The list of alerts as fetched, and which open ones were known when it was asked for. */
export interface AlertList {
  open: Alert[];
  openTotal: number;
  cleared: Alert[];
  knownOpen: ReadonlySet<string>;
}

export type News =
  | { type: 'layers'; layers: Layer[] }
  | { type: 'metrics'; metrics: Metric[] }
  | { type: 'choice'; choice: Watched }
  | { type: 'changes'; changes: ValueChanges; watched: Watched }
  | { type: 'alerts'; alerts: Alert[] }
  | { type: 'alertList'; list: AlertList }
  | { type: 'kpi'; kpi: Kpi }
  | { type: 'freshness'; freshness: Freshness }
  | { type: 'storms'; storms: Storm[] }
  | { type: 'live'; live: LiveState }
  | { type: 'heard'; at: number; tick: Tick }
  | { type: 'failed'; part: Part }
  | { type: 'well'; part: Part };

export function firstModel(city: City, layers: Layer[], metrics: Metric[], choice: Watched | null, now: number): Model {
  return {
    city,
    layers,
    metrics,
    choice,
    values: NO_VALUES,
    valuesKnown: false,
    alerts: null,
    alertsBeyond: 0,
    kpi: null,
    freshness: null,
    storms: [],
    live: 'connecting',
    heardAt: null,
    away: null,
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

/** What is told on the stream meanwhile is newer than a list that was asked for before: the list is merged, not put in its place. */
function withList(model: Model, { open, openTotal, cleared, knownOpen }: AlertList): Model {
  const listed = new Set(open.map((alert) => alert.id));
  const isWhole = openTotal <= open.length;
  // Open when the list was asked for, and not open in it: its end was missed.
  const kept = (model.alerts ?? []).filter(
    (alert) => !(isWhole && alert.open && knownOpen.has(alert.id) && !listed.has(alert.id)),
  );
  const alerts = mergeAlerts(kept, [...open, ...cleared]);
  return { ...model, alerts, alertsBeyond: Math.max(0, openTotal - open.length) };
}

export function reduce(model: Model, news: News): Model {
  switch (news.type) {
    case 'layers':
      return { ...model, layers: news.layers };
    case 'metrics':
      return { ...model, metrics: news.metrics };
    case 'choice':
      return { ...model, choice: news.choice, values: NO_VALUES, valuesKnown: false };
    case 'changes':
      if (news.watched !== model.choice) return model;
      return { ...model, values: applyChanges(model.values, news.changes), valuesKnown: true };
    case 'alerts':
      return { ...model, alerts: mergeAlerts(model.alerts ?? [], news.alerts) };
    case 'alertList':
      return withList(model, news.list);
    case 'kpi':
      return { ...model, kpi: news.kpi };
    case 'freshness':
      return { ...model, freshness: news.freshness };
    case 'storms':
      return { ...model, storms: news.storms };
    case 'live':
      return { ...model, live: news.live };
    case 'heard':
      return { ...model, heardAt: news.at, offset: news.tick.now - news.at, away: news.tick.away_since };
    case 'failed':
      return { ...model, failed: withPart(model.failed, news.part, true) };
    case 'well':
      return { ...model, failed: withPart(model.failed, news.part, false) };
  }
}

/** Lengths of time a map can be folded over, in seconds. */
export const SPANS: readonly number[] = [60, 600, 3_600, 86_400];
/** A level of more areas than this is not the first thing to show: most of them would have no value. */
const FEW_AREAS = 60;

/** The choice asked for, as far as the city has it; else the main layer, a level that can be overseen, a measured metric. */
export function settleChoice(
  asked: Partial<Watched>,
  layers: readonly Layer[],
  metrics: readonly Metric[],
): Watched | null {
  const layer = layers.find((one) => one.id === asked.layer) ?? layers.find((one) => one.main) ?? layers[0];
  if (layer === undefined) return null;
  const level = layer.levels.find((one) => one.id === asked.level)?.id ?? usualLevel(layer);
  const metric =
    metrics.find((one) => one.metric === asked.metric)?.metric ?? usualMetric(metrics) ?? asked.metric ?? '';
  const span = asked.span !== undefined && SPANS.includes(asked.span) ? asked.span : 600;
  return { layer: layer.id, level, metric, span };
}

/** The deepest level that can be overseen; below the root if there is one. */
function usualLevel(layer: Layer): string {
  const overseen = layer.levels.findLast((one) => one.areas <= FEW_AREAS && one.areas > 1);
  return (overseen ?? layer.levels[1] ?? layer.levels[0])?.id ?? '';
}

function usualMetric(metrics: readonly Metric[]): string | undefined {
  const measured = metrics.find((one) => one.metric === 'air.pm25') ?? metrics.find((one) => one.statistic === 'mean');
  return (measured ?? metrics[0])?.metric;
}
