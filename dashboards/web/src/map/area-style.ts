// The map's style: areas of one level, the borders of the level above, labels. No glyphs, no sprite, no other host.
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import { MADE_UP, type Lang } from '../pure/format';
import type { ColourScale, Ground } from '../pure/scale';
import { MAP_LOOKS } from './looks';

export const AREAS = 'areas';
export const PARENTS = 'parents';
const FONT = ['Noto Sans CJK SC', 'sans-serif'];

export function emptyStyle(ground: Ground): StyleSpecification {
  return {
    version: 8,
    sources: {},
    layers: [{ id: 'ground', type: 'background', paint: { 'background-color': MAP_LOOKS[ground].ground } }],
  };
}

export function fillColour(scale: ColourScale | null, ground: Ground): ExpressionSpecification | string {
  const empty = MAP_LOOKS[ground].empty;
  const first = scale?.colours[0];
  if (scale === null || first === undefined) return empty;
  const value: ExpressionSpecification = ['feature-state', 'v'];
  const steps = scale.breaks.flatMap((border, i) => [border, scale.colours[i + 1] ?? first]);
  const coloured: ExpressionSpecification | string =
    steps.length === 0 ? first : (['step', value, first, ...steps] as unknown as ExpressionSpecification);
  return ['case', ['==', ['typeof', value], 'number'], coloured, empty] as unknown as ExpressionSpecification;
}

/** How names are said: in which language, and whether the mark of made-up names is left out (the page says it once). */
export interface Speaking {
  lang: Lang;
  madeUp: boolean;
}

export function labelText({ lang, madeUp }: Speaking): ExpressionSpecification {
  const other = lang === 'en' ? 'zh' : 'en';
  const name: unknown = ['to-string', ['coalesce', ['get', lang], ['get', other], ['get', 'code']]];
  if (!madeUp) return name as ExpressionSpecification;
  const known: unknown = ['var', 'name'];
  const short = MADE_UP.reduce<unknown>(
    (otherwise, mark) => [
      'case',
      ['in', mark, known],
      ['slice', known, 0, ['-', ['length', known], mark.length]],
      otherwise,
    ],
    known,
  );
  return ['let', 'name', name, short] as unknown as ExpressionSpecification;
}

/** Layers of the areas; `fitZoom` is where the whole city fills the view. */
export function areaLayers(ground: Ground, speaking: Speaking, many: boolean, fitZoom: number): LayerSpecification[] {
  const look = MAP_LOOKS[ground];
  const thin: ExpressionSpecification = many
    ? ['interpolate', ['linear'], ['zoom'], fitZoom, 0.15, fitZoom + 2, 0.8, fitZoom + 4, 1.4]
    : ['interpolate', ['linear'], ['zoom'], fitZoom, 0.9, fitZoom + 4, 1.8];
  return [
    {
      id: 'areas-fill',
      type: 'fill',
      source: AREAS,
      'source-layer': 'areas',
      paint: { 'fill-color': look.empty, 'fill-antialias': !many },
    },
    {
      id: 'areas-line',
      type: 'line',
      source: AREAS,
      'source-layer': 'areas',
      paint: { 'line-color': look.line, 'line-width': thin, 'line-opacity': 0.8 },
    },
    {
      id: 'areas-chosen',
      type: 'line',
      source: AREAS,
      'source-layer': 'areas',
      layout: { 'line-join': 'round' },
      paint: {
        'line-color': look.chosen,
        'line-width': 3,
        'line-opacity': ['case', ['==', ['feature-state', 'chosen'], true], 1, 0],
      },
    },
    {
      id: 'areas-label',
      type: 'symbol',
      source: AREAS,
      'source-layer': 'areas_label',
      minzoom: many ? fitZoom + 2.6 : 0,
      layout: {
        'text-field': labelText(speaking),
        'text-font': FONT,
        'text-size': 13,
        'text-max-width': 7,
        'text-padding': 6,
      },
      paint: { 'text-color': look.label, 'text-halo-color': look.halo, 'text-halo-width': 1.4, 'text-halo-blur': 0.4 },
    },
  ];
}

/** Borders and names of the level above, so that small cells keep their place in the city. */
export function parentLayers(ground: Ground, speaking: Speaking, fitZoom: number): LayerSpecification[] {
  const look = MAP_LOOKS[ground];
  return [
    {
      id: 'parents-line',
      type: 'line',
      source: PARENTS,
      'source-layer': 'areas',
      layout: { 'line-join': 'round' },
      paint: { 'line-color': look.parentLine, 'line-width': 1, 'line-opacity': 0.55 },
    },
    {
      id: 'parents-label',
      type: 'symbol',
      source: PARENTS,
      'source-layer': 'areas_label',
      maxzoom: fitZoom + 3.2,
      layout: {
        'text-field': labelText(speaking),
        'text-font': FONT,
        'text-size': 13.5,
        'text-max-width': 8,
        'text-padding': 10,
        'text-letter-spacing': 0.02,
      },
      paint: { 'text-color': look.label, 'text-halo-color': look.halo, 'text-halo-width': 1.6, 'text-halo-blur': 0.4 },
    },
  ];
}
