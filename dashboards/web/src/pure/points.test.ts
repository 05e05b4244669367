import { describe, expect, it } from 'vitest';
import { Points } from './points';

const all = () => true;
/** As 32 bits hold it. */
const f = Math.fround;

describe('points', () => {
  it('glide from where they were drawn to where they are', () => {
    const points = new Points();
    points.put(7, 0, 0, 1);
    points.put(7, 8e-5, 4e-5, 1);
    expect([...points.from.slice(0, 2)]).toEqual([0, 0]);
    points.settle(0.5);
    expect([...points.from.slice(0, 2)]).toEqual([f(f(8e-5) / 2), f(f(4e-5) / 2)]);
    expect(points.target(7)).toEqual([f(8e-5), f(4e-5)]);
    expect(points.target(8)).toBeUndefined();
  });

  it('jump when the way is too long to glide', () => {
    const points = new Points();
    points.put(1, 0, 0, 0);
    points.put(1, 1e-3, 0, 0);
    expect(points.from[0]).toBe(f(1e-3));
  });

  it('are found by place, among the kinds that are shown', () => {
    const points = new Points();
    points.put(10, 0, 0, 0);
    points.put(11, 2e-6, 0, 1);
    expect(points.nearest(1.8e-6, 0, 1e-5, 1, all)).toBe(11);
    expect(points.nearest(1.8e-6, 0, 1e-5, 1, (kind) => kind === 0)).toBe(10);
    expect(points.nearest(1, 1, 1e-5, 1, all)).toBeNull();
  });

  it('are counted in a box', () => {
    const points = new Points();
    for (let id = 0; id < 10; id += 1) points.put(id, id * 1e-6, 0, id % 2);
    const box = [1.5e-6, -1, 5.5e-6, 1];
    expect(points.within(box, all, 100)).toBe(4);
    expect(points.within(box, (kind) => kind === 0, 100)).toBe(2);
    expect(points.within(box, all, 3)).toBe(3);
  });

  it('grow, and begin anew', () => {
    const points = new Points();
    for (let id = 0; id < 1_000; id += 1) points.put(id, id * 1e-6, 0, id % 3);
    expect(points.count).toBe(1_000);
    expect(points.kinds[999]).toBe(0);
    expect(points.slotOf(999)).toBe(999);
    points.clear();
    expect([points.count, points.slotOf(999), points.nearest(0, 0, 1, 1, all)]).toEqual([0, undefined, null]);
  });
});
