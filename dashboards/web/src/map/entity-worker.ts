// Draws entities and alerts: one WebGL2 point each, between the last position and the newest, off the page's thread. A point
// costs one vertex; anything heavier (a quad with its own shader work) freezes walls without a graphics card.
import { Points } from '../pure/points';
import { latitude, mercatorX, mercatorY, worldSize, type Camera } from '../pure/project';
import type { FromWorker, Places, PointLook, SetName, ToWorker } from './entity-messages';
import { FRAGMENT, MOST_KINDS, VERTEX } from './entity-shaders';

const GLIDE_MS = 1_000;
const PICK_PX = 11;

type Colour = [number, number, number];

interface Drawn {
  points: Points;
  looks: PointLook[];
  selected: number | null;
  /** the points changed since they were last sent to the card */
  stale: boolean;
  buffers: { from: WebGLBuffer; to: WebGLBuffer; kind: WebGLBuffer } | null;
}

const made = (): Drawn => ({ points: new Points(), looks: [], selected: null, stale: true, buffers: null });
/** In the order they are drawn. */
const sets: Record<SetName, Drawn> = { entities: made(), alerts: made() };
const ORDER: readonly SetName[] = ['entities', 'alerts'];
const UNIFORMS = 'u_t u_centre u_scale u_size u_colour u_shape u_rim u_ring u_chosen'.split(' ');

let gl: WebGL2RenderingContext | null = null;
let program: WebGLProgram | null = null;
const uniforms = new Map<string, WebGLUniformLocation | null>();
/** Places are offsets from the first one, so that 32 bits are enough. */
let origin: [number, number] | null = null;
let glideFrom = 0;
let camera: Camera | null = null;
let rim: Colour = [0, 0, 0];
let drawing = false;
/** How much smaller points are drawn where many are in view: they must not hide what lies under them. */
let crowded = 1;
/** Points, looks or view changed since that was found out. */
let moved = true;
/** So many points in view have room at full size. */
const ROOMY = 500;
const MOST_COUNTED = 4 * ROOMY;

function tell(message: FromWorker): void {
  (self as unknown as { postMessage(message: FromWorker): void }).postMessage(message);
}

function link(context: WebGL2RenderingContext): WebGLProgram | null {
  const whole = context.createProgram();
  const parts: [number, string][] = [
    [context.VERTEX_SHADER, VERTEX],
    [context.FRAGMENT_SHADER, FRAGMENT],
  ];
  for (const [type, text] of parts) {
    const shader = context.createShader(type);
    if (shader === null) return null;
    context.shaderSource(shader, text);
    context.compileShader(shader);
    context.attachShader(whole, shader);
  }
  ['a_from', 'a_to', 'a_kind'].forEach((name, i) => context.bindAttribLocation(whole, i, name));
  context.linkProgram(whole);
  return context.getProgramParameter(whole, context.LINK_STATUS) === true ? whole : null;
}

function start(canvas: OffscreenCanvas): void {
  gl = canvas.getContext('webgl2', { alpha: true, premultipliedAlpha: true, antialias: false });
  program = gl === null ? null : link(gl);
  if (gl === null || program === null) {
    tell({ type: 'failed' });
    return;
  }
  for (const name of UNIFORMS) uniforms.set(name, gl.getUniformLocation(program, name));
  for (const name of ORDER) {
    sets[name].buffers = { from: gl.createBuffer(), to: gl.createBuffer(), kind: gl.createBuffer() };
  }
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  wake();
}

function progress(): number {
  return Math.min(1, (performance.now() - glideFrom) / GLIDE_MS);
}

function put(set: SetName, { ids, lon, lat, kind }: Places): void {
  ids.forEach((id, i) => {
    const x = mercatorX(lon[i] ?? NaN);
    const y = mercatorY(lat[i] ?? NaN);
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    origin ??= [x, y];
    sets[set].points.put(id, x - origin[0], y - origin[1], kind[i] ?? 0);
  });
  sets[set].stale = true;
}

function send(context: WebGL2RenderingContext, { points, buffers, stale }: Drawn): void {
  if (buffers === null) return;
  const fill = (buffer: WebGLBuffer, data: Float32Array | Uint8Array, at: number, size: number): void => {
    context.bindBuffer(context.ARRAY_BUFFER, buffer);
    if (stale) context.bufferData(context.ARRAY_BUFFER, data, context.DYNAMIC_DRAW);
    context.enableVertexAttribArray(at);
    const type = data instanceof Uint8Array ? context.UNSIGNED_BYTE : context.FLOAT;
    context.vertexAttribPointer(at, size, type, false, 0, 0);
  };
  fill(buffers.from, points.from.subarray(0, points.count * 2), 0, 2);
  fill(buffers.to, points.to.subarray(0, points.count * 2), 1, 2);
  fill(buffers.kind, points.kinds.subarray(0, points.count), 2, 1);
}

function sizeOf(set: SetName, zoom: number): number {
  return set === 'alerts'
    ? Math.max(13, Math.min(20, 13 + (zoom - 12) * 1.4))
    : Math.max(5, Math.min(17, 5 + (zoom - 10.5) * 1.7));
}

