// Draws the entities: one WebGL2 point each, between the last position and the newest, off the page's thread. A point per
// entity costs one vertex; anything heavier (a quad with its own shader work) freezes walls without a graphics card.
import { mercatorX, mercatorY, worldSize, type Camera } from '../pure/project';
import type { FromWorker, KindLook, ToWorker } from './entity-messages';
import { FRAGMENT, MOST_KINDS, VERTEX } from './entity-shaders';

const GLIDE_MS = 1_000;
/** An entity that jumps farther than this (in worlds; about 4 km) is put there at once. */
const JUMP = 1e-4;
const PICK_PX = 11;

const tell = (message: FromWorker): void => {
  (self as unknown as { postMessage(message: FromWorker): void }).postMessage(message);
};

let gl: WebGL2RenderingContext | null = null;
let program: WebGLProgram | null = null;
let buffers: { from: WebGLBuffer; to: WebGLBuffer; kind: WebGLBuffer } | null = null;
const places = new Map<string, WebGLUniformLocation | null>();

let count = 0;
let origin: [number, number] | null = null;
let from = new Float32Array(0);
let to = new Float32Array(0);
let kinds = new Uint8Array(0);
let ids = new Uint32Array(0);
const slot = new Map<number, number>();
let glideFrom = 0;
let uploaded = false;
let camera: Camera | null = null;
let looks: KindLook[] = [];
let rim: [number, number, number] = [0, 0, 0];
let selected: number | null = null;
let drawing = false;

function shader(context: WebGL2RenderingContext, type: number, text: string): WebGLShader | null {
  const made = context.createShader(type);
  if (made === null) return null;
  context.shaderSource(made, text);
  context.compileShader(made);
  return made;
}

function start(canvas: OffscreenCanvas): void {
  gl = canvas.getContext('webgl2', { alpha: true, premultipliedAlpha: true, antialias: false });
  program = gl?.createProgram() ?? null;
  if (gl === null || program === null) {
    tell({ type: 'failed' });
    return;
  }
  const vertex = shader(gl, gl.VERTEX_SHADER, VERTEX);
  const fragment = shader(gl, gl.FRAGMENT_SHADER, FRAGMENT);
  if (vertex === null || fragment === null) {
    tell({ type: 'failed' });
    return;
  }
  gl.attachShader(program, vertex);
  gl.attachShader(program, fragment);
  ['a_from', 'a_to', 'a_kind'].forEach((name, i) => gl?.bindAttribLocation(program as WebGLProgram, i, name));
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) {
    tell({ type: 'failed' });
    return;
  }
  for (const name of ['u_t', 'u_centre', 'u_scale', 'u_size', 'u_colour', 'u_square', 'u_rim', 'u_chosen']) {
    places.set(name, gl.getUniformLocation(program, name));
  }
  buffers = { from: gl.createBuffer(), to: gl.createBuffer(), kind: gl.createBuffer() };
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  wake();
}

function room(needed: number): void {
  if (needed <= ids.length) return;
  const size = Math.max(needed, ids.length * 2, 1024);
  const grow = <T extends Float32Array | Uint8Array | Uint32Array>(old: T, made: T): T => {
    made.set(old);
    return made;
  };
  from = grow(from, new Float32Array(size * 2));
  to = grow(to, new Float32Array(size * 2));
  kinds = grow(kinds, new Uint8Array(size));
  ids = grow(ids, new Uint32Array(size));
}

function progress(): number {
  return Math.min(1, (performance.now() - glideFrom) / GLIDE_MS);
}

/** What is drawn now becomes where the next glide begins. */
function settle(): void {
  const t = progress();
  for (let i = 0; i < count * 2; i += 1) {
    const a = from[i] ?? 0;
    from[i] = a + ((to[i] ?? a) - a) * t;
  }
  glideFrom = performance.now();
}

function place(id: number, lon: number, lat: number, kind: number): void {
  const x = mercatorX(lon);
  const y = mercatorY(lat);
  origin ??= [x, y];
  const dx = x - origin[0];
  const dy = y - origin[1];
  let at = slot.get(id);
  const isNew = at === undefined;
  if (at === undefined) {
    at = count;
    count += 1;
    room(count);
    slot.set(id, at);
    ids[at] = id;
  }
  kinds[at] = kind;
  const jumps = isNew || Math.hypot(dx - (from[at * 2] ?? 0), dy - (from[at * 2 + 1] ?? 0)) > JUMP;
  if (jumps) {
    from[at * 2] = dx;
    from[at * 2 + 1] = dy;
  }
  to[at * 2] = dx;
  to[at * 2 + 1] = dy;
}

function take(data: { ids: Uint32Array; lon: Float64Array; lat: Float64Array; kind: Uint8Array }): void {
  data.ids.forEach((id, i) => {
    const lon = data.lon[i];
    const lat = data.lat[i];
    if (lon !== undefined && lat !== undefined && Number.isFinite(lon)) place(id, lon, lat, data.kind[i] ?? 0);
  });
  uploaded = false;
  wake();
}

