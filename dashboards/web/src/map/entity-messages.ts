// What page and drawing worker say to each other.
import type { Camera } from '../pure/project';

/** 0 disc, 1 square, 2 diamond, 3 triangle. */
export type Shape = 0 | 1 | 2 | 3;

export interface PointLook {
  visible: boolean;
  /** red, green, blue; 0..1 */
  colour: [number, number, number];
  shape: Shape;
}

/** Entities move; alerts stand where they were raised, on top of them. */
export type SetName = 'entities' | 'alerts';

export interface Places {
  ids: Uint32Array;
  lon: Float64Array;
  lat: Float64Array;
  kind: Uint8Array;
}

export type ToWorker =
  | { type: 'canvas'; canvas: OffscreenCanvas }
  | ({ type: 'all'; set: SetName } & Places)
  | ({ type: 'moves' } & Places)
  | ({ type: 'camera' } & Camera)
  | { type: 'looks'; set: SetName; looks: PointLook[]; rim: [number, number, number] }
  | { type: 'select'; set: SetName; id: number | null }
  | { type: 'pick'; x: number; y: number; ask: number }
  | { type: 'where'; id: number; ask: number };

export type FromWorker =
  | { type: 'picked'; set: SetName; id: number | null; ask: number }
  | { type: 'at'; lon: number; lat: number; ask: number }
  | { type: 'failed' };
