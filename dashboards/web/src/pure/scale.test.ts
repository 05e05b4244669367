import { describe, expect, it } from 'vitest';
import { RAMPS, classOf, coloursFor, niceStep, quantile, scaleOf, stillFits } from './scale';

describe('scaleOf', () => {
  it('cuts even values at round numbers', () => {
    const scale = scaleOf([0, 10, 20, 30, 40, 50, 60], 'light');
    expect(scale?.breaks).toEqual([10, 20, 30, 40, 50]);
    expect(scale?.colours).toHaveLength(6);
  });

  it('uses quantiles when a few values are very large', () => {
    const values = [...Array.from({ length: 95 }, (_, i) => i / 10), 1000, 2000, 3000, 4000, 5000];
    const scale = scaleOf(values, 'dark');
    expect(scale?.breaks.length).toBeGreaterThanOrEqual(3);
    expect(scale?.breaks[0]).toBeLessThan(5);
  });

  it('has no more classes than there are different values, and none for noise', () => {
    expect(scaleOf([50, 63], 'light')?.breaks).toEqual([60]);
    expect(scaleOf([28.8, 29.1, 29.4, 29.9, 30.3], 'light')?.breaks).toEqual([29.6]);
  });

  it('keeps counts whole', () => {
    const scale = scaleOf([1, 1, 1, 2, 2, 3, 3, 4, 90], 'light');
    expect(scale?.breaks.every(Number.isInteger)).toBe(true);
  });

  it('gives one class for one value and nothing for none', () => {
    expect(scaleOf([5, 5, 5], 'light')?.colours).toHaveLength(1);
    expect(scaleOf([], 'light')).toBeNull();
    expect(scaleOf([NaN], 'light')).toBeNull();
  });

  it('has ascending breaks, and a class and a colour for every value', () => {
    for (let seed = 1; seed < 60; seed += 1) {
      const values = Array.from(
        { length: 1 + (seed % 40) },
        (_, i) => Math.sin(seed * 37 + i * 11) ** 3 * 10 ** (seed % 5),
      );
      const scale = scaleOf(values, 'light');
      expect(scale).not.toBeNull();
      if (scale === null) continue;
      expect([...scale.breaks].sort((a, b) => a - b)).toEqual(scale.breaks);
      expect(new Set(scale.breaks).size).toBe(scale.breaks.length);
      expect(scale.colours).toHaveLength(scale.breaks.length + 1);
      expect(scale.colours.length).toBeLessThanOrEqual(7);
      for (const value of values) expect(scale.colours[classOf(scale, value)]).toBeDefined();
    }
  });
});

describe('parts of it', () => {
  it('steps are nice', () => {
    expect([0.7, 1.2, 3.4, 6, 9, 0, NaN].map(niceStep)).toEqual([0.8, 1.5, 4, 6, 10, 1, 1]);
  });

  it('quantiles lie between', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('a value on a break belongs above it', () => {
    const scale = { breaks: [10, 20], colours: ['a', 'b', 'c'], low: 0, high: 30 };
    expect([9.9, 10, 19.9, 20].map((value) => classOf(scale, value))).toEqual([0, 1, 1, 2]);
  });

  it('colours use the whole ramp', () => {
    expect(coloursFor(7, 'light')).toEqual([...RAMPS.light]);
    expect(coloursFor(4, 'dark')).toEqual([0, 2, 4, 6].map((place) => RAMPS.dark[place]));
  });
  it('few classes stay near each other', () => {
    expect(coloursFor(2, 'dark')).toEqual([RAMPS.dark[2], RAMPS.dark[4]]);
    expect(coloursFor(1, 'dark')).toEqual([RAMPS.dark[3]]);
  });

  it('keeps a scale while the values stay near', () => {
    const scale = scaleOf([0, 10, 20, 30, 40], 'light');
    if (scale === null) throw new Error('no scale');
    expect(stillFits(scale, [1, 9, 21, 33, 41])).toBe(true);
    expect(stillFits(scale, [0, 100, 200])).toBe(false);
  });
});
