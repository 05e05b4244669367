// Points that glide from where they were to where they are, as the drawing worker holds them. Pure: progress of the glide
// is an argument. Places are offsets from an origin in parts of the world: small enough for 32 bits.

/** A point that jumps farther than this (in worlds; about 4 km) is put there at once. */
const JUMP = 1e-4;

export class Points {
  count = 0;
  from = new Float32Array(0);
  to = new Float32Array(0);
  kinds = new Uint8Array(0);
  private ids = new Uint32Array(0);
  private readonly slots = new Map<number, number>();

  clear(): void {
    this.count = 0;
    this.slots.clear();
  }

  put(id: number, x: number, y: number, kind: number): void {
    let at = this.slots.get(id);
    const isNew = at === undefined;
    if (at === undefined) {
      at = this.count;
      this.count += 1;
      this.room();
      this.slots.set(id, at);
      this.ids[at] = id;
    }
    this.kinds[at] = kind;
    const { from, to } = this;
    if (isNew || Math.hypot(x - (from[at * 2] ?? 0), y - (from[at * 2 + 1] ?? 0)) > JUMP) {
      from[at * 2] = x;
      from[at * 2 + 1] = y;
    }
    to[at * 2] = x;
    to[at * 2 + 1] = y;
  }

  /** What is shown at this progress becomes where the next glide begins. */
  settle(progress: number): void {
    for (let i = 0; i < this.count * 2; i += 1) {
      const a = this.from[i] ?? 0;
      this.from[i] = a + ((this.to[i] ?? a) - a) * progress;
    }
  }

  slotOf(id: number): number | undefined {
    return this.slots.get(id);
  }

  /** Where a point is going. */
  target(id: number): [number, number] | undefined {
    const at = this.slots.get(id);
    return at === undefined ? undefined : [this.to[at * 2] ?? 0, this.to[at * 2 + 1] ?? 0];
  }

  /** How many points of the kinds that are shown lie in a box, but no more than `most` are counted. */
  within([left, top, right, bottom]: readonly number[], shown: (kind: number) => boolean, most: number): number {
    let found = 0;
    for (let i = 0; i < this.count && found < most; i += 1) {
      const x = this.to[i * 2] ?? 0;
      const y = this.to[i * 2 + 1] ?? 0;
      const inside = x >= (left ?? 0) && x <= (right ?? 0) && y >= (top ?? 0) && y <= (bottom ?? 0);
      if (inside && shown(this.kinds[i] ?? 0)) found += 1;
    }
    return found;
  }

  /** The nearest point within a radius among the kinds that are shown. */
  nearest(x: number, y: number, radius: number, progress: number, shown: (kind: number) => boolean): number | null {
    let best: number | null = null;
    let least = radius * radius;
    for (let i = 0; i < this.count; i += 1) {
      if (!shown(this.kinds[i] ?? 0)) continue;
      const fx = this.from[i * 2] ?? 0;
      const fy = this.from[i * 2 + 1] ?? 0;
      const dx = fx + ((this.to[i * 2] ?? fx) - fx) * progress - x;
      const dy = fy + ((this.to[i * 2 + 1] ?? fy) - fy) * progress - y;
      const distance = dx * dx + dy * dy;
      if (distance < least) {
        least = distance;
        best = this.ids[i] ?? null;
      }
    }
    return best;
  }

  private room(): void {
    if (this.count <= this.ids.length) return;
    const size = Math.max(this.count, this.ids.length * 2, 256);
    const grow = <T extends Float32Array | Uint8Array | Uint32Array>(old: T, made: T): T => {
      made.set(old);
      return made;
    };
    this.from = grow(this.from, new Float32Array(size * 2));
    this.to = grow(this.to, new Float32Array(size * 2));
    this.kinds = grow(this.kinds, new Uint8Array(size));
    this.ids = grow(this.ids, new Uint32Array(size));
  }
}
