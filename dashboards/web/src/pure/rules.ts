// Rules as a page lists, edits and changes them. Pure.
import { ApiError } from '../api/client';
import type { RuleDocument, RuleLine, RuleState } from '../api/rules';
import type { Lang } from './format';
import { say } from './format';

export const STATES: readonly RuleState[] = ['active', 'draft', 'retired', 'removed'];

export const KINDS = ['threshold', 'fence', 'silence', 'density', 'proximity', 'cluster', 'window'] as const;
export type Kind = (typeof KINDS)[number];

export function isKind(kind: string | undefined): kind is Kind {
  return KINDS.some((one) => one === kind);
}

export interface RuleFilter {
  /** null: in any state that is not removed */
  state: RuleState | null;
  kind: string | null;
  words: string;
}

/** Rules that pass, every word found in id, titles, kind or in who changed them. */
export function filterRules(rules: readonly RuleLine[], filter: RuleFilter): RuleLine[] {
  const words = filter.words
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return rules.filter((rule) => {
    if (filter.state === null ? rule.state === 'removed' : rule.state !== filter.state) return false;
    if (filter.kind !== null && rule.kind !== filter.kind) return false;
    const { title, changed } = rule;
    const text = [rule.id, title?.en, title?.zh, rule.kind, changed?.by, changed?.why].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function countStates(rules: readonly RuleLine[]): Record<RuleState, number> {
  const counts: Record<RuleState, number> = { active: 0, draft: 0, retired: 0, removed: 0 };
  for (const rule of rules) counts[rule.state] += 1;
  return counts;
}

/** By title in the reader's language; what is in force first where titles are alike. */
export function sortRules(rules: readonly RuleLine[], lang: Lang): RuleLine[] {
  const order = new Intl.Collator(lang === 'zh' ? 'zh-CN' : 'en', { numeric: true });
  const rank = (rule: RuleLine) => STATES.indexOf(rule.state);
  return [...rules].sort(
    (a, b) =>
      order.compare(say(a.title, lang, a.id), say(b.title, lang, b.id)) ||
      rank(a) - rank(b) ||
      order.compare(a.id, b.id),
  );
}

/** The newest version that has a document; null where there is none. */
export function newestNumber(versions: readonly RuleLine[]): number | null {
  return versions.findLast((line) => line.version !== undefined)?.version ?? null;
}

/** The document to be edited: who wrote it last and its number are the shelf's to say. */
export function editable(document: RuleDocument): RuleDocument {
  return Object.fromEntries(Object.entries(document).filter(([name]) => name !== 'version' && name !== 'changed'));
}

export const pretty = (value: unknown): string => JSON.stringify(value, null, 2);

/** A value of a difference in one line; null where there is none, said or not. */
export function valueSaid(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Where a new rule begins. */
export const BLANK: RuleDocument = {
  id: 'new-rule',
  title: { en: 'New rule', zh: '新规则' },
  severity: 'minor',
  threshold: { value: 'pm25', side: 'above', level: 150, clear: 120, hold_s: 60 },
};

/** Why an answer is not what was asked for, as far as a person can do something about it. */
export type Fault =
  | { why: 'moved' | 'away' | 'unknown' | 'absent' | 'forbidden' | 'busy' }
  | { why: 'invalid'; line: number | null; field: string; detail: string }
  | { why: 'other'; detail: string };

export function faultOf(error: unknown): Fault {
  if (!(error instanceof ApiError)) return { why: 'away' };
  switch (error.status) {
    case 409:
      return { why: 'moved' };
    case 403:
      return { why: 'forbidden' };
    case 429:
      return { why: 'busy' };
    case 501:
      return { why: 'absent' };
    case 503:
      return { why: 'away' };
    case 504:
      return { why: 'unknown' };
    case 422:
    case 400:
      return invalid(error);
    default:
      return { why: 'other', detail: error.message };
  }
}

/** "line 12: threshold.level: must be a number" → where, and what is wrong. */
function invalid(error: ApiError): Fault {
  const first = error.problem.errors?.[0];
  const detail = error.problem.detail ?? first?.detail ?? error.message;
  const line = /\bline (\d+)\b/.exec(detail);
  return {
    why: 'invalid',
    line: line === null ? null : Number(line[1]),
    field: first?.field ?? '',
    detail: first?.detail ?? detail,
  };
}

/** Where a line begins and ends in a text, to be shown to who wrote it. */
export function lineSpan(text: string, line: number): [number, number] {
  const lines = text.split('\n');
  const at = Math.min(Math.max(line, 1), lines.length);
  const begin = lines.slice(0, at - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return [begin, begin + (lines[at - 1]?.length ?? 0)];
}
