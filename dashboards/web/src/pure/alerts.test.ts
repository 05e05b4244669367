import { describe, expect, it } from 'vitest';
import type { Alert, Severity } from '../api/types';
import { filterAlerts, isWithin, lastMoment, mergeAlerts, placeOf } from './alerts';

function alert(id: string, seq: number, raised_at: number, open = true, severity: Severity = 'minor'): Alert {
  return {
    id,
    seq,
    open,
    severity,
    title: {},
    rule: 'r',
    kind: 'threshold',
    subject: { kind: 'entity', id: 'e', name: {} },
    raised_at,
    cleared_at: open ? null : raised_at + 10,
    position: null,
    areas: [],
    metric: null,
    metric_name: null,
    unit: null,
    value: null,
    level: null,
    urgency: 'immediate',
    certainty: 'observed',
    evidence: [],
    simulated: false,
  };
}

describe('alerts', () => {
  it('newest raise first, and a clear replaces its raise', () => {
    const merged = mergeAlerts([alert('a', 1, 10), alert('b', 1, 20)], [alert('c', 1, 30), alert('a', 2, 10, false)]);
    expect(merged.map((one) => one.id)).toEqual(['c', 'b', 'a']);
    expect(merged[2]?.open).toBe(false);
  });

  it('an older transition never replaces a newer one', () => {
    expect(mergeAlerts([alert('a', 2, 10, false)], [alert('a', 1, 10)])[0]?.open).toBe(false);
  });

  it('keeps every open alert however many were cleared', () => {
    const many = Array.from({ length: 900 }, (_, i) => alert(`x${i}`, 2, 1000 + i, false));
    const merged = mergeAlerts([alert('old', 1, 1)], many);
    expect(merged).toHaveLength(301);
    expect(merged.at(-1)?.id).toBe('old');
  });

  it('filters by state and severity', () => {
    const all = [
      alert('a', 1, 3, true, 'critical'),
      alert('b', 1, 2, true, 'minor'),
      alert('c', 2, 1, false, 'critical'),
    ];
    expect(filterAlerts(all, { open: true, severities: [] }).map((one) => one.id)).toEqual(['a', 'b']);
    expect(filterAlerts(all, { open: false, severities: ['critical'] }).map((one) => one.id)).toEqual(['a', 'c']);
    expect(lastMoment(alert('c', 2, 1, false))).toBe(11);
  });

  it('are placed in the main layer, just above the smallest area', () => {
    const area = (layer: string, code: string) => ({ layer, code, name: {}, level: '' });
    const deep = ['cell', 'community', 'street', 'city'].map((code) => area('grid', code));
    const placed = { ...alert('a', 1, 1), areas: [area('duty', 'd1'), ...deep] };
    expect(placeOf(placed, 'grid').map((one) => one.code)).toEqual(['community', 'street']);
    expect(placeOf({ ...placed, areas: deep.slice(2) }, 'grid').map((one) => one.code)).toEqual(['street']);
    expect(placeOf(placed, 'beats').map((one) => one.code)).toEqual(['d1']);
    expect(placeOf(alert('b', 1, 1), 'grid')).toEqual([]);
    expect([isWithin(placed, 'grid', 'street'), isWithin(placed, 'duty', 'street')]).toEqual([true, false]);
  });
});
