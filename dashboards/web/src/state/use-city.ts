// Holds the model, the live stream and the fetches that fill the gaps between them. Values, figures and freshness come by
// the stream alone: two ways for one thing would overtake each other.
import { useCallback, useEffect, useReducer, useRef } from 'react';
import { ApiError, api } from '../api/client';
import { Live, type Watched } from '../api/live';
import type { City, Entities, EntityMoves, Layer, Metric, Session } from '../api/types';
import { CLEARED_KEPT } from '../pure/alerts';
import { firstModel, reduce, settleChoice, type Model, type Part } from './model';

export interface Start {
  /** the page's clock when this was fetched */
  at: number;
  session: Session;
  city: City;
  layers: Layer[];
  /** null: ClickHouse could not be asked */
  metrics: Metric[] | null;
}

/** Who draws the entities: positions go past React. */
export interface EntitySink {
  reset(entities: Entities): void;
  /** false: the numbers are not known here, fetch them anew */
  apply(moves: EntityMoves): boolean;
}

const OPEN_LISTED = 1_000;
const METRICS_EVERY_MS = 30_000;
const AGAIN_MS = 4_000;

function askedFor(): Partial<Watched> {
  const query = new URLSearchParams(location.search);
  const asked: Partial<Watched> = {};
  for (const name of ['layer', 'level', 'metric'] as const) {
    const value = query.get(name);
    if (value !== null) asked[name] = value;
  }
  const span = Number(query.get('span'));
  if (span > 0) asked.span = span;
  return asked;
}

/** Without a metric there is nothing to watch yet. */
function watchable(choice: Watched | null): Watched | null {
  return choice === null || choice.metric === '' ? null : choice;
}

function same(a: Watched | null, b: Watched | null): boolean {
  return a?.layer === b?.layer && a?.level === b?.level && a?.metric === b?.metric && a?.span === b?.span;
}

function remember(choice: Watched): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(choice)) query.set(name, String(value));
  history.replaceState(null, '', `${location.pathname}?${query.toString()}`);
}

export interface CityHand {
  model: Model;
  choose: (change: Partial<Watched>) => void;
  attach: (sink: EntitySink | null) => void;
}

export function useCity(start: Start, signedOut: () => void): CityHand {
  const [model, tell] = useReducer(reduce, start, (from) => {
    const metrics = from.metrics ?? [];
    const choice = settleChoice(askedFor(), from.layers, metrics);
    return firstModel(from.city, from.layers, metrics, choice, from.at);
  });
  const live = useRef<Live | null>(null);
  const sink = useRef<EntitySink | null>(null);
  const choice = useRef(model.choice);
  const latest = useRef(model);
  useEffect(() => {
    latest.current = model;
  }, [model]);

  const load = useCallback(
    <T>(part: Part, ask: Promise<T>, take: (answer: T) => void) => {
      ask.then(
        (answer) => {
          take(answer);
          tell({ type: 'well', part });
        },
        (error: unknown) => {
          if (error instanceof ApiError && error.status === 401) signedOut();
          else tell({ type: 'failed', part });
        },
      );
    },
    [signedOut],
  );

  const loaders = useRef<Record<Part, () => void> | null>(null);
  loaders.current ??= {
    layers: () => load('layers', api.layers(), ({ layers }) => tell({ type: 'layers', layers })),
    metrics: () => load('metrics', api.metrics(), ({ metrics }) => tell({ type: 'metrics', metrics })),
    entities: () => load('entities', api.entities(), (entities) => sink.current?.reset(entities)),
    alerts: () => {
      const open = (latest.current.alerts ?? []).filter((alert) => alert.open).map((alert) => alert.id);
      const both = Promise.all([
        api.alerts({ open: true, limit: OPEN_LISTED }),
        api.alerts({ open: false, limit: CLEARED_KEPT }),
      ]);
      load('alerts', both, ([now, before]) => {
        const { alerts, total } = now;
        // List and total are counted one after the other: only a list that is full has something beyond it.
        const openTotal = alerts.length < OPEN_LISTED ? alerts.length : total;
        const list = { open: alerts, openTotal, cleared: before.alerts, knownOpen: new Set(open) };
        tell({ type: 'alertList', list });
      });
    },
  };
  const reload = useCallback((...parts: Part[]) => parts.forEach((part) => loaders.current?.[part]()), []);

  useEffect(() => {
    const stream = new Live({
      values: (changes, watched) => tell({ type: 'changes', changes, watched }),
      entities: (moves) => {
        if (sink.current?.apply(moves) === false) reload('entities');
      },
      alerts: (alerts) => tell({ type: 'alerts', alerts }),
      kpi: (kpi) => tell({ type: 'kpi', kpi }),
      freshness: (freshness) => tell({ type: 'freshness', freshness }),
      storms: (storms) => tell({ type: 'storms', storms }),
      alertsGap: () => reload('alerts'),
      gap: () => {
        reload('layers', 'metrics', 'alerts', 'entities');
        // A stream opened anew begins with all values.
        stream.watch(watchable(choice.current));
      },
      layers: () => reload('layers'),
      heard: (tick) => {
        // While ClickHouse was away nothing could be fetched.
        if (tick.away_since === null && latest.current.away !== null) reload('metrics', 'alerts', 'entities');
        tell({ type: 'heard', at: Date.now(), tick });
      },
      state: (state) => {
        // Whether the line is down or the session over, a question tells.
        if (state === 'lost') reload('layers');
        tell({ type: 'live', live: state });
      },
    });
    live.current = stream;
    stream.watch(watchable(choice.current));
    // What the page began with may be older than its being shown.
    if (Date.now() - start.at > METRICS_EVERY_MS) reload('layers', 'metrics');
    reload('alerts');
    const timer = setInterval(() => reload('metrics'), METRICS_EVERY_MS);
    return () => {
      clearInterval(timer);
      stream.close();
    };
  }, [reload, start.at]);

  // What failed is tried again; while ClickHouse is known to be away that would be in vain.
  const { failed } = model;
  const isAway = model.away !== null;
  useEffect(() => {
    if (failed.size === 0 || isAway) return;
    const timer = setInterval(() => reload(...failed), AGAIN_MS);
    return () => clearInterval(timer);
  }, [failed, isAway, reload]);

  const choose = useCallback(
    (change: Partial<Watched>) => {
      const next = settleChoice({ ...choice.current, ...change }, model.layers, model.metrics);
      if (next === null) return;
      choice.current = next;
      remember(next);
      tell({ type: 'choice', choice: next });
      live.current?.watch(watchable(next));
    },
    [model.layers, model.metrics],
  );

  // Layers and metrics may come to be, or change, after the page: then the choice has to be made again.
  useEffect(() => {
    const settled = settleChoice(choice.current ?? askedFor(), model.layers, model.metrics);
    if (!same(settled, choice.current)) choose(settled ?? {});
  }, [model.layers, model.metrics, choose]);

  const attach = useCallback(
    (next: EntitySink | null) => {
      sink.current = next;
      if (next !== null) reload('entities');
    },
    [reload],
  );

  return { model, choose, attach };
}
