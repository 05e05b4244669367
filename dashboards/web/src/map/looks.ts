// Colours of the map besides the choropleth: ground, lines, labels, entities.
import type { EntityKind, Severity } from '../api/types';
import { SEVERITIES } from '../pure/alerts';
import type { Ground } from '../pure/scale';
import type { PointLook, Shape } from './entity-messages';

export interface MapLook {
  ground: string;
  empty: string;
  line: string;
  parentLine: string;
  label: string;
  labelOnDark: string;
  /** of an area without a value, and of the level above */
  nameOnEmpty: string;
  halo: string;
  chosen: string;
  rim: [number, number, number];
}

export const MAP_LOOKS: Record<Ground, MapLook> = {
  light: {
    ground: '#eef1f1',
    empty: '#e3e8e8',
    line: '#ffffff',
    parentLine: '#5f7279',
    label: '#14242b',
    labelOnDark: '#ffffff',
    nameOnEmpty: '#14242b',
    halo: '#ffffff',
    chosen: '#c2410c',
    rim: [1, 1, 1],
  },
  dark: {
    ground: '#0a1014',
    empty: '#121b21',
    line: '#0a1014',
    parentLine: '#8fa4ab',
    label: '#0a1014',
    labelOnDark: '#f2f7f8',
    nameOnEmpty: '#eaf2f3',
    halo: '#0a1014',
    chosen: '#ffb020',
    rim: [0.03, 0.05, 0.06],
  },
};

// Told apart also by readers who do not see red and green alike; none of them is in the ramps, none is a severity's.
const KIND_COLOURS: Record<Ground, readonly string[]> = {
  light: ['#1b1b1b', '#7a3db8', '#c22a6b', '#7c4a12', '#4a4e9c', '#0b6e4f', '#6d6d6d', '#a0527a'],
  dark: ['#ffffff', '#c9a2ff', '#ff7eb6', '#e0b184', '#9fb2ff', '#5fe0b0', '#b5b5b5', '#f0a6cf'],
};

export function kindColour(index: number, ground: Ground): string {
  const colours = KIND_COLOURS[ground];
  return colours[index % colours.length] ?? '#888888';
}

/** Kinds most of whose entities stand still by the registry. */
export function isFixed(kind: EntityKind): boolean {
  return kind.fixed * 2 > kind.entities;
}

/** How kinds are drawn: what moves as discs, what stands as squares. */
export function kindLooks(kinds: readonly EntityKind[], visible: ReadonlySet<string>, ground: Ground): PointLook[] {
  return kinds.map((kind, i) => ({
    visible: visible.has(kind.kind),
    colour: rgb(kindColour(i, ground)),
    shape: isFixed(kind) ? 1 : 0,
  }));
}

// The same colours and shapes as in lists (tokens.css, severity.tsx).
const SEVERITY_COLOURS: Record<Ground, Record<Severity, string>> = {
  light: { critical: '#b3141c', major: '#c2500a', minor: '#8d6a00', warning: '#24639c' },
  dark: { critical: '#ff7a73', major: '#ff9a4a', minor: '#f2cb4b', warning: '#7fb9ee' },
};
const SEVERITY_SHAPES: Record<Severity, Shape> = { critical: 2, major: 3, minor: 1, warning: 0 };

export function alertLooks(ground: Ground): PointLook[] {
  return SEVERITIES.map((severity) => ({
    visible: true,
    colour: rgb(SEVERITY_COLOURS[ground][severity]),
    shape: SEVERITY_SHAPES[severity],
  }));
}

export function rgb(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [((value >> 16) & 255) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
}
