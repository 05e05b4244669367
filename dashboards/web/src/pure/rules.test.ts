import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/client';
import type { RuleLine, RuleState } from '../api/rules';
import { countStates, editable, faultOf, filterRules, lineSpan, newestNumber, sortRules, valueSaid } from './rules';

const line = (id: string, state: RuleState, more: Partial<RuleLine> = {}): RuleLine => ({
  id,
  state,
  version: 1,
  kind: 'threshold',
  title: { en: `The ${id}`, zh: `规则${id}` },
  appended_at: 1,
  ...more,
});
const shelf = [
  line('hot', 'active', { changed: { by: 'Anna', why: 'too many' } }),
  line('cold', 'draft'),
  line('fence-10', 'active', { kind: 'fence', title: { zh: '围栏' } }),
  line('gone', 'removed'),
];
const ids = (rules: RuleLine[]) => rules.map((rule) => rule.id);

describe('the list', () => {
  const all = { state: null, kind: null, words: '' };

  it('leaves out what is removed unless that is asked for', () => {
    expect(ids(filterRules(shelf, all))).toEqual(['hot', 'cold', 'fence-10']);
    expect(ids(filterRules(shelf, { ...all, state: 'removed' }))).toEqual(['gone']);
    expect(countStates(shelf)).toEqual({ active: 2, draft: 1, retired: 0, removed: 1 });
  });

  it('is searched by words in id, both titles, kind, who and why', () => {
    const found = (words: string) => ids(filterRules(shelf, { ...all, words }));
    expect(found('anna MANY')).toEqual(['hot']);
    expect(found('围栏')).toEqual(['fence-10']);
    expect(found('fence hot')).toEqual([]);
    expect(ids(filterRules(shelf, { state: 'active', kind: 'fence', words: ' ' }))).toEqual(['fence-10']);
  });

  it('is in the order of titles in the reader’s language', () => {
    const numbered = [line('r10', 'active'), line('r9', 'active'), line('b', 'draft', { title: { en: 'The r9' } })];
    expect(ids(sortRules(numbered, 'en'))).toEqual(['r9', 'b', 'r10']);
  });
});

describe('a document', () => {
  it('is edited without its number and without who wrote it', () => {
    expect(editable({ id: 'hot', version: 3, changed: { by: 'x' }, severity: 'minor' })).toEqual({
      id: 'hot',
      severity: 'minor',
    });
  });

  it('has the newest version that has one, though the rule was removed since', () => {
    const removed: RuleLine = { id: 'hot', state: 'removed', appended_at: 3 };
    expect(newestNumber([line('hot', 'draft'), line('hot', 'active', { version: 2 }), removed])).toBe(2);
    expect(newestNumber([removed])).toBeNull();
  });

  it('differs in values that are said shortly', () => {
    expect([valueSaid('x'), valueSaid(1.5), valueSaid(['a']), valueSaid(undefined), valueSaid(null)]).toEqual([
      'x',
      '1.5',
      '["a"]',
      null,
      null,
    ]);
  });

  it('has lines that can be shown', () => {
    const text = 'a\nbcd\n\ne';
    expect([1, 2, 3, 4, 99, 0].map((one) => text.slice(...lineSpan(text, one)))).toEqual([
      'a',
      'bcd',
      '',
      'e',
      'e',
      'a',
    ]);
  });
});

describe('an answer that is none', () => {
  it('says why, so that a person can do something about it', () => {
    const why = (status: number) => faultOf(new ApiError(status, {})).why;
    expect([409, 403, 501, 503, 504, 429, 500].map(why)).toEqual([
      'moved',
      'forbidden',
      'absent',
      'away',
      'unknown',
      'busy',
      'other',
    ]);
    expect(faultOf(new TypeError('failed to fetch'))).toEqual({ why: 'away' });
  });

  it('names line and field of a document that is no rule', () => {
    const errors = [{ field: 'threshold.level', detail: 'must be a number' }];
    const refused = new ApiError(422, { detail: 'line 12: threshold.level: must be a number', errors });
    expect(faultOf(refused)).toEqual({
      why: 'invalid',
      line: 12,
      field: 'threshold.level',
      detail: 'must be a number',
    });
    const bare = faultOf(new ApiError(400, { detail: 'no JSON' }));
    expect(bare).toEqual({ why: 'invalid', line: null, field: '', detail: 'no JSON' });
  });
});
