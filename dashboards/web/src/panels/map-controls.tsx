// What the map shows: layer, level, metric, span of time, and a search.
import type { Layer, Metric } from '../api/types';
import type { Watched } from '../api/live';
import { useSpeech } from '../i18n';
import { number, span } from '../pure/format';
import { SPANS } from '../state/model';
import { AreaSearch } from './area-search';

interface MapControlsProps {
  layers: Layer[];
  metrics: Metric[];
  choice: Watched | null;
  choose: (change: Partial<Watched>) => void;
  findArea: (layer: string, code: string) => void;
}

export function MapControls({ layers, metrics, choice, choose, findArea }: MapControlsProps) {
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
      <label className="field">
        <span>{t('map.metric')}</span>
        <select name="metric" value={choice?.metric ?? ''} onChange={(event) => choose({ metric: event.target.value })}>
          {metrics.map((one) => (
            <option key={one.metric} value={one.metric}>
              {tx(one.name, one.metric)}
              {one.unit === '' ? '' : ` (${one.unit})`}
            </option>
          ))}
        </select>
      </label>
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
      <AreaSearch layer={layer} found={findArea} />
    </div>
  );
}
