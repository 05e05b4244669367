import { describe, expect, it } from 'vitest';
import { placeOf, searchOf } from './place';

describe('a place', () => {
  it('is read from the address, the city’s page where it says nothing', () => {
    expect(placeOf('')).toEqual({ page: 'city', rule: null });
    expect(placeOf('?page=elsewhere&rule=hot')).toEqual({ page: 'city', rule: null });
    expect(placeOf('?page=rules&rule=a%2Fb')).toEqual({ page: 'rules', rule: 'a/b' });
  });

  it('is written into the address beside what else stands there', () => {
    expect(searchOf('?layer=grid', { page: 'rules', rule: '热/1' })).toBe('?layer=grid&page=rules&rule=%E7%83%AD%2F1');
    expect(searchOf('?layer=grid&page=rules&rule=hot', { page: 'city', rule: 'hot' })).toBe('?layer=grid');
    expect(searchOf('?page=rules', { page: 'city', rule: null })).toBe('');
    const place = { page: 'rules', rule: null } as const;
    expect(placeOf(searchOf('?page=rules&rule=hot', place))).toEqual(place);
  });
});
