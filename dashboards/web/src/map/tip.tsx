// What lies under the pointer, in a few words.
import type { EntityKind } from '../api/types';
import { useSpeech } from '../i18n';
import { age, number } from '../pure/format';
import type { Picked } from './entity-layer';

export interface Hover {
  x: number;
  y: number;
  area: number | null;
  picked: Picked;
}

interface TipProps {
  hover: Hover;
  values: Map<number, number>;
  unit: string;
  nameOf: (id: number) => string | null;
  kinds: readonly EntityKind[];
  now: number;
}

export function Tip({ hover, values, unit, nameOf, kinds, now }: TipProps) {
  const { t, tx, lang } = useSpeech();
  const { picked, area } = hover;
  const lines = (): [string, string] => {
    if (picked?.what === 'alert') {
      const { alert } = picked;
      const subject = tx(alert.subject.name, alert.subject.id);
      return [tx(alert.title, alert.rule), `${subject} · ${age(now - alert.raised_at, lang)}`];
    }
    if (picked?.what === 'entity') {
      const { entity } = picked;
      const kind = kinds.find((one) => one.kind === entity.kind);
      return [entity.source, `${tx(kind?.name, entity.kind)} · ${age(now - entity.time, lang)}`];
    }
    if (area === null) return ['', ''];
    const value = values.get(area);
    return [nameOf(area) ?? '…', value === undefined ? t('area.no_value') : `${number(value, lang)} ${unit}`];
  };
  const [first, second] = lines();
  return (
    <div
      className="tip"
      style={{ transform: `translate(${Math.round(hover.x + 14)}px, ${Math.round(hover.y + 14)}px)` }}
    >
      <strong>{first}</strong>
      <span className="num">{second}</span>
    </div>
  );
}
