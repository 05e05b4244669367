// Values of areas as a fold over the live stream.
import type { ValueChanges } from '../api/types';

export interface Values {
  version: string;
  until: number | null;
  closed: boolean;
  byId: Map<number, number>;
}

export const NO_VALUES: Values = { version: '', until: null, closed: false, byId: new Map() };

/** Ids speak of one layer version only, so changes for another one start anew. */
export function applyChanges(known: Values, changes: ValueChanges): Values {
  const byId = changes.full || changes.version !== known.version ? new Map<number, number>() : new Map(known.byId);
  changes.gone.forEach((id) => byId.delete(id));
  changes.ids.forEach((id, i) => byId.set(id, changes.values[i] ?? NaN));
  return { version: changes.version, until: changes.until, closed: changes.closed, byId };
}
