// What the colours mean, in numbers with their unit.
import { useSpeech } from '../i18n';
import type { Metric } from '../api/types';
import { clock, number, span } from '../pure/format';
import type { ColourScale } from '../pure/scale';
import type { Model } from '../state/model';

interface LegendProps {
  model: Model;
  scale: ColourScale | null;
  now: number;
}

export function Legend({ model, scale, now }: LegendProps) {
  const { t, tx, lang } = useSpeech();
  const metric: Metric | undefined = model.metrics.find((one) => one.metric === model.choice?.metric);
  const { until, closed } = model.values;
  const label = (i: number): string => {
    if (scale === null) return '';
    const a = scale.breaks[i - 1];
    const b = scale.breaks[i];
    if (a === undefined && b === undefined) return number(scale.low, lang);
    if (a === undefined) return t('legend.below', { b: number(b, lang) });
    if (b === undefined) return t('legend.above', { a: number(a, lang) });
    return t('legend.between', { a: number(a, lang), b: number(b, lang) });
  };
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
          {t(model.valuesKnown ? 'map.nothing' : 'app.loading')}
        </p>
      ) : (
        <ol className="legend-classes">
          {scale.colours.map((colour, i) => (
            <li key={`${i}-${colour}`}>
              <span className="swatch" style={{ background: colour }} aria-hidden="true" />
              <span className="num">{label(i)}</span>
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
          {span(model.choice.span, lang)}{' '}
          {t('legend.until', { time: clock(until, now + model.offset, model.city.timezone, lang) })}
          {closed ? '' : ` · ${t('legend.filling')}`}
        </p>
      )}
    </section>
  );
}
