import { describe, expect, it } from 'vitest';
import { grade } from './freshness';

describe('freshness', () => {
  it('goes from green over amber to red', () => {
    expect([0, 20_000, 90_000].map((ms) => grade('observations', ms))).toEqual(['fresh', 'aging', 'stale']);
    expect([0, 6_000, 20_000].map((ms) => grade('live', ms))).toEqual(['fresh', 'aging', 'stale']);
    expect(grade('metrics', null)).toBe('unknown');
  });
});
