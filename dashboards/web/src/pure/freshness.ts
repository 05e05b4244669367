// When data count as old. Thresholds stand here, once, for tiles and tests.

export type Grade = 'fresh' | 'aging' | 'stale' | 'unknown';

export type Feed = 'observations' | 'entities' | 'metrics' | 'live';

/** Age in ms from which a feed is amber, and red. Windows of the newest kind are 10 s long and shown while they fill. */
const LIMITS: Record<Feed, readonly [number, number]> = {
  observations: [15_000, 60_000],
  entities: [15_000, 60_000],
  metrics: [30_000, 120_000],
  live: [5_000, 15_000],
};

export function grade(feed: Feed, ageMs: number | null): Grade {
  if (ageMs === null) return 'unknown';
  const [aging, stale] = LIMITS[feed];
  if (ageMs >= stale) return 'stale';
  return ageMs >= aging ? 'aging' : 'fresh';
}
