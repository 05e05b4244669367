// What the console's API says, as /api/openapi.json describes it. Times are epoch milliseconds.

export interface Text {
  en?: string;
  zh?: string;
}

export type Severity = 'critical' | 'major' | 'minor' | 'warning';

export interface City {
  name: Text;
  timezone: string;
  simulated: boolean;
  now: number;
}

export interface Level {
  id: string;
  name: Text;
  areas: number;
}

export interface Layer {
  id: string;
  title: Text;
  main: boolean;
  version: string;
  /** west, south, east, north; null while no area has an outline */
  bounds: [number, number, number, number] | null;
  /** root first */
  levels: Level[];
}

export interface AreaRef {
  layer: string;
  code: string;
  name: Text;
  level: string;
}

export interface AreaItem {
  /** feature id in the tiles and in `ids` of values; holds for one layer version */
  id: number;
  layer: string;
  level: string;
  code: string;
  name: Text;
  parent: string | null;
  centre: [number, number] | null;
  bounds: [number, number, number, number] | null;
}

export interface AreaDetail extends AreaItem {
  parents: AreaRef[];
  children: AreaItem[];
}

export type Statistic = 'mean' | 'sum' | 'count' | 'min' | 'max' | 'last';

export interface Metric {
  metric: string;
  name: Text;
  unit: string;
  /** how windows and areas are folded unless asked otherwise */
  statistic: Statistic;
  newest: number | null;
}

export interface SeriesPoint {
  start: number;
  value: number;
  count: number;
  closed: boolean;
}

export interface Series {
  layer: string;
  code: string;
  metric: string;
  statistic: Statistic;
  window_s: number;
  points: SeriesPoint[];
}

export interface EntityKind {
  kind: string;
  name: Text;
  /** entities of it that stand still by the registry */
  fixed: number;
  entities: number;
}

export interface Entities {
  epoch: string;
  kinds: EntityKind[];
  ids: number[];
  sources: string[];
  /** index into `kinds` */
  kind: number[];
  lon: number[];
  lat: number[];
  time: number[];
}

export interface EntityDetail {
  source: string;
  kind: string;
  kind_name: Text;
  name: Text;
  fixed: boolean;
  time: number;
  appended_at: number;
  feed: string;
  position: [number, number] | null;
  areas: AreaRef[];
  values: { name: string; title: Text; unit: string; value: number }[];
}

export interface Alert {
  id: string;
  seq: number;
  open: boolean;
  severity: Severity;
  title: Text;
  rule: string;
  kind: string;
  subject: { kind: 'entity' | 'area' | 'pair' | 'place'; id: string; name: Text };
  raised_at: number;
  cleared_at: number | null;
  position: [number, number] | null;
  /** leaf first */
  areas: AreaRef[];
  metric: string | null;
  metric_name: Text | null;
  unit: string | null;
  value: number | null;
  level: number | null;
  simulated: boolean;
  urgency: string;
  certainty: string;
  /** topic id, partition and offset of what raised it, oldest first */
  evidence: string[];
}

export interface Alerts {
  alerts: Alert[];
  total: number;
  /** when ClickHouse was last heard, while it is away */
  as_of: number | null;
}

export interface Kpi {
  at: number;
  events_per_min: number;
  entities_seen_5m: number;
  entities_known: number;
  open_alerts: Record<Severity, number>;
  reports_today: number;
  nowhere_5m: number;
  rejects_today: number;
}

export interface Freshness {
  at: number;
  /** append time of the newest archived observation */
  observations: number | null;
  /** append time behind the newest latest state of an entity: the stream's own progress */
  entities: number | null;
  /** end of the newest window, cut at `at` */
  metrics: number | null;
}

export interface ProblemDocument {
  title?: string;
  detail?: string;
  status?: number;
  errors?: { field: string; detail: string }[];
}

/** The end of a tick. */
export interface Tick {
  now: number;
  /** since when ClickHouse does not answer: what is shown is as of then */
  away_since: number | null;
}

/** Positions that changed since the last tick, and entities seen for the first time. */
export interface EntityMoves {
  epoch: string;
  ids: number[];
  lon: number[];
  lat: number[];
  time: number[];
  fresh: { id: number; source: string; kind: string; lon: number; lat: number; time: number }[];
}

/** Values that changed since the last tick; `full` replaces everything known. */
export interface ValueChanges {
  key: string;
  version: string;
  full: boolean;
  until: number | null;
  closed: boolean;
  ids: number[];
  values: number[];
  gone: number[];
}

/** A rule that raises more alerts in a minute than are told. */
export interface Storm {
  id: string;
  rule: string;
  title: Text;
  severity: Severity;
  /** raises that are told in a minute */
  per_minute: number;
  since: number;
  /** null while it goes on */
  until: number | null;
  held_back: number;
  simulated: boolean;
}

/** Who is signed in, and what they may. */
export interface Session {
  role: 'administrator' | 'viewer';
  /** as said when signing in */
  name: string | null;
  has_rules: boolean;
  may_change_rules: boolean;
}
