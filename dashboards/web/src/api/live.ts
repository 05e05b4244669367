// The live stream: one EventSource per page. When what is watched changes, the new stream is open before the old one is
// closed, so nothing is missed; a tab nobody sees holds none, because a browser opens only six to one place.
import { queryOf } from './client';
import type { Alert, EntityMoves, Freshness, Kpi, Storm, Tick, ValueChanges } from './types';

export interface Watched {
  layer: string;
  level: string;
  metric: string;
  span: number;
}

export interface LiveHandlers {
  /** values of what was watched when this stream was opened */
  values(changes: ValueChanges, watched: Watched): void;
  entities(moves: EntityMoves): void;
  alerts(alerts: Alert[]): void;
  kpi(kpi: Kpi): void;
  freshness(freshness: Freshness): void;
  /** those that go on */
  storms(storms: Storm[]): void;
  /** something was missed (slow viewer, line or console was down): fetch everything anew */
  gap(): void;
  /** alerts changed that the stream does not tell one by one: fetch the list */
  alertsGap(): void;
  /** the layers have another version */
  layers(): void;
  /** a sign of life, with the console's clock */
  heard(tick: Tick): void;
  state(state: LiveState): void;
}

export type LiveState = 'connecting' | 'open' | 'lost';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 10_000;
/** A line on which nothing is heard for so long is dead, whatever the browser thinks (a proxy, a machine that slept). */
const SILENT_MS = 15_000;
/** How long a tab must be out of sight before its stream is closed. */
const HIDDEN_MS = 20_000;

export class Live {
  private source: EventSource | null = null;
  /** opened in place of `source`, not yet answered */
  private next: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private resting: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_RETRY_MS;
  /** whether something happened that was not heard */
  private missed = false;
  private watched: Watched | null = null;
  private readonly handlers: LiveHandlers;

  constructor(handlers: LiveHandlers) {
    this.handlers = handlers;
    document.addEventListener('visibilitychange', this.seen);
  }

  watch(watched: Watched | null): void {
    this.watched = watched;
    this.connect();
  }

  close(): void {
    document.removeEventListener('visibilitychange', this.seen);
    clearTimeout(this.resting);
    this.drop();
  }

  private readonly seen = (): void => {
    clearTimeout(this.resting);
    if (document.visibilityState === 'hidden') {
      this.resting = setTimeout(() => {
        this.missed = true;
        this.drop();
      }, HIDDEN_MS);
    } else if (this.source === null) {
      this.connect();
    }
  };

  private drop(): void {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.next?.close();
    this.source?.close();
    this.next = null;
    this.source = null;
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.next?.close();
    if (this.source === null) this.handlers.state('connecting');
    const opened = new EventSource(`/api/v1/live${queryOf({ ...this.watched })}`);
    this.next = opened;
    opened.onopen = () => {
      this.source?.close();
      this.source = opened;
      this.next = null;
      this.wait = FIRST_RETRY_MS;
      this.handlers.state('open');
      this.heard(opened);
      if (this.missed) this.handlers.gap();
      this.missed = false;
    };
    opened.onerror = () => this.lost(opened);
    this.listen(opened, this.watched);
  }

  private listen(source: EventSource, watched: Watched | null): void {
    const { handlers } = this;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- says what the event holds
    const on = <T>(name: string, take: (data: T) => void): void => {
      source.addEventListener(name, (event: MessageEvent<string>) => take(JSON.parse(event.data) as T));
    };
    on('tick', (tick: Tick) => {
      this.heard(source);
      handlers.heard(tick);
    });
    on('values', (changes: ValueChanges) => watched !== null && handlers.values(changes, watched));
    on('entities', (moves: EntityMoves) => handlers.entities(moves));
    on('alerts', (news: { alerts: Alert[] }) => handlers.alerts(news.alerts));
    on('kpi', (kpi: Kpi) => handlers.kpi(kpi));
    on('freshness', (freshness: Freshness) => handlers.freshness(freshness));
    on('storms', (news: { storms: Storm[] }) => handlers.storms(news.storms));
    on('gap', () => handlers.gap());
    on('alerts_gap', () => handlers.alertsGap());
    on('layers', () => handlers.layers());
  }

  private heard(source: EventSource): void {
    if (source !== this.source) return;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(source), SILENT_MS);
  }

  /** EventSource gives up for good on an answer that is not 200, so opening again is done here. */
  private lost(source: EventSource): void {
    source.close();
    if (source !== this.source && source !== this.next) return;
    this.missed = true;
    this.drop();
    this.handlers.state('lost');
    this.retry = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(this.wait * 2, LAST_RETRY_MS);
  }
}
