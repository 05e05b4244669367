// What the map shows: layer, level, metric, span of time.
import { memo } from 'react';
import type { Layer, Metric } from '../api/types';
import type { Watched } from '../api/live';
import { useSpeech } from '../i18n';
import type { Key } from '../i18n/en';
import { number, span } from '../pure/format';
import { groupOf, type MetricGroup } from '../pure/metrics';
import { SPANS } from '../state/model';

interface MapControlsProps {
  layers: Layer[];
  metrics: Metric[];
  choice: Watched | null;
  choose: (change: Partial<Watched>) => void;
}

const GROUPS: readonly [MetricGroup, Key][] = [
  ['measured', 'metrics.measured'],
  ['reports', 'metrics.reports'],
  ['activity', 'metrics.activity'],
];

function MetricChoice({ metrics, choice, choose }: Omit<MapControlsProps, 'layers'>) {
  const { t, tx } = useSpeech();
  const known = metrics.some((one) => one.metric === choice?.metric);
  return (
    <label className="field">
      <span>{t('map.metric')}</span>
      <select name="metric" value={choice?.metric ?? ''} onChange={(event) => choose({ metric: event.target.value })}>
        {!known && <option value={choice?.metric ?? ''}>{choice?.metric ?? ''}</option>}
        {GROUPS.map(([group, name]) => {
          const own = metrics.filter((one) => groupOf(one.metric) === group);
          return own.length === 0 ? null : (
            <optgroup key={group} label={t(name)}>
              {own.map((one) => (
                <option key={one.metric} value={one.metric}>
                  {tx(one.name, one.metric)}
                  {one.unit === '' ? '' : ` (${one.unit})`}
                </option>
              ))}
            </optgroup>
          );
        })}
      </select>
    </label>
  );
}

export const MapControls = memo(function MapControls({ layers, metrics, choice, choose }: MapControlsProps) {
  const { t, tx, lang } = useSpeech();
  const layer = layers.find((one) => one.id === choice?.layer);
  return (
    <div className="controls" role="group" aria-label={t('map.controls')}>
      <label className="field">
        <span>{t('map.layer')}</span>
        <select
          name="layer"
          value={choice?.layer ?? ''}
          onChange={(event) => choose({ layer: event.target.value, level: '' })}
        >
          {layers.map((one) => (
            <option key={one.id} value={one.id}>
              {tx(one.title, one.id)}
            </option>
          ))}
        </select>
      </label>
      <div className="field">
        <span id="level-name">{t('map.level')}</span>
        <div className="segments" role="group" aria-labelledby="level-name">
          {layer?.levels.map((level) => (
            <button
              key={level.id}
              type="button"
              data-level={level.id}
              aria-pressed={level.id === choice?.level}
              title={t('map.areas', { n: number(level.areas, lang) })}
              onClick={() => choose({ level: level.id })}
            >
              {tx(level.name, level.id)}
            </button>
          ))}
        </div>
      </div>
      <MetricChoice metrics={metrics} choice={choice} choose={choose} />
      <div className="field">
        <span id="span-name">{t('map.span')}</span>
        <div className="segments" role="group" aria-labelledby="span-name">
          {SPANS.map((seconds) => (
            <button
              key={seconds}
              type="button"
              data-span={seconds}
              aria-pressed={seconds === choice?.span}
              onClick={() => choose({ span: seconds })}
            >
              {span(seconds, lang)}
            </button>
          ))}
        </div>
      </div>
    </div>
  );
});
