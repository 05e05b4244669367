// The page's side of the drawing worker.
import type { Entities, EntityMoves } from '../api/types';
import type { Camera } from '../pure/project';
import type { FromWorker, KindLook, ToWorker } from './entity-messages';
import { EntityStore } from './entity-store';

export class EntityLayer {
  readonly store = new EntityStore();
  private readonly worker: Worker;
  private readonly waiting = new Map<number, (answer: FromWorker) => void>();
  private asks = 0;

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
      type: 'snapshot',
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

  camera(camera: Camera): void {
    this.send({ type: 'camera', ...camera });
  }

  looks(kinds: KindLook[], rim: [number, number, number], light: boolean): void {
    this.send({ type: 'looks', kinds, rim, light });
  }

  select(id: number | null): void {
    this.send({ type: 'select', id });
  }

  async pick(x: number, y: number): Promise<number | null> {
    const answer = await this.ask((ask) => ({ type: 'pick', x, y, ask }));
    return answer.type === 'picked' ? answer.id : null;
  }

  async where(id: number): Promise<[number, number] | null> {
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
