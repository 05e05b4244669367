// One entity: what it is, when it spoke, what it said, what is wrong with it.
import { api } from '../api/client';
import type { Alert, EntityDetail } from '../api/types';
import { useSpeech } from '../i18n';
import { age, number } from '../pure/format';
import type { Model } from '../state/model';
import { AreaLinks } from './area-links';
import { Detail } from './detail';
import { SeverityMark } from './severity';
import { useFetched } from './use-fetched';

const EVERY_MS = 2_000;

interface EntityPanelProps {
  source: string;
  model: Model;
  now: number;
  goArea: (layer: string, code: string) => void;
  goAlert: (alert: Alert) => void;
  close: () => void;
}

export function EntityPanel({ source, model, now, goArea, goAlert, close }: EntityPanelProps) {
  const { t, tx } = useSpeech();
  const fetched = useFetched(source, EVERY_MS, (signal) => api.entity(source, signal));
  const entity = fetched.is === 'here' ? fetched.value : null;
  const kind = entity === null ? t('entity.title') : tx(entity.kind_name, entity.kind);
  const standing = entity === null ? '' : ` · ${t(entity.fixed ? 'entity.fixed' : 'entity.moving')}`;
  return (
    <Detail
      eyebrow={kind + standing}
      title={entity === null ? source : tx(entity.name, source)}
      close={close}
      data={{ 'data-entity': source }}
    >
      {entity === null ? (
        <p className="quiet" role="status">
          {t(fetched.is === 'failed' ? 'panel.failed' : 'app.loading')}
        </p>
      ) : (
        <Facts entity={entity} model={model} now={now} goArea={goArea} goAlert={goAlert} />
      )}
    </Detail>
  );
}

function Facts({
  entity,
  model,
  now,
  goArea,
  goAlert,
}: Omit<EntityPanelProps, 'source' | 'close'> & { entity: EntityDetail }) {
  const { t, tx, lang } = useSpeech();
  const open = (model.alerts ?? []).filter(
    (alert) => alert.open && alert.subject.kind === 'entity' && alert.subject.id === entity.source,
  );
  return (
    <>
      {open.map((alert) => (
        <button key={alert.id} type="button" className="flag" onClick={() => goAlert(alert)}>
          <SeverityMark severity={alert.severity} />
          {tx(alert.title, alert.rule)}
        </button>
      ))}
      <dl className="facts">
        {entity.values.map((value) => (
          <div key={value.name} className="pair">
            <dt>{tx(value.title, value.name)}</dt>
            <dd className="num">
              {number(value.value, lang)} <span className="unit">{value.unit}</span>
            </dd>
          </div>
        ))}
        {entity.values.length === 0 && (
          <>
            <dt>{t('entity.values')}</dt>
            <dd>{t('entity.no_values')}</dd>
          </>
        )}
        <dt>{t('entity.seen')}</dt>
        <dd className="num">{t('ago', { age: age(now + model.offset - entity.time, lang) })}</dd>
        <dt>{t('entity.place')}</dt>
        <dd>{entity.areas.length === 0 ? t('entity.nowhere') : <AreaLinks areas={entity.areas} go={goArea} />}</dd>
        <dt>{t('entity.id')}</dt>
        <dd className="num">{entity.source}</dd>
        {entity.feed !== '' && (
          <>
            <dt>{t('entity.feed')}</dt>
            <dd>{entity.feed}</dd>
          </>
        )}
      </dl>
    </>
  );
}
