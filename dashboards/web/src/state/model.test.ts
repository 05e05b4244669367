import { describe, expect, it } from 'vitest';
import type { City, Layer, Metric } from '../api/types';
import { firstModel, keyOf, reduce, settleChoice } from './model';

const city: City = { name: { en: 'City' }, timezone: 'UTC', simulated: true, now: 1_000 };
const layer = (id: string, main: boolean): Layer => ({
  id,
  title: {},
  main,
  version: 'v1',
  bounds: null,
  levels: ['city', 'district', 'cell'].map((level) => ({ id: level, name: {}, areas: 3 })),
});
const metric = (name: string, statistic: Metric['statistic']): Metric => ({
  metric: name,
  name: {},
  unit: '',
  statistic,
  newest: null,
});

describe('the choice', () => {
  const layers = [layer('beats', false), layer('grid', true)];
  const metrics = [metric('air', 'count'), metric('air.pm25', 'mean')];

  it('is the main layer, its second level and a measured metric at first', () => {
    expect(settleChoice({}, layers, metrics)).toEqual({
      layer: 'grid',
      level: 'district',
      metric: 'air.pm25',
      span: 600,
    });
  });

  it('keeps what the city has and replaces what it has not', () => {
    const asked = { layer: 'beats', level: 'cell', metric: 'air', span: 60 };
    expect(settleChoice(asked, layers, metrics)).toEqual(asked);
    expect(settleChoice({ ...asked, level: 'ward', metric: 'x', span: 7 }, layers, metrics)).toEqual({
      layer: 'beats',
      level: 'district',
      metric: 'air.pm25',
      span: 600,
    });
    expect(settleChoice({}, [], metrics)).toBeNull();
  });
});

describe('the model', () => {
  const choice = { layer: 'grid', level: 'cell', metric: 'air', span: 60 };
  const model = firstModel(city, [], [], choice, 400);

  it('knows the difference of the clocks', () => {
    expect(model.offset).toBe(600);
    expect(reduce(model, { type: 'heard', at: 500, server: 2_000 }).offset).toBe(1_500);
    expect(reduce(model, { type: 'heard', at: 500, server: null }).offset).toBe(600);
  });

  it('takes changes of what is watched and no other', () => {
    const changes = {
      key: keyOf(choice),
      version: 'v1',
      full: true,
      until: 1,
      closed: true,
      ids: [7],
      values: [1],
      gone: [],
    };
    expect(reduce(model, { type: 'changes', changes }).values.byId.get(7)).toBe(1);
    expect(reduce(model, { type: 'changes', changes: { ...changes, key: 'other' } })).toBe(model);
  });

  it('forgets values when the choice changes', () => {
    const changes = {
      key: keyOf(choice),
      version: 'v1',
      full: true,
      until: 1,
      closed: true,
      ids: [7],
      values: [1],
      gone: [],
    };
    const known = reduce(model, { type: 'changes', changes });
    const next = reduce(known, { type: 'choice', choice: { ...choice, metric: 'noise' } });
    expect([next.values.byId.size, next.valuesKnown]).toEqual([0, false]);
  });

  it('remembers which part failed until it is well again', () => {
    const bad = reduce(model, { type: 'failed', part: 'alerts' });
    expect(bad.failed.has('alerts')).toBe(true);
    expect(reduce(bad, { type: 'alerts', alerts: [], total: 0, fresh: true }).failed.size).toBe(0);
  });
});
