import { describe, expect, it } from 'vitest';
import type { Entities, EntityMoves } from '../api/types';
import { EntityStore } from './entity-store';

const snapshot: Entities = {
  epoch: 'e1',
  kinds: [
    { kind: 'bus', name: {}, fixed: 0, entities: 1 },
    { kind: 'air', name: {}, fixed: 1, entities: 1 },
  ],
  ids: [0, 1],
  sources: ['bus-1', 'air-1'],
  kind: [0, 1],
  lon: [1, 2],
  lat: [1, 2],
  time: [10, 10],
};
const moves = (change: Partial<EntityMoves>): EntityMoves => ({
  epoch: 'e1',
  ids: [],
  lon: [],
  lat: [],
  time: [],
  fresh: [],
  ...change,
});
const fresh = (id: number, source: string, kind: string) => ({ id, source, kind, lon: 1, lat: 1, time: 20 });

function store(): EntityStore {
  const made = new EntityStore();
  made.reset(snapshot);
  return made;
}

describe('the store of entities', () => {
  it('takes moves and newcomers in', () => {
    const known = store();
    expect(known.apply(moves({ ids: [0], time: [11] }))).toBe(false);
    expect(known.find(0)?.time).toBe(11);
    expect(known.apply(moves({ fresh: [fresh(2, 'bus-2', 'bus')] }))).toBe(true);
    expect([known.idOf('bus-2'), known.size, known.kinds[0]?.entities]).toEqual([2, 3, 2]);
    expect(known.apply(moves({ fresh: [fresh(2, 'bus-2', 'bus')] }))).toBe(false);
    expect(known.kinds[0]?.entities).toBe(2);
  });

  it('asks for everything when numbers or kinds are not known', () => {
    expect(store().apply(moves({ epoch: 'e2' }))).toBeNull();
    expect(store().apply(moves({ ids: [7], time: [11] }))).toBeNull();
    expect(store().apply(moves({ fresh: [fresh(2, 'tram-1', 'tram')] }))).toBeNull();
  });

  it('finds by id', () => {
    expect(
      store()
        .search('BUS', 5)
        .map((one) => one.source),
    ).toEqual(['bus-1']);
    expect(store().search('1', 1)).toHaveLength(1);
    expect(store().search('x', 5)).toEqual([]);
  });
});
