// Which entity stands behind which number. Positions live in the worker; here are only names.
import type { Entities, EntityKind, EntityMoves } from '../api/types';

export interface Known {
  id: number;
  source: string;
  kind: string;
  time: number;
}

export class EntityStore {
  epoch = '';
  kinds: EntityKind[] = [];
  private readonly byId = new Map<number, Known>();
  private readonly bySource = new Map<string, Known>();

  reset(answer: Entities): void {
    this.epoch = answer.epoch;
    this.kinds = answer.kinds.map((kind) => ({ ...kind }));
    this.byId.clear();
    this.bySource.clear();
    answer.ids.forEach((id, i) => {
      const kind = this.kinds[answer.kind[i] ?? -1]?.kind ?? '';
      this.add({ id, source: answer.sources[i] ?? '', kind, time: answer.time[i] ?? 0 });
    });
  }

  /** Takes moves in. True when kinds or their counts changed; null when they speak of another console's numbers. */
  apply(moves: EntityMoves): boolean | null {
    if (moves.epoch !== this.epoch) return null;
    let changed = false;
    moves.ids.forEach((id, i) => {
      const known = this.byId.get(id);
      if (known !== undefined) known.time = moves.time[i] ?? known.time;
    });
    for (const entity of moves.fresh) {
      if (this.byId.has(entity.id)) continue;
      const kind = this.kinds.find((one) => one.kind === entity.kind);
      if (kind === undefined) return null;
      kind.entities += 1;
      this.add(entity);
      changed = true;
    }
    return changed;
  }

  find(id: number): Known | undefined {
    return this.byId.get(id);
  }

  idOf(source: string): number | undefined {
    return this.bySource.get(source)?.id;
  }

  kindIndex(kind: string): number {
    return this.kinds.findIndex((one) => one.kind === kind);
  }

  get size(): number {
    return this.byId.size;
  }

  private add(known: Known): void {
    this.byId.set(known.id, known);
    this.bySource.set(known.source, known);
  }
}
