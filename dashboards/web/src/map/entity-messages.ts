// What page and drawing worker say to each other.

export interface KindLook {
  visible: boolean;
  /** red, green, blue; 0..1 */
  colour: [number, number, number];
  /** moving kinds are discs, fixed ones squares */
  square: boolean;
}

export type ToWorker =
  | { type: 'canvas'; canvas: OffscreenCanvas }
  | { type: 'snapshot'; ids: Uint32Array; lon: Float64Array; lat: Float64Array; kind: Uint8Array }
  | { type: 'moves'; ids: Uint32Array; lon: Float64Array; lat: Float64Array; kind: Uint8Array }
  | { type: 'camera'; lon: number; lat: number; zoom: number; width: number; height: number; ratio: number }
  | { type: 'looks'; kinds: KindLook[]; rim: [number, number, number]; light: boolean }
  | { type: 'select'; id: number | null }
  | { type: 'pick'; x: number; y: number; ask: number }
  | { type: 'where'; id: number; ask: number };

export type FromWorker =
  | { type: 'picked'; id: number | null; ask: number }
  | { type: 'at'; lon: number; lat: number; ask: number }
  | { type: 'failed' };
