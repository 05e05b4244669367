// The page: map in the middle, figures above it, alerts beside it.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { closeSession } from './api/client';
import type { Alert, EntityKind } from './api/types';
import { useSpeech } from './i18n';
import { MapView, type MapHand } from './map/map-view';
import { useAreaNames } from './map/use-area-names';
import { AreaPanel } from './panels/area';
import { Alerts } from './panels/alerts';
import { EntityPanel } from './panels/entity';
import { KindToggles, isFixed } from './panels/kind-toggles';
import { Kpis } from './panels/kpis';
import { Legend } from './panels/legend';
import { MapControls } from './panels/map-controls';
import { TopBar } from './panels/top-bar';
import { scaleOf, stillFits, type ColourScale, type Ground } from './pure/scale';
import { useCity, type Start } from './state/use-city';
import { useNow } from './state/use-now';

type Chosen = { what: 'area'; layer: string; code: string } | { what: 'entity'; source: string } | null;

/** The scale follows the values only when they have left it: a legend that changes every second cannot be read. */
function useScale(values: Map<number, number>, key: string, ground: Ground): ColourScale | null {
  const held = useRef<{ key: string; scale: ColourScale } | null>(null);
  return useMemo(() => {
    const numbers = [...values.values()];
    const own = `${key}|${ground}`;
    if (held.current?.key === own && numbers.length > 0 && stillFits(held.current.scale, numbers))
      return held.current.scale;
    const scale = scaleOf(numbers, ground);
    held.current = scale === null ? null : { key: own, scale };
    return scale;
  }, [values, key, ground]);
}

interface OverviewProps {
  start: Start;
  ground: Ground;
  flipGround: () => void;
  leave: () => void;
}

export function Overview({ start, ground, flipGround, leave }: OverviewProps) {
  const { t, tx } = useSpeech();
  const { model, choose, attach } = useCity(start);
  const now = useNow();
  const map = useRef<MapHand>(null);
  const [chosen, setChosen] = useState<Chosen>(null);
  const [alertId, setAlertId] = useState<string | null>(null);
  const [kinds, setKinds] = useState<EntityKind[]>([]);
  const [switched, setSwitched] = useState<ReadonlyMap<string, boolean>>(new Map());

  const layer = model.layers.find((one) => one.id === model.choice?.layer);
  const metric = model.metrics.find((one) => one.metric === model.choice?.metric);
  const names = useAreaNames(layer);
  const key = `${model.choice?.layer ?? ''}|${model.choice?.level ?? ''}|${model.choice?.metric ?? ''}|${model.choice?.span ?? 0}`;
  const scale = useScale(model.values.byId, key, ground);

  // Moving kinds are shown at first, fixed ones on request: sensors would hide the areas they measure.
  const visible = useMemo(
    () => new Set(kinds.filter((kind) => switched.get(kind.kind) ?? !isFixed(kind)).map((kind) => kind.kind)),
    [kinds, switched],
  );

  const cityName = tx(model.city.name, t('app.title'));
  useEffect(() => {
    document.title = `${cityName} · ${t('app.name')}`;
  }, [cityName, t]);

  const goArea = useCallback(
    (layerId: string, code: string) => {
      setChosen({ what: 'area', layer: layerId, code });
      void names.byCode(layerId, code).then((area) => {
        if (area === null) return;
        choose({ layer: area.layer, level: area.level });
        if (area.bounds !== null) map.current?.fit(area.bounds);
      });
    },
    [names, choose],
  );

  const chooseAlert = useCallback(
    (alert: Alert) => {
      setAlertId(alert.id);
      if (alert.subject.kind === 'entity') setChosen({ what: 'entity', source: alert.subject.id });
      if (alert.position !== null) map.current?.fly(alert.position[0], alert.position[1]);
      else if (alert.subject.kind === 'entity') {
        void map.current?.whereIs(alert.subject.id).then((at) => at !== null && map.current?.fly(at[0], at[1]));
      } else if (alert.areas[0] !== undefined) goArea(alert.areas[0].layer, alert.areas[0].code);
    },
    [goArea],
  );

  const onArea = useCallback(
    (id: number | null) => {
      if (id === null || layer === undefined) {
        setChosen(null);
        return;
      }
      void names.byId(layer.id, id).then((area) => {
        if (area !== null) setChosen({ what: 'area', layer: area.layer, code: area.code });
      });
    },
    [names, layer],
  );

  const onSignOut = useCallback(() => {
    void closeSession().finally(leave);
  }, [leave]);

  const chosenArea = chosen?.what === 'area' ? names.known(chosen.layer, chosen.code) : null;
  const areaOnMap = chosenArea !== null && chosenArea.level === model.choice?.level ? chosenArea.id : null;

  return (
    <div className="page">
      <TopBar model={model} now={now} ground={ground} flipGround={flipGround} leave={onSignOut} />
      <Kpis kpi={model.kpi} />
      <main className="work">
        <section className="city" aria-label={t('map.title')}>
          <MapControls
            layers={model.layers}
            metrics={model.metrics}
            choice={model.choice}
            choose={choose}
            findArea={goArea}
          />
          <div className="map">
            <MapView
              ref={map}
              layer={layer}
              choice={model.choice}
              values={model.values.byId}
              scale={scale}
              ground={ground}
              area={areaOnMap}
              entity={chosen?.what === 'entity' ? chosen.source : null}
              kinds={kinds}
              visible={visible}
              unit={metric?.unit ?? ''}
              attach={attach}
              onKinds={setKinds}
              onArea={onArea}
              onEntity={(source) => setChosen({ what: 'entity', source })}
              nameOf={(id) => {
                const area = layer === undefined ? null : names.knownById(layer.id, id);
                return area === null ? null : tx(area.name, area.code);
              }}
              now={now + model.offset}
            />
            <Legend model={model} scale={scale} now={now} />
            {model.failed.size > 0 && (
              <p className="missing" role="alert">
                {t('error.part', { what: [...model.failed].join(', ') })}
              </p>
            )}
          </div>
          <KindToggles
            kinds={kinds}
            visible={visible}
            ground={ground}
            toggle={(kind) => setSwitched((old) => new Map(old).set(kind, !visible.has(kind)))}
          />
        </section>
        <div className="side">
          {chosen?.what === 'area' && (
            <AreaPanel
              layer={chosen.layer}
              code={chosen.code}
              model={model}
              ground={ground}
              go={goArea}
              drill={(level) => choose({ layer: chosen.layer, level })}
              close={() => setChosen(null)}
            />
          )}
          {chosen?.what === 'entity' && (
            <EntityPanel source={chosen.source} model={model} now={now} go={goArea} close={() => setChosen(null)} />
          )}
          <Alerts
            alerts={model.alerts}
            total={model.alertsTotal}
            now={now + model.offset}
            chosen={alertId}
            choose={chooseAlert}
          />
        </div>
      </main>
    </div>
  );
}
