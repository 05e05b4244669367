// The live stream: one EventSource per page, opened again with other words when what is watched changes.
import { queryOf } from './client';
import type { Alert, EntityMoves, Freshness, Kpi, ValueChanges } from './types';

export interface Watched {
  layer: string;
  level: string;
  metric: string;
  span: number;
}

export interface LiveHandlers {
  values(changes: ValueChanges): void;
  entities(moves: EntityMoves): void;
  alerts(alerts: Alert[]): void;
  kpi(kpi: Kpi): void;
  freshness(freshness: Freshness): void;
  /** something was missed (slow viewer, console started again): fetch everything anew */
  gap(): void;
  /** alerts changed that the stream does not tell one by one: fetch the list */
  alertsGap(): void;
  /** the layers have another version */
  layers(): void;
  /** a sign of life, with the console's clock */
  heard(serverNow: number | null): void;
  state(state: LiveState): void;
}

export type LiveState = 'connecting' | 'open' | 'lost';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 15_000;

export class Live {
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_RETRY_MS;
  private opened = false;
  private watched: Watched | null = null;
  private readonly handlers: LiveHandlers;

  constructor(handlers: LiveHandlers) {
    this.handlers = handlers;
  }

  watch(watched: Watched | null): void {
    this.watched = watched;
    this.connect();
  }

  close(): void {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  private connect(): void {
    this.close();
    this.handlers.state('connecting');
    const source = new EventSource(`/api/v1/live${queryOf({ ...this.watched })}`);
    this.source = source;
    source.onopen = () => {
      this.wait = FIRST_RETRY_MS;
      this.handlers.state('open');
      // What happened while the line was down was not heard.
      if (this.opened) this.handlers.gap();
      this.opened = true;
    };
    source.onerror = () => this.lost();
    this.on('tick', (now: { now: number }) => this.handlers.heard(now.now));
    this.on('values', (changes: ValueChanges) => this.handlers.values(changes));
    this.on('entities', (moves: EntityMoves) => this.handlers.entities(moves));
    this.on('alerts', (news: { alerts: Alert[] }) => this.handlers.alerts(news.alerts));
    this.on('kpi', (kpi: Kpi) => this.handlers.kpi(kpi));
    this.on('freshness', (freshness: Freshness) => this.handlers.freshness(freshness));
    this.on('gap', () => this.handlers.gap());
    this.on('alerts_gap', () => this.handlers.alertsGap());
    this.on('layers', () => this.handlers.layers());
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- says what the event holds
  private on<T>(name: string, take: (data: T) => void): void {
    this.source?.addEventListener(name, (event: MessageEvent<string>) => take(JSON.parse(event.data) as T));
  }

  /** EventSource gives up for good on an answer that is not 200, so opening again is done here. */
  private lost(): void {
    this.close();
    this.handlers.state('lost');
    this.retry = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(this.wait * 2, LAST_RETRY_MS);
  }
}