function upload(context: WebGL2RenderingContext): void {
  if (buffers === null || uploaded) return;
  const fill = (buffer: WebGLBuffer, data: Float32Array | Uint8Array, at: number, size: number): void => {
    context.bindBuffer(context.ARRAY_BUFFER, buffer);
    context.bufferData(context.ARRAY_BUFFER, data, context.DYNAMIC_DRAW);
    context.enableVertexAttribArray(at);
    const type = data instanceof Uint8Array ? context.UNSIGNED_BYTE : context.FLOAT;
    context.vertexAttribPointer(at, size, type, false, 0, 0);
  };
  fill(buffers.from, from.subarray(0, count * 2), 0, 2);
  fill(buffers.to, to.subarray(0, count * 2), 1, 2);
  fill(buffers.kind, kinds.subarray(0, count), 2, 1);
  uploaded = true;
}

function pointSize(zoom: number): number {
  return Math.max(3.5, Math.min(14, 3.5 + (zoom - 10.5) * 1.7));
}

function draw(): void {
  drawing = false;
  if (gl === null || program === null || camera === null) return;
  const { width, height, ratio, zoom } = camera;
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (gl.canvas.width !== wide || gl.canvas.height !== high) {
    gl.canvas.width = wide;
    gl.canvas.height = high;
  }
  gl.viewport(0, 0, wide, high);
  gl.clearColor(0, 0, 0, 0);
  gl.clear(gl.COLOR_BUFFER_BIT);
  if (count === 0 || origin === null) return;
  gl.useProgram(program);
  upload(gl);
  const at = (name: string): WebGLUniformLocation | null => places.get(name) ?? null;
  const size = worldSize(zoom);
  gl.uniform1f(at('u_t'), progress());
  gl.uniform2f(at('u_centre'), mercatorX(camera.lon) - origin[0], mercatorY(camera.lat) - origin[1]);
  gl.uniform2f(at('u_scale'), (2 * size) / width, (2 * size) / height);
  gl.uniform1f(at('u_size'), pointSize(zoom) * ratio);
  gl.uniform3f(at('u_rim'), ...rim);
  gl.uniform4fv(at('u_colour'), colours());
  gl.uniform1fv(at('u_square'), squares());
  const chosen = selected === null ? -1 : (slot.get(selected) ?? -1);
  gl.uniform1i(at('u_chosen'), -1);
  gl.drawArrays(gl.POINTS, 0, count);
  if (chosen >= 0) {
    gl.uniform1i(at('u_chosen'), 1);
    gl.drawArrays(gl.POINTS, chosen, 1);
  }
  if (progress() < 1) wake();
}

function colours(): Float32Array {
  const out = new Float32Array(MOST_KINDS * 4);
  looks.slice(0, MOST_KINDS).forEach((look, i) => out.set([...look.colour, look.visible ? 1 : 0], i * 4));
  return out;
}

function squares(): Float32Array {
  return Float32Array.from({ length: MOST_KINDS }, (_, i) => (looks[i]?.square === true ? 1 : 0));
}

function wake(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function pick(x: number, y: number): number | null {
  if (camera === null || origin === null) return null;
  const size = worldSize(camera.zoom);
  const left = mercatorX(camera.lon) - origin[0] + (x - camera.width / 2) / size;
  const top = mercatorY(camera.lat) - origin[1] + (y - camera.height / 2) / size;
  const t = progress();
  let best: number | null = null;
  let nearest = (PICK_PX / size) ** 2;
  for (let i = 0; i < count; i += 1) {
    if (looks[kinds[i] ?? 0]?.visible !== true) continue;
    const fx = from[i * 2] ?? 0;
    const fy = from[i * 2 + 1] ?? 0;
    const dx = fx + ((to[i * 2] ?? fx) - fx) * t - left;
    const dy = fy + ((to[i * 2 + 1] ?? fy) - fy) * t - top;
    const distance = dx * dx + dy * dy;
    if (distance < nearest) {
      nearest = distance;
      best = ids[i] ?? null;
    }
  }
  return best;
}

function where(id: number, ask: number): void {
  const at = slot.get(id);
  if (at === undefined || origin === null) return;
  const x = origin[0] + (to[at * 2] ?? 0);
  const y = origin[1] + (to[at * 2 + 1] ?? 0);
  const lat = (360 / Math.PI) * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - 90;
  tell({ type: 'at', lon: x * 360 - 180, lat, ask });
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.type) {
    case 'canvas': {
      start(message.canvas);
      return;
    }
    case 'snapshot':
      count = 0;
      slot.clear();
      {
        take(message);
        return;
      }
    case 'moves':
      settle();
      {
        take(message);
        return;
      }
    case 'camera':
      camera = message;
      break;
    case 'looks':
      looks = message.kinds;
      rim = message.rim;
      break;
    case 'select':
      selected = message.id;
      break;
    case 'pick': {
      tell({ type: 'picked', id: pick(message.x, message.y), ask: message.ask });
      return;
    }
    case 'where': {
      where(message.id, message.ask);
      return;
    }
  }
  wake();
};
