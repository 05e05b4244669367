// The map itself: a thin, imperative hand on MapLibre. What to show is decided by the page; here it is only drawn.
import { Map as MapLibre, ScaleControl, setWorkerUrl, type MapMouseEvent } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import type { Layer } from '../api/types';
import type { Camera } from '../pure/project';
import type { ColourScale, Ground } from '../pure/scale';
import {
  AREAS,
  PARENTS,
  areaLayers,
  emptyStyle,
  fillColour,
  byClass,
  labelInks,
  labelText,
  parentLayers,
  type Speaking,
} from './area-style';
import { MAP_LOOKS } from './looks';

setWorkerUrl(workerUrl);

/** Outlines and names of one source; a feature has the same number in both. */
const LAYERS = ['areas', 'areas_label'] as const;

/** Areas in a level above which lines thin out and names wait for a closer look. */
const MANY = 160;

/** Width of the legend at the left, in rem. */
const LEGEND_REM = 18;

function rem(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

/** Type grows with the view (tokens.css); what the map draws grows with it. */
function grown(): number {
  return Math.max(1, rem() / 15);
}

export type Bounds = [number, number, number, number];

export interface MapHandlers {
  camera(camera: Camera): void;
  hover(point: { x: number; y: number } | null, area: number | null): void;
  click(point: { x: number; y: number }, area: number | null): void;
}

export class CityMap {
  readonly map: MapLibre;
  private readonly handlers: MapHandlers;
  private shown: { layer: Layer; level: string } | null = null;
  private values = new Map<number, number>();
  private scale: ColourScale | null = null;
  private ground: Ground;
  private speaking: Speaking;
  private chosen: number | null = null;
  private loaded = false;

  constructor(container: HTMLElement, ground: Ground, speaking: Speaking, title: string, handlers: MapHandlers) {
    this.handlers = handlers;
    this.ground = ground;
    this.speaking = speaking;
    this.map = new MapLibre({
      container,
      style: emptyStyle(ground),
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      maxZoom: 18,
      fadeDuration: 0,
      locale: { 'Map.Title': title },
      localIdeographFontFamily: "'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif",
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new ScaleControl({ unit: 'metric', maxWidth: 90 }), 'bottom-right');
    this.map.on('load', () => {
      this.loaded = true;
      this.draw();
    });
    this.map.on('move', () => this.tellCamera());
    this.map.on('resize', () => this.tellCamera());
    this.map.on('mousemove', (event) => this.handlers.hover(event.point, this.areaAt(event)));
    this.map.on('mouseout', () => this.handlers.hover(null, null));
    this.map.on('click', (event) => this.handlers.click(event.point, this.areaAt(event)));
  }

  show(layer: Layer, level: string): void {
    const same = this.shown?.layer.version === layer.version && this.shown.layer.id === layer.id;
    const first = this.shown === null;
    const other = this.shown?.layer.id !== layer.id;
    if (same && this.shown?.level === level) return;
    this.shown = { layer, level };
    this.values = new Map();
    this.chosen = null;
    if (layer.bounds !== null && (first || other)) this.fit(layer.bounds, !first);
    this.draw();
  }

  setValues(values: Map<number, number>): void {
    const old = this.values;
    this.values = values;
    if (!this.ready()) return;
    for (const [id, value] of values) if (old.get(id) !== value) this.state(id, { v: value });
    for (const id of old.keys()) {
      if (values.has(id)) continue;
      for (const sourceLayer of LAYERS) this.map.removeFeatureState({ source: AREAS, sourceLayer, id }, 'v');
    }
  }

  setScale(scale: ColourScale | null): void {
    this.scale = scale;
    if (!this.ready()) return;
    this.map.setPaintProperty('areas-fill', 'fill-color', fillColour(scale, this.ground));
    const { nameOnEmpty, halo } = MAP_LOOKS[this.ground];
    const inks = labelInks(scale, this.ground);
    this.map.setPaintProperty('areas-label', 'text-color', byClass(scale, inks.text, nameOnEmpty));
    this.map.setPaintProperty('areas-label', 'text-halo-color', byClass(scale, inks.halo, halo));
  }

  setGround(ground: Ground): void {
    if (ground === this.ground) return;
    this.ground = ground;
    if (!this.loaded) return;
    this.map.setPaintProperty('ground', 'background-color', MAP_LOOKS[ground].ground);
    this.draw();
  }

  speak(speaking: Speaking, title: string): void {
    this.speaking = speaking;
    this.map.getCanvas().setAttribute('aria-label', title);
    for (const id of ['areas-label', 'parents-label']) {
      if (this.map.getLayer(id) !== undefined) this.map.setLayoutProperty(id, 'text-field', labelText(speaking));
    }
  }

  choose(id: number | null): void {
    if (this.chosen === id) return;
    if (this.ready() && this.chosen !== null) this.state(this.chosen, { chosen: false });
    this.chosen = id;
    if (this.ready() && id !== null) this.state(id, { chosen: true });
  }

  zoom(steps: number): void {
    this.map.zoomTo(this.map.getZoom() + steps, { animate: !this.calm(), duration: 250 });
  }

  /** `room`: the part of the view left free around it. */
  fit(bounds: Bounds, animate = true, room = 0): void {
    const padding = this.padding(room);
    this.map.fitBounds(bounds, { padding, animate: animate && !this.calm(), duration: 600 });
  }

  flyTo(lon: number, lat: number): void {
    const zoom = Math.max(this.map.getZoom(), 14);
    if (this.calm()) this.map.jumpTo({ center: [lon, lat], zoom });
    else this.map.flyTo({ center: [lon, lat], zoom, duration: 900, essential: true });
  }

  tellCamera(): void {
    const centre = this.map.getCenter();
    const { clientWidth: width, clientHeight: height } = this.map.getContainer();
    const ratio = window.devicePixelRatio;
    const place = { lon: centre.lng, lat: centre.lat, zoom: this.map.getZoom() };
    this.handlers.camera({ ...place, width, height, ratio, grown: grown() });
  }

  remove(): void {
    this.map.remove();
  }

  private calm(): boolean {
    return matchMedia('(prefers-reduced-motion: reduce)').matches;
  }

  private ready(): boolean {
    return this.loaded && this.map.getSource(AREAS) !== undefined;
  }

  private state(id: number, state: Record<string, unknown>): void {
    for (const sourceLayer of LAYERS) this.map.setFeatureState({ source: AREAS, sourceLayer, id }, state);
  }

  private areaAt(event: MapMouseEvent): number | null {
    if (this.map.getLayer('areas-fill') === undefined) return null;
    const id = this.map.queryRenderedFeatures(event.point, { layers: ['areas-fill'] })[0]?.id;
    return typeof id === 'number' ? id : null;
  }

  private fitZoom(layer: Layer): number {
    if (layer.bounds === null) return 9;
    const [west, south, east, north] = layer.bounds;
    return this.map.cameraForBounds([west, south, east, north], { padding: this.padding(0) })?.zoom ?? 9;
  }

  /** In a wide view the legend's side is left free: nothing gets smaller by it. */
  private padding(room: number): { top: number; bottom: number; left: number; right: number } {
    const { clientWidth: wide, clientHeight: high } = this.map.getContainer();
    const all = 28 + Math.min(wide, high) * room;
    const legend = Math.max(0, Math.min(LEGEND_REM * rem(), wide - high));
    return { top: all, bottom: all, right: all, left: all + legend };
  }

  private tiles(layer: Layer, level: string): string {
    const part = encodeURIComponent;
    return `${location.origin}/api/v1/tiles/${part(layer.id)}/${part(level)}/${layer.version}/{z}/{x}/{y}.mvt`;
  }

  private addSource(name: string, layer: Layer, level: string): void {
    const bounds = layer.bounds === null ? {} : { bounds: layer.bounds };
    this.map.addSource(name, { type: 'vector', tiles: [this.tiles(layer, level)], minzoom: 4, maxzoom: 15, ...bounds });
  }

  /** Builds sources and layers anew; values and choice are put back on top. */
  private draw(): void {
    if (!this.loaded || this.shown === null) return;
    for (const layer of this.map.getStyle().layers) if (layer.id !== 'ground') this.map.removeLayer(layer.id);
    for (const source of [AREAS, PARENTS]) if (this.map.getSource(source) !== undefined) this.map.removeSource(source);
    const { layer, level } = this.shown;
    const at = layer.levels.findIndex((one) => one.id === level);
    const above = layer.levels[at - 1];
    const many = (layer.levels[at]?.areas ?? 0) > MANY;
    const crowded = (above?.areas ?? 0) > MANY;
    const setting = { many, crowded, fitZoom: this.fitZoom(layer), grown: grown() };
    this.addSource(AREAS, layer, level);
    for (const one of areaLayers(this.ground, this.speaking, setting)) this.map.addLayer(one);
    if (above !== undefined && above.areas > 1) {
      this.addSource(PARENTS, layer, above.id);
      const [line, label] = parentLayers(this.ground, this.speaking, setting);
      if (line !== undefined) this.map.addLayer(line, 'areas-chosen');
      if (label !== undefined && many) this.map.addLayer(label);
    }
    this.setScale(this.scale);
    for (const [id, value] of this.values) this.state(id, { v: value });
    if (this.chosen !== null) this.state(this.chosen, { chosen: true });
    this.tellCamera();
  }
}
