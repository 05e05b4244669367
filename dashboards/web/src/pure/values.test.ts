import { describe, expect, it } from 'vitest';
import type { ValueChanges } from '../api/types';
import { NO_VALUES, applyChanges } from './values';

const known = applyChanges(NO_VALUES, {
  key: 'k',
  version: 'v1',
  full: true,
  until: 1,
  closed: true,
  ids: [1, 2, 3],
  values: [10, 20, 30],
  gone: [],
});

const changes: ValueChanges = {
  key: 'k',
  version: 'v1',
  full: false,
  until: 2,
  closed: false,
  ids: [2, 4],
  values: [25, 40],
  gone: [3],
};

describe('values', () => {
  it('takes changes in without touching what was', () => {
    const next = applyChanges(known, changes);
    expect([...next.byId]).toEqual([
      [1, 10],
      [2, 25],
      [4, 40],
    ]);
    expect(known.byId.get(2)).toBe(20);
    expect(NO_VALUES.byId.size).toBe(0);
    expect([next.until, next.closed]).toEqual([2, false]);
  });

  it('starts anew when told so and when the layer version is another', () => {
    expect(applyChanges(known, { ...changes, full: true }).byId.size).toBe(2);
    expect(applyChanges(known, { ...changes, version: 'v2' }).byId.size).toBe(2);
  });
});
