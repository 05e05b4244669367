// The map's style: areas of one level, the borders of the level above, labels. No glyphs, no sprite, no other host.
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import { MADE_UP, type Lang } from '../pure/format';
import type { ColourScale, Ground } from '../pure/scale';
import { MAP_LOOKS, rgb } from './looks';

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
  return byClass(scale, scale?.colours ?? [], MAP_LOOKS[ground].empty);
}

/** The entry of a feature's class; `empty` for a feature without a value. */
export function byClass(
  scale: ColourScale | null,
  entries: readonly string[],
  empty: string,
): ExpressionSpecification | string {
  const first = entries[0];
  if (scale === null || first === undefined) return empty;
  const value: ExpressionSpecification = ['feature-state', 'v'];
  const steps = scale.breaks.flatMap((border, i) => [border, entries[i + 1] ?? first]);
  const coloured: ExpressionSpecification | string =
    steps.length === 0 ? first : (['step', value, first, ...steps] as unknown as ExpressionSpecification);
  return ['case', ['==', ['typeof', value], 'number'], coloured, empty] as unknown as ExpressionSpecification;
}

/** What has a colour per class. */
interface Inks {
  text: string[];
  halo: string[];
}

/** Names stand on the colour of their area: dark or bright, whichever is read better, on a rim of that colour. */
export function labelInks(scale: ColourScale | null, ground: Ground): Inks {
  const { label, labelOnDark, halo } = MAP_LOOKS[ground];
  const colours = scale?.colours ?? [];
  const text = colours.map((colour) => (brightness(rgb(colour)) < 0.3 ? labelOnDark : label));
  return { text: colours.length === 0 ? [label] : text, halo: colours.length === 0 ? [halo] : [...colours] };
}

/** Relative luminance as WCAG has it. */
function brightness(parts: [number, number, number]): number {
  const [r, g, b] = parts.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0);
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

/** What a level looks like depends on how many areas it has and on the view. */
export interface Setting {
  many: boolean;
  /** whether the level above is so fine that its names wait for a closer look too */
  crowded: boolean;
  /** where the whole city fills the view */
  fitZoom: number;
  /** how much larger than on a desk everything is drawn */
  grown: number;
}

/** Layers of the areas. */
export function areaLayers(
  ground: Ground,
  speaking: Speaking,
  { many, fitZoom, grown }: Setting,
): LayerSpecification[] {
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
      minzoom: many ? fitZoom + 3.3 : 0,
      layout: {
        'text-field': labelText(speaking),
        'text-font': FONT,
        'text-size': 13 * grown,
        'text-max-width': 7,
        'text-padding': 6,
      },
      paint: {
        'text-color': look.nameOnEmpty,
        'text-halo-color': look.halo,
        'text-halo-width': 1.4,
        'text-halo-blur': 0.4,
      },
    },
  ];
}

/** Borders and names of the level above, so that small cells keep their place in the city. */
export function parentLayers(
  ground: Ground,
  speaking: Speaking,
  { crowded, fitZoom, grown }: Setting,
): LayerSpecification[] {
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
      minzoom: crowded ? fitZoom + 1.2 : 0,
      maxzoom: fitZoom + 3.3,
      layout: {
        'text-field': labelText(speaking),
        'text-font': FONT,
        'text-size': 13.5 * grown,
        'text-max-width': 8,
        'text-padding': 10,
        'text-letter-spacing': 0.02,
      },
      paint: {
        'text-color': look.nameOnEmpty,
        'text-halo-color': look.halo,
        'text-halo-width': 1.6,
        'text-halo-blur': 0.4,
      },
    },
  ];
}
