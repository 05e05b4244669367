import { describe, expect, it } from 'vitest';
import { groupOf } from './metrics';

describe('metrics', () => {
  it('are told apart by their names', () => {
    expect(['air.pm25', 'air', 'reports', 'reports.0102', 'reportsx'].map(groupOf)).toEqual([
      'measured',
      'activity',
      'reports',
      'reports',
      'activity',
    ]);
  });
});
