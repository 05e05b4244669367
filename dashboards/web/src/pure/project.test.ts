import { describe, expect, it } from 'vitest';
import { latitude, mercatorX, mercatorY, worldSize } from './project';

describe('projection', () => {
  it('puts the world into a square', () => {
    expect([mercatorX(-180), mercatorX(0), mercatorX(180)]).toEqual([0, 0.5, 1]);
    expect(mercatorY(0)).toBeCloseTo(0.5, 12);
    expect(mercatorY(85.0511)).toBeCloseTo(0, 5);
    expect(worldSize(1)).toBe(1024);
    for (const lat of [-60, 0, 30.6]) expect(latitude(mercatorY(lat))).toBeCloseTo(lat, 9);
  });
});
