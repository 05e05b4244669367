// The two shaders of the entity points.

/** Kinds told apart by colour; later ones share the last. */
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
uniform float u_square[${MOST_KINDS}];
uniform int u_chosen;
out vec3 v_colour;
out float v_square;
out float v_chosen;
void main() {
  int kind = min(int(a_kind + 0.5), ${MOST_KINDS - 1});
  vec4 colour = u_colour[kind];
  vec2 place = (mix(a_from, a_to, u_t) - u_centre) * u_scale;
  gl_Position = colour.a < 0.5 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(place.x, -place.y, 0.0, 1.0);
  float grown = u_chosen > 0 ? 2.4 : 1.0;
  gl_PointSize = u_size * (u_square[kind] > 0.5 ? 0.72 : 1.0) * grown;
  v_colour = colour.rgb;
  v_square = u_square[kind];
  v_chosen = u_chosen > 0 ? 1.0 : 0.0;
}`;

export const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 v_colour;
in float v_square;
in float v_chosen;
uniform vec3 u_rim;
out vec4 colour;
void main() {
  vec2 place = gl_PointCoord * 2.0 - 1.0;
  float distance = v_square > 0.5 ? max(abs(place.x), abs(place.y)) : length(place);
  if (distance > 1.0) discard;
  if (v_chosen > 0.5) {
    float ring = distance > 0.72 ? 1.0 : (distance > 0.46 ? 0.0 : 1.0);
    if (ring < 0.5) discard;
    colour = vec4(distance > 0.72 ? u_rim : v_colour, 1.0);
    return;
  }
  colour = vec4(distance > 0.68 ? u_rim : v_colour, 1.0) * (distance > 0.68 ? 0.85 : 1.0);
}`;
