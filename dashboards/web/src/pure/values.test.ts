import { describe, expect, it } from 'vitest';
import type { ValueChanges } from '../api/types';
import { applyChanges, valuesFrom } from './values';

const known = valuesFrom({
  layer: 'l',
  level: 'v',
  metric: 'm',
  statistic: 'mean',
  version: 'v1',
  until: 1,
  span_s: 60,
  closed: true,
  ids: [1, 2, 3],
  values: [10, 20, 30],
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
    expect([next.until, next.closed]).toEqual([2, false]);
  });

  it('starts anew when told so and when the layer version is another', () => {
    expect(applyChanges(known, { ...changes, full: true }).byId.size).toBe(2);
    expect(applyChanges(known, { ...changes, version: 'v2' }).byId.size).toBe(2);
  });
});
