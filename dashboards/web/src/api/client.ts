// Talks to the console's API. The session is an HttpOnly cookie that outlives a restart of the console; the token itself is
// kept nowhere.
import type {
  Alerts,
  AreaDetail,
  AreaItem,
  City,
  Entities,
  EntityDetail,
  Layer,
  Metric,
  ProblemDocument,
  Series,
  Session,
  Storm,
} from './types';

export class ApiError extends Error {
  readonly status: number;
  readonly problem: ProblemDocument;
  constructor(status: number, problem: ProblemDocument) {
    super(problem.detail ?? problem.title ?? String(status));
    this.status = status;
    this.problem = problem;
  }
}

/** Takes `#token=…` out of the address, once, so that it neither stays visible nor gets shared. */
export function takeTokenFromAddress(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) history.replaceState(null, '', location.pathname + location.search);
  return given;
}

async function problemOf(answer: Response): Promise<ApiError> {
  const kind = answer.headers.get('content-type') ?? '';
  const body: unknown = kind.includes('json') ? await answer.json().catch(() => null) : null;
  return new ApiError(answer.status, body ?? { status: answer.status });
}

/** Exchanges the token for a session cookie; the name, if any, stands beside the changes of who signs in. */
export async function openSession(token: string, name = ''): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch('/api/v1/session', { method: 'POST', headers, body: JSON.stringify({ name }) });
  if (!answer.ok) throw await problemOf(answer);
}

export async function closeSession(): Promise<void> {
  await fetch('/api/v1/session', { method: 'DELETE' });
}

type Query = Record<string, string | number | boolean | null | undefined>;

export function queryOf(query: Query): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) parts.set(name, String(value));
  }
  const text = parts.toString();
  return text === '' ? '' : `?${text}`;
}

interface Said {
  query?: Query;
  body?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Asks the API; an answer without a body is null. */
export async function ask<T>(method: string, path: string, said: Said = {}): Promise<T> {
  const { query = {}, signal, ...rest } = said;
  const options: RequestInit = { method, ...rest, ...(signal === undefined ? {} : { signal }) };
  const answer = await fetch(`/api/v1/${path}${queryOf(query)}`, options);
  if (!answer.ok) throw await problemOf(answer);
  return (answer.status === 204 ? null : await answer.json()) as T;
}

const get = <T>(path: string, query: Query = {}, signal?: AbortSignal) => ask<T>('GET', path, { query, signal });

export const part = encodeURIComponent;

export const api = {
  session: (signal?: AbortSignal) => get<Session>('session', {}, signal),
  city: (signal?: AbortSignal) => get<City>('city', {}, signal),
  layers: (signal?: AbortSignal) => get<{ layers: Layer[] }>('layers', {}, signal),
  metrics: (signal?: AbortSignal) => get<{ metrics: Metric[] }>('metrics', {}, signal),
  areas: (query: { layer: string; q: string; limit: number }, signal?: AbortSignal) =>
    get<{ areas: AreaItem[]; total: number }>('areas', query, signal),
  areaById: (layer: string, id: number, signal?: AbortSignal) =>
    get<{ areas: AreaItem[]; total: number }>('areas', { layer, id }, signal),
  area: (layer: string, code: string, signal?: AbortSignal) =>
    get<AreaDetail>(`areas/${part(layer)}/${part(code)}`, {}, signal),
  series: (
    query: { layer: string; code: string; metric: string; window: number; last: number },
    signal?: AbortSignal,
  ) => get<Series>('metrics/series', query, signal),
  entities: (signal?: AbortSignal) => get<Entities>('entities', {}, signal),
  entity: (source: string, signal?: AbortSignal) => get<EntityDetail>(`entities/${part(source)}`, {}, signal),
  alerts: (query: { limit: number; open?: boolean }, signal?: AbortSignal) => get<Alerts>('alerts', query, signal),
  storms: (query: { limit: number; since?: number }, signal?: AbortSignal) =>
    get<{ storms: Storm[] }>('storms', query, signal),
};
