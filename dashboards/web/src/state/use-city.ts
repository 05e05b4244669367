// Holds the model, the live stream and the fetches that fill the gaps between them.
import { useCallback, useEffect, useReducer, useRef } from 'react';
import { api } from '../api/client';
import { Live, type Watched } from '../api/live';
import type { City, Entities, EntityMoves, Layer, Metric } from '../api/types';
import { firstModel, reduce, settleChoice, type Model, type Part } from './model';

export interface Start {
  city: City;
  layers: Layer[];
  metrics: Metric[];
}

/** Who draws the entities: positions go past React. */
export interface EntitySink {
  reset(entities: Entities): void;
  /** false: the numbers are another console's, fetch them anew */
  apply(moves: EntityMoves): boolean;
}

const ALERTS_LISTED = 300;
const METRICS_EVERY_MS = 30_000;

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

export function useCity(start: Start): CityHand {
  const [model, tell] = useReducer(reduce, start, (from) =>
    firstModel(from.city, from.layers, from.metrics, settleChoice(askedFor(), from.layers, from.metrics), Date.now()),
  );
  const live = useRef<Live | null>(null);
  const sink = useRef<EntitySink | null>(null);
  const choice = useRef(model.choice);

  const load = useCallback(<T>(part: Part, ask: Promise<T>, take: (answer: T) => void) => {
    ask.then(
      (answer) => {
        take(answer);
        tell({ type: 'well', part });
      },
      () => tell({ type: 'failed', part }),
    );
  }, []);

  const loadEntities = useCallback(() => {
    load('entities', api.entities(), (entities) => sink.current?.reset(entities));
  }, [load]);

  const loadAlerts = useCallback(() => {
    load('alerts', api.alerts({ limit: ALERTS_LISTED }), ({ alerts, total }) =>
      tell({ type: 'alerts', alerts, total, fresh: true }),
    );
  }, [load]);

  const loadValues = useCallback(() => {
    const asked = choice.current;
    if (asked === null || asked.metric === '') return;
    load('values', api.values(asked), (values) => {
      if (choice.current === asked) tell({ type: 'values', values });
    });
  }, [load]);

  const loadMetrics = useCallback(() => {
    load('metrics', api.metrics(), ({ metrics }) => tell({ type: 'metrics', metrics }));
  }, [load]);

  const loadLayers = useCallback(() => {
    load('values', api.layers(), ({ layers }) => tell({ type: 'layers', layers }));
  }, [load]);

  const everything = useCallback(() => {
    loadLayers();
    loadMetrics();
    loadAlerts();
    loadEntities();
    loadValues();
  }, [loadLayers, loadMetrics, loadAlerts, loadEntities, loadValues]);

  useEffect(() => {
    const stream = new Live({
      values: (changes) => tell({ type: 'changes', changes }),
      entities: (moves) => {
        if (sink.current?.apply(moves) === false) loadEntities();
      },
      alerts: (alerts) => tell({ type: 'alerts', alerts, fresh: false }),
      kpi: (kpi) => tell({ type: 'kpi', kpi }),
      freshness: (freshness) => tell({ type: 'freshness', freshness }),
      alertsGap: loadAlerts,
      gap: everything,
      layers: loadLayers,
      heard: (server) => tell({ type: 'heard', at: Date.now(), server }),
      state: (state) => tell({ type: 'live', live: state }),
    });
    live.current = stream;
    stream.watch(choice.current);
    loadAlerts();
    load('kpi', api.kpi(), (kpi) => tell({ type: 'kpi', kpi }));
    load('kpi', api.freshness(), (freshness) => tell({ type: 'freshness', freshness }));
    const timer = setInterval(loadMetrics, METRICS_EVERY_MS);
    return () => {
      clearInterval(timer);
      stream.close();
    };
  }, [everything, load, loadAlerts, loadEntities, loadLayers, loadMetrics]);

  const choose = useCallback(
    (change: Partial<Watched>) => {
      const old = choice.current;
      const next = settleChoice({ ...old, ...change }, model.layers, model.metrics);
      if (next === null) return;
      choice.current = next;
      remember(next);
      tell({ type: 'choice', choice: next });
      live.current?.watch(next);
    },
    [model.layers, model.metrics],
  );

  // The first metrics may arrive after the page: then the choice has to be made again.
  const undecided = model.choice === null || model.choice.metric === '';
  useEffect(() => {
    if (undecided && (model.metrics.length > 0 || model.layers.length > 0)) choose({});
  }, [undecided, model.metrics, model.layers, choose]);

  useEffect(() => {
    if (!undecided && model.choice !== null) loadValues();
  }, [undecided, model.choice, loadValues]);

  const attach = useCallback(
    (next: EntitySink | null) => {
      sink.current = next;
      if (next !== null) loadEntities();
    },
    [loadEntities],
  );

  return { model, choose, attach };
}
