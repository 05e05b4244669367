// What the colours mean, in numbers with their unit, and of which time they are.
import { useSpeech } from '../i18n';
import { clock, column, number, span } from '../pure/format';
import type { ColourScale } from '../pure/scale';
import type { Model } from '../state/model';

interface LegendProps {
  model: Model;
  scale: ColourScale | null;
  now: number;
}

function useLabels(scale: ColourScale | null): string[] {
  const { t, lang } = useSpeech();
  if (scale === null) return [];
  const said = column(scale.breaks, lang);
  return scale.colours.map((_, i) => {
    const a = said[i - 1];
    const b = said[i];
    if (a === undefined && b === undefined) return number(scale.low, lang);
    if (a === undefined) return t('legend.below', { b: b ?? '' });
    if (b === undefined) return t('legend.above', { a });
    return t('legend.between', { a, b });
  });
}

export function Legend({ model, scale, now }: LegendProps) {
  const { t, tx, lang } = useSpeech();
  const labels = useLabels(scale);
  const metric = model.metrics.find((one) => one.metric === model.choice?.metric);
  const { until, closed } = model.values;
  const nothing = model.away !== null ? 'map.away' : model.valuesKnown ? 'map.nothing' : 'map.waiting';
  return (
    <section className="legend" aria-label={t('legend.title')}>
      <h2 className="legend-title">
        {metric === undefined ? (model.choice?.metric ?? '') : tx(metric.name, metric.metric)}
        <span className="quiet">
          {metric === undefined ? '' : ` ${t(`stat.${metric.statistic}`)}`}
          {metric === undefined || metric.unit === '' ? '' : ` · ${metric.unit}`}
        </span>
      </h2>
      {scale === null ? (
        <p className="quiet" role="status">
          {t(nothing)}
        </p>
      ) : (
        <ol className="legend-classes">
          {scale.colours.map((colour, i) => (
            <li key={`${i}-${colour}`}>
              <span className="swatch" style={{ background: colour }} aria-hidden="true" />
              <span className="num">{labels[i]}</span>
            </li>
          ))}
          <li>
            <span className="swatch swatch-none" aria-hidden="true" />
            <span>{t('legend.none')}</span>
          </li>
        </ol>
      )}
      {until !== null && model.choice !== null && (
        <p className="quiet num">
          {t('legend.until', {
            span: span(model.choice.span, lang),
            time: clock(until, now + model.offset, model.city.timezone, lang),
          })}
          {closed ? '' : ` · ${t('legend.filling')}`}
        </p>
      )}
    </section>
  );
}
