// The list of alerts as a fold over what the console says of each.
import type { Alert, AreaRef, Severity } from '../api/types';

export const SEVERITIES: readonly Severity[] = ['critical', 'major', 'minor', 'warning'];

/** Cleared alerts kept in the page beyond the open ones. */
export const CLEARED_KEPT = 300;

/** Merges news into what is known; an older `seq` never replaces a newer one. Newest raise first. */
export function mergeAlerts(known: readonly Alert[], news: readonly Alert[]): Alert[] {
  const byId = new Map(known.map((alert) => [alert.id, alert]));
  for (const alert of news) {
    const old = byId.get(alert.id);
    if (old === undefined || alert.seq >= old.seq) byId.set(alert.id, alert);
  }
  const all = [...byId.values()].sort((a, b) => b.raised_at - a.raised_at || a.id.localeCompare(b.id));
  let cleared = 0;
  return all.filter((alert) => alert.open || (cleared += 1) <= CLEARED_KEPT);
}

export interface AlertFilter {
  open: boolean;
  /** empty: every severity */
  severities: readonly Severity[];
}

export function filterAlerts(alerts: readonly Alert[], filter: AlertFilter): Alert[] {
  return alerts.filter(
    (alert) =>
      (!filter.open || alert.open) && (filter.severities.length === 0 || filter.severities.includes(alert.severity)),
  );
}

/** Moment of the last transition: what an alert's age is counted from. */
export function lastMoment(alert: Alert): number {
  return alert.cleared_at ?? alert.raised_at;
}

/** Where an alert lies, as people say it: the two areas of the main layer above the smallest, larger one last. */
export function placeOf(alert: Alert, mainLayer: string | undefined): AreaRef[] {
  const own = alert.areas.filter((area) => area.layer === mainLayer);
  const inTree = own.length > 0 ? own : alert.areas.slice(0, 1);
  return inTree.length > 3 ? inTree.slice(1, 3) : inTree.slice(0, 1);
}

/** Whether an alert lies in an area, however far below. */
export function isWithin(alert: Alert, layer: string, code: string): boolean {
  return alert.areas.some((area) => area.code === code && area.layer === layer);
}
