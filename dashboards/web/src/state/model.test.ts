import { describe, expect, it } from 'vitest';
import type { Alert, City, Layer, Metric, ValueChanges } from '../api/types';
import { firstModel, reduce, settleChoice, type Model } from './model';

const city: City = { name: { en: 'City' }, timezone: 'UTC', simulated: true, now: 1_000 };
const layer = (id: string, main: boolean, areas = [1, 3, 900]): Layer => ({
  id,
  title: {},
  main,
  version: 'v1',
  bounds: null,
  levels: ['city', 'district', 'cell'].map((level, i) => ({ id: level, name: {}, areas: areas[i] ?? 0 })),
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
  const usual = { layer: 'grid', level: 'district', metric: 'air.pm25', span: 600 };

  it('is the main layer, a level that can be overseen and a measured metric at first', () => {
    expect(settleChoice({}, layers, metrics)).toEqual(usual);
    expect(settleChoice({}, [layer('grid', true, [1, 12, 50])], metrics)?.level).toBe('cell');
    expect(settleChoice({}, [layer('grid', true, [1, 300, 9_000])], metrics)?.level).toBe('district');
  });

  it('keeps what the city has and replaces what it has not', () => {
    const asked = { layer: 'beats', level: 'cell', metric: 'air', span: 60 };
    expect(settleChoice(asked, layers, metrics)).toEqual(asked);
    expect(settleChoice({ ...asked, level: 'ward', metric: 'x', span: 7 }, layers, metrics)).toEqual({
      ...usual,
      layer: 'beats',
    });
    expect(settleChoice({}, [], metrics)).toBeNull();
  });

  it('keeps the metric asked for while none are known', () => {
    expect(settleChoice({ metric: 'noise.laeq_db' }, layers, [])?.metric).toBe('noise.laeq_db');
    expect(settleChoice({}, layers, [])?.metric).toBe('');
  });
});

describe('the model', () => {
  const choice = { layer: 'grid', level: 'cell', metric: 'air', span: 60 };
  const model = firstModel(city, [], [], choice, 400);
  const changes: ValueChanges = {
    key: 'grid|cell|air|60|count',
    version: 'v1',
    full: true,
    until: 1,
    closed: true,
    ids: [7],
    values: [1],
    gone: [],
  };

  it('knows the difference of the clocks, and since when ClickHouse is away', () => {
    expect(model.offset).toBe(600);
    const heard = reduce(model, { type: 'heard', at: 500, tick: { now: 2_000, away_since: 1_900 } });
    expect([heard.offset, heard.away, heard.heardAt]).toEqual([1_500, 1_900, 500]);
    expect(reduce(heard, { type: 'heard', at: 600, tick: { now: 2_100, away_since: null } }).away).toBeNull();
  });

  it('takes changes of what is watched now and no other', () => {
    expect(reduce(model, { type: 'changes', changes, watched: choice }).values.byId.get(7)).toBe(1);
    expect(reduce(model, { type: 'changes', changes, watched: { ...choice } })).toBe(model);
  });

  it('forgets values when the choice changes', () => {
    const known = reduce(model, { type: 'changes', changes, watched: choice });
    const next = reduce(known, { type: 'choice', choice: { ...choice, metric: 'noise' } });
    expect([next.values.byId.size, next.valuesKnown]).toEqual([0, false]);
  });

  it('remembers which part failed until it is well again', () => {
    const bad = reduce(model, { type: 'failed', part: 'alerts' });
    expect(bad.failed.has('alerts')).toBe(true);
    expect(reduce(bad, { type: 'well', part: 'alerts' }).failed.size).toBe(0);
  });
});

describe('alerts', () => {
  const model = firstModel(city, [], [], null, 0);
  const alert = (id: string, seq: number, open: boolean): Alert => ({
    id,
    seq,
    open,
    severity: 'minor',
    title: {},
    rule: 'r',
    kind: 'threshold',
    subject: { kind: 'entity', id: 'e', name: {} },
    raised_at: 1,
    cleared_at: open ? null : 2,
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
  });
  const states = (of: Model) => Object.fromEntries((of.alerts ?? []).map((one) => [one.id, one.open]));
  const list = (open: Alert[], knownOpen: string[], openTotal = open.length) => ({
    type: 'alertList' as const,
    list: { open, openTotal, cleared: [], knownOpen: new Set(knownOpen) },
  });

  it('told while a list was on its way are not lost', () => {
    const told = reduce(model, { type: 'alerts', alerts: [alert('new', 1, true), alert('a', 2, false)] });
    const listed = reduce(told, list([alert('a', 1, true)], []));
    expect(states(listed)).toEqual({ new: true, a: false });
  });

  it('whose end was missed go with the next list, unless it is cut short', () => {
    const told = reduce(model, { type: 'alerts', alerts: [alert('gone', 1, true)] });
    expect(states(reduce(told, list([], ['gone'])))).toEqual({});
    const cut = reduce(told, list([alert('b', 1, true)], ['gone'], 5));
    expect([states(cut), cut.alertsBeyond]).toEqual([{ gone: true, b: true }, 4]);
  });
});
