// The page: map in the middle, figures above it, alerts beside it.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { closeSession } from './api/client';
import type { Alert, EntityKind } from './api/types';
import { useSpeech } from './i18n';
import { isFixed } from './map/looks';
import { MapView, type MapHand } from './map/map-view';
import { useAreaNames } from './map/use-area-names';
import { AlertPanel } from './panels/alert';
import { Alerts } from './panels/alerts';
import { AreaPanel } from './panels/area';
import { EntityPanel } from './panels/entity';
import { KindToggles } from './panels/kind-toggles';
import { Kpis } from './panels/kpis';
import { Legend } from './panels/legend';
import { MapControls } from './panels/map-controls';
import { Notice } from './panels/notice';
import { PlaceSearch } from './panels/place-search';
import { Freshness, TopBar, type Frame } from './panels/top-bar';
import { scaleOf, stillFits, type ColourScale, type Ground } from './pure/scale';
import { NO_VALUES } from './pure/values';
import { useCity } from './state/use-city';
import { useNow } from './state/use-now';

type Chosen =
  | { what: 'area'; layer: string; code: string }
  | { what: 'entity'; source: string }
  | { what: 'alert'; id: string }
  | null;

/** Figures older than this are not of now. */
const STALE_MS = 20_000;

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

export function Overview(frame: Frame) {
  const { start, go, ground, leave } = frame;
  const { t, tx } = useSpeech();
  const { model, choose, attach } = useCity(start, leave);
  const now = useNow();
  const cityNow = now + model.offset;
  const map = useRef<MapHand>(null);
  const [chosen, setChosen] = useState<Chosen>(null);
  const [kinds, setKinds] = useState<EntityKind[]>([]);
  const [switched, setSwitched] = useState<ReadonlyMap<string, boolean>>(new Map());

  const { choice } = model;
  const layer = model.layers.find((one) => one.id === choice?.layer);
  const mainLayer = model.layers.find((one) => one.main)?.id;
  const metric = model.metrics.find((one) => one.metric === choice?.metric);
  const names = useAreaNames(layer);
  const key = [choice?.layer, choice?.level, choice?.metric, choice?.span].join('|');
  // Numbers of areas hold for one version of the layer: values of another one colour nothing.
  const values = model.values.version === layer?.version ? model.values.byId : NO_VALUES.byId;
  const scale = useScale(values, key, ground);
  const openAlerts = useMemo(() => (model.alerts ?? []).filter((alert) => alert.open), [model.alerts]);

  // Moving kinds are shown at first, fixed ones on request: sensors would hide the areas they measure.
  const visible = useMemo(
    () => new Set(kinds.filter((kind) => switched.get(kind.kind) ?? !isFixed(kind)).map((kind) => kind.kind)),
    [kinds, switched],
  );
  const toggle = useCallback(
    (kind: string) => setSwitched((old) => new Map(old).set(kind, !visible.has(kind))),
    [visible],
  );

  const cityName = tx(model.city.name, t('app.title'));
  useEffect(() => {
    document.title = `${cityName} · ${t('app.name')}`;
  }, [cityName, t]);

  const close = useCallback(() => setChosen(null), []);

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

  const flyToEntity = useCallback((source: string) => {
    void map.current?.whereIs(source).then((at) => at !== null && map.current?.fly(at[0], at[1]));
  }, []);

  const goEntity = useCallback(
    (source: string) => {
      setChosen({ what: 'entity', source });
      flyToEntity(source);
    },
    [flyToEntity],
  );

  const goAlert = useCallback(
    (alert: Alert) => {
      setChosen({ what: 'alert', id: alert.id });
      const smallest = alert.areas[0];
      if (alert.position !== null) map.current?.fly(alert.position[0], alert.position[1]);
      else if (alert.subject.kind === 'entity') flyToEntity(alert.subject.id);
      else if (smallest !== undefined) {
        void names.byCode(smallest.layer, smallest.code).then((area) => area?.bounds && map.current?.fit(area.bounds));
      }
    },
    [names, flyToEntity],
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
  const onEntity = useCallback((source: string) => setChosen({ what: 'entity', source }), []);
  const onAlert = useCallback((alert: Alert) => setChosen({ what: 'alert', id: alert.id }), []);
  const findEntities = useCallback((words: string, most: number) => map.current?.findEntities(words, most) ?? [], []);

  const goRule = useCallback((rule: string) => go({ page: 'rules', rule }), [go]);
  const onSignOut = useCallback(() => {
    void closeSession().finally(leave);
  }, [leave]);

  const nameOf = (id: number) => {
    const area = layer === undefined ? null : names.knownById(layer.id, id);
    return area === null ? null : tx(area.name, area.code);
  };
  const chosenArea = chosen?.what === 'area' ? names.known(chosen.layer, chosen.code) : null;
  const areaOnMap = chosenArea !== null && chosenArea.level === choice?.level ? chosenArea.id : null;
  const chosenAlert =
    chosen?.what === 'alert' ? ((model.alerts ?? []).find((alert) => alert.id === chosen.id) ?? null) : null;
  const subject = chosenAlert?.subject.kind === 'entity' ? chosenAlert.subject.id : null;
  const within = useMemo(
    () =>
      chosenArea === null
        ? null
        : { layer: chosenArea.layer, code: chosenArea.code, name: tx(chosenArea.name, chosenArea.code) },
    [chosenArea, tx],
  );

  return (
    <div className="page">
      <TopBar frame={frame} cityNow={cityNow} skip={['alerts', t('app.skip')]} leave={onSignOut}>
        <Freshness model={model} now={now} />
      </TopBar>
      <Notice model={model} now={now} />
      <Kpis kpi={model.kpi} stale={model.kpi !== null && cityNow - model.kpi.at > STALE_MS} />
      <main className="work">
        <section className="city" aria-label={t('map.title')}>
          <MapControls layers={model.layers} metrics={model.metrics} choice={choice} choose={choose} />
          <div className="map">
            <MapView
              ref={map}
              layer={layer}
              choice={choice}
              values={values}
              scale={scale}
              ground={ground}
              area={areaOnMap}
              entity={chosen?.what === 'entity' ? chosen.source : subject}
              alert={chosen?.what === 'alert' ? chosen.id : null}
              alerts={openAlerts}
              kinds={kinds}
              visible={visible}
              unit={metric?.unit ?? ''}
              attach={attach}
              onKinds={setKinds}
              onArea={onArea}
              onEntity={onEntity}
              onAlert={onAlert}
              nameOf={nameOf}
              now={cityNow}
            />
            {model.layers.length === 0 && (
              <p className="map-empty" role="status">
                {t('map.no_layers')}
              </p>
            )}
            <PlaceSearch layer={layer} kinds={kinds} entities={findEntities} goArea={goArea} goEntity={goEntity} />
            <Legend model={model} scale={scale} now={now} />
          </div>
          <KindToggles kinds={kinds} visible={visible} ground={ground} toggle={toggle} />
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
              close={close}
            />
          )}
          {chosen?.what === 'entity' && (
            <EntityPanel
              source={chosen.source}
              model={model}
              now={now}
              goArea={goArea}
              goAlert={goAlert}
              close={close}
            />
          )}
          {chosenAlert !== null && (
            <AlertPanel
              alert={chosenAlert}
              model={model}
              now={now}
              goArea={goArea}
              goEntity={goEntity}
              goRule={goRule}
              close={close}
            />
          )}
          <Alerts
            alerts={model.alerts}
            beyond={model.alertsBeyond}
            failed={model.failed.has('alerts')}
            storms={model.storms}
            goRule={goRule}
            now={cityNow}
            mainLayer={mainLayer}
            citySimulated={model.city.simulated}
            within={within}
            chosen={chosen?.what === 'alert' ? chosen.id : null}
            choose={goAlert}
          />
        </div>
      </main>
    </div>
  );
}
