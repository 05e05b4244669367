// Talks to the shelf of rules: the console passes questions and changes on to the stream. As /api/openapi.json describes them.
import { ask, part } from './client';
import type { Severity, Text } from './types';

export type RuleState = 'draft' | 'active' | 'retired' | 'removed';

/** A rule document; what it says of its kind is shown and sent as it is. */
export type RuleDocument = Record<string, unknown>;

export interface Changed {
  by: string;
  why?: string;
}

/** A version of a rule, without its document. Of one that is removed only the moment is known. */
export interface RuleLine {
  id: string;
  state: RuleState;
  version?: number;
  kind?: string;
  title?: Text;
  severity?: Severity;
  /** missing where it came from a file of the city's folder */
  changed?: Changed;
  appended_at: number;
}

export interface Shelf {
  rules: RuleLine[];
  /** records of the log that are no rules */
  unread: { offset: number; reason: string }[];
}

export interface Difference {
  field: string;
  before?: unknown;
  after?: unknown;
}

export interface Written {
  id: string;
  version: number;
  /** nothing was written: the shelf says that already */
  unchanged?: boolean;
  in_force_after_ms?: number;
}

/** Alerts of rules tried on the past, against the rules in force. */
export interface TryCount {
  before: number;
  after: number;
  added: number;
  removed: number;
  changed: number;
}

export interface TryTotals {
  alerts: number;
  per_hour: number;
  worst_hour: number;
}

export interface Outcome {
  records: number;
  before: TryTotals;
  after: TryTotals;
  rules: (TryCount & { rule: string; state: 'same' | 'changed' | 'new' | 'gone' })[];
}

export interface Backtest {
  number: number;
  state: 'running' | 'done' | 'failed' | 'stopped';
  records?: number;
  outcome?: Outcome;
  why?: string;
}

/** Who changes a rule, why, and on which version that was decided. */
export interface Signature {
  by: string;
  why: string;
  version: number;
}

const json = { 'content-type': 'application/json' };
const on = (signature: Signature) => ({ ...json, 'if-match': `"${signature.version}"` });
const reason = (why: string) => (why === '' ? {} : { why });

export const rules = {
  list: (signal?: AbortSignal) => ask<Shelf>('GET', 'rules', { query: { documents: false }, signal }),
  versions: (id: string, signal?: AbortSignal) =>
    ask<{ versions: RuleLine[] }>('GET', `rules/${part(id)}/versions`, { query: { documents: false }, signal }),
  document: (id: string, version: number, signal?: AbortSignal) =>
    ask<RuleDocument>('GET', `rules/${part(id)}/versions/${version}`, { signal }),
  diff: (id: string, from: number, to: number, signal?: AbortSignal) =>
    ask<{ differences: Difference[] }>('GET', `rules/${part(id)}/diff`, { query: { from, to }, signal }),
  /** The document as it would be written. */
  check: (text: string) =>
    ask<RuleDocument>('POST', 'rules/check', { body: text, headers: { 'content-type': 'text/plain' } }),
  put: (id: string, document: RuleDocument, signature: Signature) =>
    ask<Written>('PUT', `rules/${part(id)}`, {
      query: { by: signature.by, ...reason(signature.why) },
      body: JSON.stringify(document),
      headers: on(signature),
    }),
  turn: (id: string, state: RuleState, signature: Signature) =>
    ask<Written>('POST', `rules/${part(id)}/state`, {
      body: JSON.stringify({ state, by: signature.by, ...reason(signature.why) }),
      headers: on(signature),
    }),
  rollback: (id: string, to: number, signature: Signature) =>
    ask<Written>('POST', `rules/${part(id)}/rollback`, {
      body: JSON.stringify({ to, by: signature.by, ...reason(signature.why) }),
      headers: on(signature),
    }),
  beginTry: (document: RuleDocument, from: number) =>
    ask<Backtest>('POST', 'backtests', { body: JSON.stringify({ rules: [document], from }), headers: json }),
  lookTry: (number: number, signal?: AbortSignal) => ask<Backtest>('GET', `backtests/${number}`, { signal }),
  stopTry: (number: number) => ask<null>('DELETE', `backtests/${number}`),
};
