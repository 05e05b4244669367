// React's hold on map and entities: one pair of them for as long as the page lives.
import { useEffect, useImperativeHandle, useRef, useState, type Ref } from 'react';
import type { EntityKind, Layer } from '../api/types';
import type { Watched } from '../api/live';
import { useSpeech } from '../i18n';
import { age, number } from '../pure/format';
import type { ColourScale, Ground } from '../pure/scale';
import type { EntitySink } from '../state/use-city';
import { CityMap } from './city-map';
import { MapButtons } from './map-buttons';
import { EntityLayer } from './entity-layer';
import { MAP_LOOKS, kindColour, rgb } from './looks';
import type { Known } from './entity-store';

export interface MapHand {
  fly(lon: number, lat: number): void;
  fit(bounds: [number, number, number, number]): void;
  whereIs(source: string): Promise<[number, number] | null>;
}

interface Hover {
  x: number;
  y: number;
  area: number | null;
  entity: Known | null;
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
  kinds: EntityKind[];
  visible: ReadonlySet<string>;
  unit: string;
  attach: (sink: EntitySink | null) => void;
  onKinds: (kinds: EntityKind[]) => void;
  onArea: (id: number | null) => void;
  onEntity: (source: string) => void;
  nameOf: (id: number) => string | null;
  now: number;
}

function hasWebGl(): boolean {
  return document.createElement('canvas').getContext('webgl2') !== null;
}

export function MapView(props: MapViewProps) {
  const { layer, choice, values, scale, ground, area, entity, kinds, visible, attach } = props;
  const { t, lang } = useSpeech();
  const box = useRef<HTMLDivElement>(null);
  const overlay = useRef<HTMLDivElement>(null);
  const map = useRef<CityMap | null>(null);
  const entities = useRef<EntityLayer | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [able, setAble] = useState(hasWebGl);
  const [hover, setHover] = useState<Hover | null>(null);

  useEffect(() => {
    const holder = overlay.current;
    if (!able || box.current === null || holder === null) return;
    const canvas = document.createElement('canvas');
    holder.append(canvas);
    const drawn = new EntityLayer(canvas, () => setAble(false));
    entities.current = drawn;
    let seq = 0;
    const made = new CityMap(box.current, latest.current.ground, lang, {
      camera: (camera) => drawn.camera(camera),
      hover: (point, over) => {
        seq += 1;
        const own = seq;
        if (point === null) {
          setHover(null);
          return;
        }
        void drawn.pick(point.x, point.y).then((id) => {
          if (own !== seq) return;
          const found = id === null ? null : (drawn.store.find(id) ?? null);
          setHover(over === null && found === null ? null : { x: point.x, y: point.y, area: over, entity: found });
        });
      },
      click: (point, over) => {
        void drawn.pick(point.x, point.y).then((id) => {
          const found = id === null ? undefined : drawn.store.find(id);
          if (found === undefined) latest.current.onArea(over);
          else latest.current.onEntity(found.source);
        });
      },
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
      entities.current = null;
    };
    // The map is made once; language and theme are handed on below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [able, attach]);

  useEffect(() => {
    if (layer !== undefined && choice !== null) map.current?.show(layer, choice.level);
  }, [layer, choice]);
  useEffect(() => map.current?.setGround(ground), [ground]);
  useEffect(() => map.current?.setLang(lang), [lang]);
  useEffect(() => map.current?.setScale(scale), [scale]);
  useEffect(() => map.current?.setValues(values), [values]);
  useEffect(() => map.current?.choose(area), [area]);
  useEffect(() => {
    const layerOf = entities.current;
    layerOf?.select(entity === null ? null : (layerOf.store.idOf(entity) ?? null));
  }, [entity, kinds]);
  useEffect(() => {
    const looks = kinds.map((kind, i) => ({
      visible: visible.has(kind.kind),
      colour: rgb(kindColour(i, ground)),
      square: kind.fixed * 2 > kind.entities,
    }));
    entities.current?.looks(looks, MAP_LOOKS[ground].rim, ground === 'light');
  }, [kinds, visible, ground]);

  useImperativeHandle(props.ref, () => ({
    fly: (lon, lat) => map.current?.flyTo(lon, lat),
    fit: (bounds) => map.current?.fit(bounds),
    whereIs: async (source) => {
      const id = entities.current?.store.idOf(source);
      return id === undefined ? null : ((await entities.current?.where(id)) ?? null);
    },
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
        <div
          className="tip"
          style={{ transform: `translate(${Math.round(hover.x + 14)}px, ${Math.round(hover.y + 14)}px)` }}
        >
          {hover.entity === null ? (
            <>
              <strong>{hover.area === null ? '' : (props.nameOf(hover.area) ?? '…')}</strong>
              <span className="num">
                {number(hover.area === null ? null : values.get(hover.area), lang)} {props.unit}
              </span>
            </>
          ) : (
            <>
              <strong className="num">{hover.entity.source}</strong>
              <span className="num">{age(props.now - hover.entity.time, lang)}</span>
            </>
          )}
        </div>
      )}
    </>
  );
}
