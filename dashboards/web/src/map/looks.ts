// Colours of the map besides the choropleth: ground, lines, labels, entities.
import type { Ground } from '../pure/scale';

export interface MapLook {
  ground: string;
  empty: string;
  line: string;
  parentLine: string;
  label: string;
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
    halo: '#ffffff',
    chosen: '#c2410c',
    rim: [1, 1, 1],
  },
  dark: {
    ground: '#0a1014',
    empty: '#121b21',
    line: '#0a1014',
    parentLine: '#8fa4ab',
    label: '#eaf2f3',
    halo: '#0a1014',
    chosen: '#ffb020',
    rim: [0.03, 0.05, 0.06],
  },
};

// Told apart also by readers who do not see red and green alike (after Okabe and Ito); none of them is in the ramps.
const KIND_COLOURS: Record<Ground, readonly string[]> = {
  light: ['#c8450b', '#7a3db8', '#b3861b', '#c22a6b', '#1c1c1c', '#7c4a12', '#0b6e4f', '#4a4e9c'],
  dark: ['#ff8a3d', '#c9a2ff', '#ffd34d', '#ff7eb6', '#f4f4f4', '#e0b184', '#5fe0b0', '#9fb2ff'],
};

export function kindColour(index: number, ground: Ground): string {
  const colours = KIND_COLOURS[ground];
  return colours[index % colours.length] ?? '#888888';
}

export function rgb(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [((value >> 16) & 255) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
}