/** From 1 down to a half. */
function crowding(view: Camera, from: [number, number]): number {
  const { points, looks } = sets.entities;
  const [x, y, size] = [mercatorX(view.lon) - from[0], mercatorY(view.lat) - from[1], worldSize(view.zoom)];
  const [wide, high] = [view.width / 2 / size, view.height / 2 / size];
  const shown = (kind: number): boolean => looks[kind]?.visible === true;
  const inView = points.within([x - wide, y - high, x + wide, y + high], shown, MOST_COUNTED);
  return Math.sqrt(ROOMY / Math.max(ROOMY, inView));
}

function draw(): void {
  drawing = false;
  if (gl === null || program === null || camera === null) return;
  const { width, height, ratio } = camera;
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (gl.canvas.width !== wide || gl.canvas.height !== high) {
    gl.canvas.width = wide;
    gl.canvas.height = high;
  }
  gl.viewport(0, 0, wide, high);
  gl.clearColor(0, 0, 0, 0);
  gl.clear(gl.COLOR_BUFFER_BIT);
  if (origin === null) return;
  gl.useProgram(program);
  if (moved) crowded = crowding(camera, origin);
  moved = false;
  for (const name of ORDER) drawSet(gl, name, camera, origin);
  if (progress() < 1) wake();
}

function drawSet(context: WebGL2RenderingContext, name: SetName, view: Camera, from: [number, number]): void {
  const set = sets[name];
  const { points, looks, selected } = set;
  if (points.count === 0) return;
  const at = (uniform: string): WebGLUniformLocation | null => uniforms.get(uniform) ?? null;
  const size = worldSize(view.zoom);
  send(context, set);
  set.stale = false;
  context.uniform1f(at('u_t'), progress());
  context.uniform2f(at('u_centre'), mercatorX(view.lon) - from[0], mercatorY(view.lat) - from[1]);
  context.uniform2f(at('u_scale'), (2 * size) / view.width, (2 * size) / view.height);
  const crowd = name === 'entities' ? crowded : 1;
  context.uniform1f(at('u_size'), sizeOf(name, view.zoom) * view.ratio * view.grown * crowd);
  context.uniform3f(at('u_rim'), ...rim);
  context.uniform3f(at('u_ring'), 1 - rim[0], 1 - rim[1], 1 - rim[2]);
  context.uniform4fv(at('u_colour'), colours(looks));
  context.uniform1fv(at('u_shape'), shapes(looks));
  context.uniform1i(at('u_chosen'), 0);
  context.drawArrays(context.POINTS, 0, points.count);
  const slot = selected === null ? undefined : points.slotOf(selected);
  if (slot === undefined) return;
  // Once as itself, also when its kind is switched off, and once as a ring around it.
  for (const pass of [2, 1]) {
    context.uniform1i(at('u_chosen'), pass);
    context.drawArrays(context.POINTS, slot, 1);
  }
}

function colours(looks: PointLook[]): Float32Array {
  const out = new Float32Array(MOST_KINDS * 4);
  looks.slice(0, MOST_KINDS).forEach((look, i) => out.set([...look.colour, look.visible ? 1 : 0], i * 4));
  return out;
}

function shapes(looks: PointLook[]): Float32Array {
  return Float32Array.from({ length: MOST_KINDS }, (_, i) => looks[i]?.shape ?? 0);
}

function wake(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function pick(x: number, y: number, ask: number): void {
  let found: { set: SetName; id: number | null } = { set: 'entities', id: null };
  if (camera !== null && origin !== null) {
    const size = worldSize(camera.zoom);
    const left = mercatorX(camera.lon) - origin[0] + (x - camera.width / 2) / size;
    const top = mercatorY(camera.lat) - origin[1] + (y - camera.height / 2) / size;
    // What lies on top is met first.
    for (const set of [...ORDER].reverse()) {
      const { points, looks } = sets[set];
      const id = points.nearest(
        left,
        top,
        (PICK_PX * camera.grown) / size,
        progress(),
        (kind) => looks[kind]?.visible === true,
      );
      if (id !== null) {
        found = { set, id };
        break;
      }
    }
  }
  tell({ type: 'picked', ...found, ask });
}

function where(id: number, ask: number): void {
  const place = sets.entities.points.target(id);
  if (place === undefined || origin === null) return;
  tell({ type: 'at', lon: (origin[0] + place[0]) * 360 - 180, lat: latitude(origin[1] + place[1]), ask });
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.type) {
    case 'canvas':
      start(message.canvas);
      break;
    case 'all':
      sets[message.set].points.clear();
      put(message.set, message);
      break;
    case 'moves':
      sets.entities.points.settle(progress());
      glideFrom = performance.now();
      put('entities', message);
      break;
    case 'camera':
      camera = message;
      break;
    case 'looks':
      sets[message.set].looks = message.looks;
      rim = message.rim;
      break;
    case 'select':
      sets[message.set].selected = message.id;
      break;
    case 'pick':
      pick(message.x, message.y, message.ask);
      return;
    case 'where':
      where(message.id, message.ask);
      return;
  }
  moved = true;
  wake();
};
