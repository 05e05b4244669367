// Web Mercator as MapLibre has it: the world is 0..1, a tile 512 pixels at zoom 0.

export const TILE = 512;

export function mercatorX(lon: number): number {
  return (lon + 180) / 360;
}

export function mercatorY(lat: number): number {
  const sin = Math.sin((Math.max(-85.0511, Math.min(85.0511, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
}

/** The way back from [mercatorY]. */
export function latitude(y: number): number {
  return (360 / Math.PI) * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - 90;
}

export interface Camera {
  lon: number;
  lat: number;
  zoom: number;
  width: number;
  height: number;
  ratio: number;
  /** how much larger than on a desk everything is drawn: a wall is read from afar */
  grown: number;
}

/** Pixels per world at a zoom. */
export function worldSize(zoom: number): number {
  return TILE * 2 ** zoom;
}
