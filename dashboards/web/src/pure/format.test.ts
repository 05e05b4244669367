import { describe, expect, it } from 'vitest';
import { age, clock, column, count, date, number, say, unmarked } from './format';

describe('format', () => {
  it('says the other language when one is missing', () => {
    expect(say({ en: 'Cell' }, 'zh')).toBe('Cell');
    expect(say({ en: 'Cell', zh: '网格' }, 'zh')).toBe('网格');
    expect(say({}, 'en', 'c-1')).toBe('c-1');
    expect(say(null, 'en', 'c-1')).toBe('c-1');
  });

  it('leaves the mark of made-up names out where the page says it', () => {
    expect(['District 2 (simulated)', '区2（模拟）', 'Harbour', ' (simulated)'].map(unmarked)).toEqual([
      'District 2',
      '区2',
      'Harbour',
      ' (simulated)',
    ]);
  });

  it('gives numbers under each other the same places', () => {
    expect(column([0.5, 1, 1.25], 'en')).toEqual(['0.50', '1.00', '1.25']);
    expect(column([28.8, 30], 'en')).toEqual(['28.8', '30.0']);
    expect(column([1500, 3000], 'en')).toEqual(['1,500', '3,000']);
    expect(column([], 'en')).toEqual([]);
  });

  it('says the day of the city', () => {
    const late = Date.parse('2026-11-24T17:00:00Z');
    expect(date(late, 'Asia/Shanghai', 'en')).toBe('Wed 25 Nov');
    expect(date(late, 'America/Los_Angeles', 'en')).toBe('Tue 24 Nov');
    expect(date(late, 'Asia/Shanghai', 'zh')).toContain('11月25日');
  });

  it('keeps numbers short and never in exponents', () => {
    expect([0, 0.01234, 1.234, 12.34, 123.4, 12345.6].map((value) => number(value, 'en'))).toEqual([
      '0',
      '0.0123',
      '1.23',
      '12.3',
      '123',
      '12,346',
    ]);
    expect(number(null, 'en')).toBe('–');
    expect(number(NaN, 'en')).toBe('–');
  });

  it('counts in full up to a million', () => {
    expect(count(61234, 'en')).toBe('61,234');
    expect(count(12_345_678, 'en')).toBe('12.3m');
    expect(count(12_345_678, 'zh')).toBe('1234.6万');
  });

  it('ages in the largest unit', () => {
    expect([0, 59_999, 60_000, 3_600_000, 90_000_000].map((ms) => age(ms, 'en'))).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '1 h',
      '1 d',
    ]);
    expect(age(-5, 'zh')).toBe('0 秒');
  });

  it('shows the date only when it is not today in the city', () => {
    const now = Date.parse('2026-03-08T20:00:00Z');
    expect(clock(now, now, 'Asia/Shanghai', 'en')).toBe('04:00:00');
    expect(clock(Date.parse('2020-01-03T22:21:00Z'), now, 'America/Los_Angeles', 'en', false)).toBe('2020-01-03 14:21');
  });
});
