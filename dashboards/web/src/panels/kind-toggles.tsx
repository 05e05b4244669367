// Which kinds of entities the map shows: their key and their switches.
import { memo } from 'react';
import type { EntityKind } from '../api/types';
import { useSpeech } from '../i18n';
import { isFixed, kindColour } from '../map/looks';
import { count } from '../pure/format';
import type { Ground } from '../pure/scale';

interface KindTogglesProps {
  kinds: EntityKind[];
  visible: ReadonlySet<string>;
  ground: Ground;
  toggle: (kind: string) => void;
}

export const KindToggles = memo(function KindToggles({ kinds, visible, ground, toggle }: KindTogglesProps) {
  const { t, tx, lang } = useSpeech();
  if (kinds.length === 0) {
    return (
      <p className="kinds quiet" role="status">
        {t('entities.none')}
      </p>
    );
  }
  return (
    <div className="kinds" role="group" aria-labelledby="kinds-title">
      <span className="kinds-title" id="kinds-title">
        {t('entities.title')}
      </span>
      {kinds.map((kind, i) => (
        <button
          key={kind.kind}
          type="button"
          className="chip"
          data-kind={kind.kind}
          aria-pressed={visible.has(kind.kind)}
          onClick={() => toggle(kind.kind)}
        >
          <span
            className="kind-mark"
            data-square={isFixed(kind)}
            style={{ background: kindColour(i, ground) }}
            aria-hidden="true"
          />
          {tx(kind.name, kind.kind)}
          <span className="num chip-count">{count(kind.entities, lang)}</span>
        </button>
      ))}
    </div>
  );
});
