// The page's side of the drawing worker.
import type { Alert, Entities, EntityMoves, Severity } from '../api/types';
import { SEVERITIES } from '../pure/alerts';
import type { Camera } from '../pure/project';
import type { FromWorker, PointLook, SetName, ToWorker } from './entity-messages';
import { EntityStore, type Known } from './entity-store';

/** What stands where someone pointed. */
export type Picked = { what: 'entity'; entity: Known } | { what: 'alert'; alert: Alert } | null;

export class EntityLayer {
  readonly store = new EntityStore();
  private readonly worker: Worker;
  private readonly waiting = new Map<number, (answer: FromWorker) => void>();
  private asks = 0;
  private alerts: readonly Alert[] = [];

  constructor(canvas: HTMLCanvasElement, onFailed: () => void) {
    this.worker = new Worker(new URL('./entity-worker.ts', import.meta.url), { type: 'module' });
    this.worker.onmessage = (event: MessageEvent<FromWorker>) => {
      const answer = event.data;
      if (answer.type === 'failed') {
        onFailed();
        return;
      }
      this.waiting.get(answer.ask)?.(answer);
      this.waiting.delete(answer.ask);
    };
    const offscreen = canvas.transferControlToOffscreen();
    this.send({ type: 'canvas', canvas: offscreen }, [offscreen]);
  }

  reset(answer: Entities): void {
    this.store.reset(answer);
    this.send({
      type: 'all',
      set: 'entities',
      ids: Uint32Array.from(answer.ids),
      lon: Float64Array.from(answer.lon),
      lat: Float64Array.from(answer.lat),
      kind: Uint8Array.from(answer.kind),
    });
  }

  /** See [EntityStore.apply]. */
  apply(moves: EntityMoves): boolean | null {
    const changed = this.store.apply(moves);
    if (changed === null) return null;
    const fresh = moves.fresh;
    const kindOf = (id: number): number => this.store.kindIndex(this.store.find(id)?.kind ?? '');
    const ids = Uint32Array.from([...moves.ids, ...fresh.map((one) => one.id)]);
    this.send({
      type: 'moves',
      ids,
      lon: Float64Array.from([...moves.lon, ...fresh.map((one) => one.lon)]),
      lat: Float64Array.from([...moves.lat, ...fresh.map((one) => one.lat)]),
      kind: Uint8Array.from(ids, (id) => Math.max(0, kindOf(id))),
    });
    return changed;
  }

  /** Open alerts that have a place; their numbers are their places in this list. */
  showAlerts(alerts: readonly Alert[]): void {
    // The gravest is drawn last, on top.
    this.alerts = alerts.filter((one) => one.position !== null).sort((a, b) => rank(b.severity) - rank(a.severity));
    this.send({
      type: 'all',
      set: 'alerts',
      ids: Uint32Array.from(this.alerts, (_, i) => i),
      lon: Float64Array.from(this.alerts, (one) => one.position?.[0] ?? NaN),
      lat: Float64Array.from(this.alerts, (one) => one.position?.[1] ?? NaN),
      kind: Uint8Array.from(this.alerts, (one) => rank(one.severity)),
    });
  }

  camera(camera: Camera): void {
    this.send({ type: 'camera', ...camera });
  }

  looks(set: SetName, looks: PointLook[], rim: [number, number, number]): void {
    this.send({ type: 'looks', set, looks, rim });
  }

  selectEntity(source: string | null): void {
    this.send({ type: 'select', set: 'entities', id: source === null ? null : (this.store.idOf(source) ?? null) });
  }

  selectAlert(id: string | null): void {
    const at = this.alerts.findIndex((one) => one.id === id);
    this.send({ type: 'select', set: 'alerts', id: at < 0 ? null : at });
  }

  async pick(x: number, y: number): Promise<Picked> {
    const answer = await this.ask((ask) => ({ type: 'pick', x, y, ask }));
    if (answer.type !== 'picked' || answer.id === null) return null;
    if (answer.set === 'alerts') {
      const alert = this.alerts[answer.id];
      return alert === undefined ? null : { what: 'alert', alert };
    }
    const entity = this.store.find(answer.id);
    return entity === undefined ? null : { what: 'entity', entity };
  }

  async where(source: string): Promise<[number, number] | null> {
    const id = this.store.idOf(source);
    if (id === undefined) return null;
    const answer = await this.ask((ask) => ({ type: 'where', id, ask }));
    return answer.type === 'at' ? [answer.lon, answer.lat] : null;
  }

  remove(): void {
    this.worker.terminate();
  }

  private ask(message: (ask: number) => ToWorker): Promise<FromWorker> {
    this.asks += 1;
    const ask = this.asks;
    return new Promise((resolve) => {
      this.waiting.set(ask, resolve);
      this.send(message(ask));
    });
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}
