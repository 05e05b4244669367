// The two shaders of the points. A point costs one vertex; its shape is cut out of its square.

/** Kinds told apart; later ones share the last. */
export const MOST_KINDS = 16;

export const VERTEX = `#version 300 es
precision highp float;
in vec2 a_from;
in vec2 a_to;
in float a_kind;
uniform float u_t;
uniform vec2 u_centre;
uniform vec2 u_scale;
uniform float u_size;
uniform vec4 u_colour[${MOST_KINDS}];
uniform float u_shape[${MOST_KINDS}];
uniform int u_chosen;
out vec3 v_colour;
out float v_shape;
out float v_size;
void main() {
  int kind = min(int(a_kind + 0.5), ${MOST_KINDS - 1});
  vec4 colour = u_colour[kind];
  vec2 place = (mix(a_from, a_to, u_t) - u_centre) * u_scale;
  bool hidden = colour.a < 0.5 && u_chosen == 0;
  gl_Position = hidden ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(place.x, -place.y, 0.0, 1.0);
  float size = u_size * (u_shape[kind] == 1.0 ? 0.8 : 1.0);
  gl_PointSize = u_chosen == 1 ? max(size * 2.2, size + 14.0) : (u_chosen == 2 ? size * 1.25 : size);
  v_colour = colour.rgb;
  v_shape = u_shape[kind];
  v_size = gl_PointSize;
}`;

export const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 v_colour;
in float v_shape;
in float v_size;
uniform vec3 u_rim;
uniform vec3 u_ring;
// As precise as in the vertex shader, or the two do not link.
uniform highp int u_chosen;
out vec4 colour;

float reach(vec2 place) {
  if (v_shape > 2.5) return max((abs(place.x) - (place.y - 0.2) / 1.8) * 1.5, (place.y - 0.2) / 0.6);
  if (v_shape > 1.5) return abs(place.x) + abs(place.y);
  if (v_shape > 0.5) return max(abs(place.x), abs(place.y));
  return length(place);
}

void main() {
  vec2 place = gl_PointCoord * 2.0 - 1.0;
  // One pixel, with the shape's reach as 1.
  float pixel = 2.0 / v_size;
  if (u_chosen == 1) {
    float distance = length(place);
    float ring = smoothstep(1.0, 1.0 - pixel, distance) * smoothstep(1.0 - 3.5 * pixel, 1.0 - 2.5 * pixel, distance);
    colour = vec4(u_ring, 1.0) * ring;
    return;
  }
  float distance = reach(place);
  float inside = smoothstep(1.0, 1.0 - pixel, distance);
  // Small points keep their colour: their rim is thin.
  float width = clamp(v_size / 7.0, 0.4, 1.6) * pixel;
  float rim = smoothstep(1.0 - width - pixel, 1.0 - width, distance);
  colour = vec4(mix(v_colour, u_rim, rim), 1.0) * inside;
}`;
