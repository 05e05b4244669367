// Who stands behind a feature id or a code: asked once, then known. Ids hold for one layer version.
import { useMemo, useState } from 'react';
import { api } from '../api/client';
import type { AreaItem, Layer } from '../api/types';

export interface AreaNames {
  byId(layer: string, id: number): Promise<AreaItem | null>;
  byCode(layer: string, code: string): Promise<AreaItem | null>;
  known(layer: string, code: string): AreaItem | null;
  /** what is known now; asks in the background when it is not */
  knownById(layer: string, id: number): AreaItem | null;
}

export function useAreaNames(layer: Layer | undefined): AreaNames {
  const version = layer?.version;
  const [, again] = useState(0);
  return useMemo(() => {
    const ids = new Map<string, AreaItem>();
    const codes = new Map<string, AreaItem>();
    const asked = new Map<string, Promise<AreaItem | null>>();
    const keep = (area: AreaItem): AreaItem => {
      ids.set(`${area.layer}/${area.id}`, area);
      codes.set(`${area.layer}/${area.code}`, area);
      again((n) => n + 1);
      return area;
    };
    const ask = (key: string, question: () => Promise<AreaItem | null>): Promise<AreaItem | null> => {
      const old = asked.get(key);
      if (old !== undefined) return old;
      const fresh = question().then(
        (area) => (area === null ? null : keep(area)),
        () => {
          asked.delete(key);
          return null;
        },
      );
      asked.set(key, fresh);
      return fresh;
    };
    const byId = (of: string, id: number) =>
      ask(`${version ?? ''}#${of}#${id}`, async () => (await api.areaById(of, id)).areas[0] ?? null);
    const byCode = (of: string, code: string) => ask(`${version ?? ''}@${of}@${code}`, () => api.area(of, code));
    return {
      byId,
      byCode,
      known: (of, code) => {
        const area = codes.get(`${of}/${code}`) ?? null;
        if (area === null) void byCode(of, code);
        return area;
      },
      knownById: (of, id) => {
        const area = ids.get(`${of}/${id}`) ?? null;
        if (area === null) void byId(of, id);
        return area;
      },
    };
  }, [version]);
}
