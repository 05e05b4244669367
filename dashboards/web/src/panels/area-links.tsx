// The areas something lies in, as ways to them.
import type { AreaRef } from '../api/types';
import { useSpeech } from '../i18n';

export function AreaLinks({ areas, go }: { areas: readonly AreaRef[]; go: (layer: string, code: string) => void }) {
  const { tx } = useSpeech();
  return (
    <span className="links">
      {areas.map((area) => (
        <button
          key={`${area.layer}/${area.code}`}
          type="button"
          className="link"
          onClick={() => go(area.layer, area.code)}
        >
          {tx(area.name, area.code)}
        </button>
      ))}
    </span>
  );
}
