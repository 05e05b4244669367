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

  /**
   * Takes moves in. True when kinds or their counts changed; null when they speak of numbers or kinds that are not known
   * here (another console's, or more than was fetched): then everything must be fetched anew.
   */
  apply(moves: EntityMoves): boolean | null {
    if (moves.epoch !== this.epoch) return null;
    for (const entity of moves.fresh) if (this.kindIndex(entity.kind) < 0) return null;
    const fresh = moves.fresh.filter((entity) => !this.byId.has(entity.id));
    for (const entity of fresh) {
      const kind = this.kinds[this.kindIndex(entity.kind)];
      if (kind !== undefined) kind.entities += 1;
      this.add({ id: entity.id, source: entity.source, kind: entity.kind, time: entity.time });
    }
    if (moves.ids.some((id) => !this.byId.has(id))) return null;
    moves.ids.forEach((id, i) => {
      const known = this.byId.get(id);
      if (known !== undefined) known.time = moves.time[i] ?? known.time;
    });
    return fresh.length > 0;
  }

  find(id: number): Known | undefined {
    return this.byId.get(id);
  }

  idOf(source: string): number | undefined {
    return this.bySource.get(source)?.id;
  }

  /** Entities whose id holds the words, the first so many. */
  search(words: string, most: number): Known[] {
    const wanted = words.toLowerCase();
    const found: Known[] = [];
    for (const known of this.bySource.values()) {
      if (!known.source.toLowerCase().includes(wanted)) continue;
      found.push(known);
      if (found.length >= most) break;
    }
    return found;
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
