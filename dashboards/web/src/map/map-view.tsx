// React's hold on map and points: one pair of them for as long as the page lives.
import { useEffect, useImperativeHandle, useRef, useState, type Ref } from 'react';
import type { Alert, EntityKind, Layer } from '../api/types';
import type { Watched } from '../api/live';
import { useSpeech } from '../i18n';
import type { ColourScale, Ground } from '../pure/scale';
import type { EntitySink } from '../state/use-city';
import { CityMap } from './city-map';
import { MapButtons } from './map-buttons';
import { EntityLayer, type Picked } from './entity-layer';
import type { Known } from './entity-store';
import { MAP_LOOKS, alertLooks, kindLooks } from './looks';
import { Tip, type Hover } from './tip';

export interface MapHand {
  fly(lon: number, lat: number): void;
  fit(bounds: [number, number, number, number]): void;
  whereIs(source: string): Promise<[number, number] | null>;
  findEntities(words: string, most: number): Known[];
}

interface MapViewProps {
  ref: Ref<MapHand>;
  layer: Layer | undefined;
  choice: Watched | null;
  values: Map<number, number>;
  scale: ColourScale | null;
  ground: Ground;
  area: number | null;
  entity: string | null;
  alert: string | null;
  alerts: readonly Alert[];
  kinds: EntityKind[];
  visible: ReadonlySet<string>;
  unit: string;
  attach: (sink: EntitySink | null) => void;
  onKinds: (kinds: EntityKind[]) => void;
  onArea: (id: number | null) => void;
  onEntity: (source: string) => void;
  onAlert: (alert: Alert) => void;
  nameOf: (id: number) => string | null;
  now: number;
}

/** Room left around an area that is shown for itself: what lies beside it tells where it is. */
const AROUND_AREA = 0.22;

function hasWebGl(): boolean {
  return document.createElement('canvas').getContext('webgl2') !== null;
}

export function MapView(props: MapViewProps) {
  const { layer, choice, values, scale, ground, area, entity, alert, alerts, kinds, visible, attach } = props;
  const { t, lang, madeUp } = useSpeech();
  const title = t('map.canvas');
  const box = useRef<HTMLDivElement>(null);
  const overlay = useRef<HTMLDivElement>(null);
  const map = useRef<CityMap | null>(null);
  const points = useRef<EntityLayer | null>(null);
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const [able, setAble] = useState(hasWebGl);
  const [hover, setHover] = useState<Hover | null>(null);

  useEffect(() => {
    const holder = overlay.current;
    if (!able || box.current === null || holder === null) return;
    const canvas = document.createElement('canvas');
    holder.append(canvas);
    const drawn = new EntityLayer(canvas, () => setAble(false));
    points.current = drawn;
    let seq = 0;
    const over = (point: { x: number; y: number } | null, under: number | null): void => {
      seq += 1;
      const own = seq;
      if (point === null) {
        setHover(null);
        return;
      }
      void drawn.pick(point.x, point.y).then((picked) => {
        if (own !== seq) return;
        setHover(under === null && picked === null ? null : { x: point.x, y: point.y, area: under, picked });
      });
    };
    const chosen = (picked: Picked, under: number | null): void => {
      if (picked === null) latest.current.onArea(under);
      else if (picked.what === 'alert') latest.current.onAlert(picked.alert);
      else latest.current.onEntity(picked.entity.source);
    };
    const made = new CityMap(box.current, latest.current.ground, { lang, madeUp }, title, {
      camera: (camera) => drawn.camera(camera),
      hover: over,
      click: (point, under) => void drawn.pick(point.x, point.y).then((picked) => chosen(picked, under)),
    });
    map.current = made;
    const tellKinds = () => latest.current.onKinds(drawn.store.kinds.map((kind) => ({ ...kind })));
    attach({
      reset: (answer) => {
        drawn.reset(answer);
        tellKinds();
      },
      apply: (moves) => {
        const changed = drawn.apply(moves);
        if (changed === true) tellKinds();
        return changed !== null;
      },
    });
    return () => {
      attach(null);
      made.remove();
      drawn.remove();
      canvas.remove();
      map.current = null;
      points.current = null;
    };
    // The map is made once; language and theme are handed on below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [able, attach]);

  useEffect(() => {
    if (layer !== undefined && choice !== null) map.current?.show(layer, choice.level);
  }, [layer, choice]);
  useEffect(() => map.current?.setGround(ground), [ground]);
  useEffect(() => map.current?.speak({ lang, madeUp }, title), [lang, madeUp, title]);
  useEffect(() => map.current?.setScale(scale), [scale]);
  useEffect(() => map.current?.setValues(values), [values]);
  useEffect(() => map.current?.choose(area), [area]);
  useEffect(() => points.current?.selectEntity(entity), [entity, kinds]);
  useEffect(() => points.current?.showAlerts(alerts), [alerts]);
  useEffect(() => points.current?.selectAlert(alert), [alert, alerts]);
  useEffect(() => {
    const { rim } = MAP_LOOKS[ground];
    points.current?.looks('entities', kindLooks(kinds, visible, ground), rim);
    points.current?.looks('alerts', alertLooks(ground), rim);
  }, [kinds, visible, ground]);

  useImperativeHandle(props.ref, () => ({
    fly: (lon, lat) => map.current?.flyTo(lon, lat),
    fit: (bounds) => map.current?.fit(bounds, true, AROUND_AREA),
    whereIs: async (source) => (await points.current?.where(source)) ?? null,
    findEntities: (words, most) => points.current?.store.search(words, most) ?? [],
  }));

  if (!able) {
    return (
      <p className="empty" role="alert">
        {t('map.no_webgl')}
      </p>
    );
  }
  return (
    <>
      <div className="map-box" ref={box} />
      <div className="map-entities" ref={overlay} aria-hidden="true" />
      <MapButtons
        zoom={(steps) => map.current?.zoom(steps)}
        fit={() => layer?.bounds && map.current?.fit(layer.bounds)}
      />
      {hover !== null && (
        <Tip hover={hover} values={values} unit={props.unit} nameOf={props.nameOf} now={props.now} kinds={kinds} />
      )}
    </>
  );
}
