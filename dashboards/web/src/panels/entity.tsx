// One entity: what it is, when it spoke, what it said.
import { useEffect, useState } from 'react';
import { api } from '../api/client';
import type { EntityDetail } from '../api/types';
import { useSpeech } from '../i18n';
import { age, number } from '../pure/format';
import type { Model } from '../state/model';

const EVERY_MS = 2_000;

interface EntityPanelProps {
  source: string;
  model: Model;
  now: number;
  go: (layer: string, code: string) => void;
  close: () => void;
}

function useEntity(source: string): EntityDetail | null {
  const [entity, setEntity] = useState<EntityDetail | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const load = () => void api.entity(source, abort.signal).then(setEntity, () => undefined);
    load();
    const timer = setInterval(load, EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [source]);
  return entity?.source === source ? entity : null;
}

export function EntityPanel({ source, model, now, go, close }: EntityPanelProps) {
  const { t, tx, lang } = useSpeech();
  const entity = useEntity(source);
  return (
    <section className="detail" aria-labelledby="detail-title" data-entity={source}>
      <header className="panel-head">
        <h2 id="detail-title">
          <span className="quiet">{entity === null ? t('entity.title') : tx(entity.kind_name, entity.kind)}</span>{' '}
          {entity === null ? source : tx(entity.name, source)}
        </h2>
        <button type="button" className="button small" onClick={close}>
          {t('panel.close')}
        </button>
      </header>
      {entity === null ? (
        <p className="quiet detail-body">{t('app.loading')}</p>
      ) : (
        <div className="detail-body">
          <dl className="facts">
            <dt>{t('entity.title')}</dt>
            <dd className="num">
              {source} <span className="quiet">{t(entity.fixed ? 'entity.fixed' : 'entity.moving')}</span>
            </dd>
            <dt>{t('entity.seen')}</dt>
            <dd className="num">{age(now + model.offset - entity.time, lang)}</dd>
            <dt>{t('entity.place')}</dt>
            <dd>
              {entity.areas.length === 0
                ? t('entity.nowhere')
                : entity.areas.map((area) => (
                    <button
                      key={`${area.layer}/${area.code}`}
                      type="button"
                      className="link"
                      onClick={() => go(area.layer, area.code)}
                    >
                      {tx(area.name, area.code)}
                    </button>
                  ))}
            </dd>
            {entity.feed !== '' && (
              <>
                <dt>{t('entity.feed')}</dt>
                <dd>{entity.feed}</dd>
              </>
            )}
          </dl>
          <h3>{t('entity.values')}</h3>
          {entity.values.length === 0 ? (
            <p className="quiet">{t('entity.no_values')}</p>
          ) : (
            <dl className="facts">
              {entity.values.map((value) => (
                <div key={value.name} className="pair">
                  <dt>{tx(value.title, value.name)}</dt>
                  <dd className="num">
                    {number(value.value, lang)}
                    <span className="unit"> {value.unit}</span>
                  </dd>
                </div>
              ))}
            </dl>
          )}
        </div>
      )}
    </section>
  );
}
