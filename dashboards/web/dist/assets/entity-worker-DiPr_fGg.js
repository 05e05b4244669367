function e(e){return(e+180)/360}function t(e){let t=Math.sin(Math.max(-85.0511,Math.min(85.0511,e))*Math.PI/180);return .5-Math.log((1+t)/(1-t))/(4*Math.PI)}function n(e){return 512*2**e}const r=e=>{self.postMessage(e)};let i=null,a=null,o=null;const s=/* @__PURE__ */ new Map;let c=0,l=null,u=/* @__PURE__ */ new Float32Array,d=/* @__PURE__ */ new Float32Array,f=/* @__PURE__ */ new Uint8Array,p=/* @__PURE__ */ new Uint32Array;const m=/* @__PURE__ */ new Map;let h=0,g=!1,_=null,v=[],y=[0,0,0],b=null,x=!1;function S(e,t,n){let r=e.createShader(t);return r===null?null:(e.shaderSource(r,n),e.compileShader(r),r)}function C(e){if(i=e.getContext(`webgl2`,{alpha:!0,premultipliedAlpha:!0,antialias:!1}),a=i?.createProgram()??null,i===null||a===null)return r({type:`failed`});let t=S(i,i.VERTEX_SHADER,`#version 300 es
precision highp float;
in vec2 a_from;
in vec2 a_to;
in float a_kind;
uniform float u_t;
uniform vec2 u_centre;
uniform vec2 u_scale;
uniform float u_size;
uniform vec4 u_colour[16];
uniform float u_square[16];
uniform int u_chosen;
out vec3 v_colour;
out float v_square;
out float v_chosen;
void main() {
  int kind = min(int(a_kind + 0.5), 15);
  vec4 colour = u_colour[kind];
  vec2 place = (mix(a_from, a_to, u_t) - u_centre) * u_scale;
  gl_Position = colour.a < 0.5 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(place.x, -place.y, 0.0, 1.0);
  float grown = u_chosen > 0 ? 2.4 : 1.0;
  gl_PointSize = u_size * (u_square[kind] > 0.5 ? 0.72 : 1.0) * grown;
  v_colour = colour.rgb;
  v_square = u_square[kind];
  v_chosen = u_chosen > 0 ? 1.0 : 0.0;
}`),n=S(i,i.FRAGMENT_SHADER,`#version 300 es
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
}`);if(t===null||n===null||(i.attachShader(a,t),i.attachShader(a,n),[`a_from`,`a_to`,`a_kind`].forEach((e,t)=>i?.bindAttribLocation(a,t,e)),i.linkProgram(a),i.getProgramParameter(a,i.LINK_STATUS)!==!0))return r({type:`failed`});for(let e of[`u_t`,`u_centre`,`u_scale`,`u_size`,`u_colour`,`u_square`,`u_rim`,`u_chosen`])s.set(e,i.getUniformLocation(a,e));o={from:i.createBuffer(),to:i.createBuffer(),kind:i.createBuffer()},i.enable(i.BLEND),i.blendFunc(i.ONE,i.ONE_MINUS_SRC_ALPHA),P()}function w(e){if(e<=p.length)return;let t=Math.max(e,p.length*2,1024),n=(e,t)=>(t.set(e),t);u=n(u,new Float32Array(t*2)),d=n(d,new Float32Array(t*2)),f=n(f,new Uint8Array(t)),p=n(p,new Uint32Array(t))}function T(){return Math.min(1,(performance.now()-h)/1e3)}function E(){let e=T();for(let t=0;t<c*2;t+=1){let n=u[t]??0;u[t]=n+((d[t]??n)-n)*e}h=performance.now()}function D(n,r,i,a){let o=e(r),s=t(i);l??=[o,s];let h=o-l[0],g=s-l[1],_=m.get(n),v=_===void 0;_===void 0&&(_=c,c+=1,w(c),m.set(n,_),p[_]=n),f[_]=a,(v||Math.hypot(h-(u[_*2]??0),g-(u[_*2+1]??0))>1e-4)&&(u[_*2]=h,u[_*2+1]=g),d[_*2]=h,d[_*2+1]=g}function O(e){e.ids.forEach((t,n)=>{let r=e.lon[n],i=e.lat[n];r!==void 0&&i!==void 0&&Number.isFinite(r)&&D(t,r,i,e.kind[n]??0)}),g=!1,P()}function k(e){if(o===null||g)return;let t=(t,n,r,i)=>{e.bindBuffer(e.ARRAY_BUFFER,t),e.bufferData(e.ARRAY_BUFFER,n,e.DYNAMIC_DRAW),e.enableVertexAttribArray(r);let a=n instanceof Uint8Array?e.UNSIGNED_BYTE:e.FLOAT;e.vertexAttribPointer(r,i,a,!1,0,0)};t(o.from,u.subarray(0,c*2),0,2),t(o.to,d.subarray(0,c*2),1,2),t(o.kind,f.subarray(0,c),2,1),g=!0}function A(e){return Math.max(4,Math.min(13,4+(e-10)*1.5))}function j(){if(x=!1,i===null||a===null||_===null)return;let{width:r,height:o,ratio:u,zoom:d}=_,f=Math.round(r*u),p=Math.round(o*u);if((i.canvas.width!==f||i.canvas.height!==p)&&(i.canvas.width=f,i.canvas.height=p),i.viewport(0,0,f,p),i.clearColor(0,0,0,0),i.clear(i.COLOR_BUFFER_BIT),c===0||l===null)return;i.useProgram(a),k(i);let h=e=>s.get(e)??null,g=n(d);i.uniform1f(h(`u_t`),T()),i.uniform2f(h(`u_centre`),e(_.lon)-l[0],t(_.lat)-l[1]),i.uniform2f(h(`u_scale`),2*g/r,2*g/o),i.uniform1f(h(`u_size`),A(d)*u),i.uniform3f(h(`u_rim`),...y),i.uniform4fv(h(`u_colour`),M()),i.uniform1fv(h(`u_square`),N());let v=b===null?-1:m.get(b)??-1;i.uniform1i(h(`u_chosen`),-1),i.drawArrays(i.POINTS,0,c),v>=0&&(i.uniform1i(h(`u_chosen`),1),i.drawArrays(i.POINTS,v,1)),T()<1&&P()}function M(){let e=/* @__PURE__ */ new Float32Array(64);return v.slice(0,16).forEach((t,n)=>e.set([...t.colour,+!!t.visible],n*4)),e}function N(){return Float32Array.from({length:16},(e,t)=>+(v[t]?.square===!0))}function P(){x||(x=!0,requestAnimationFrame(j))}function F(r,i){if(_===null||l===null)return null;let a=n(_.zoom),o=e(_.lon)-l[0]+(r-_.width/2)/a,s=t(_.lat)-l[1]+(i-_.height/2)/a,m=T(),h=null,g=(11/a)**2;for(let e=0;e<c;e+=1){if(v[f[e]??0]?.visible!==!0)continue;let t=u[e*2]??0,n=u[e*2+1]??0,r=t+((d[e*2]??t)-t)*m-o,i=n+((d[e*2+1]??n)-n)*m-s,a=r*r+i*i;a<g&&(g=a,h=p[e]??null)}return h}function I(e,t){let n=m.get(e);if(n===void 0||l===null)return;let i=l[0]+(d[n*2]??0),a=l[1]+(d[n*2+1]??0),o=360/Math.PI*Math.atan(Math.exp((.5-a)*2*Math.PI))-90;r({type:`at`,lon:i*360-180,lat:o,ask:t})}self.onmessage=e=>{let t=e.data;switch(t.type){case`canvas`:return C(t.canvas);case`snapshot`:return c=0,m.clear(),O(t);case`moves`:return E(),O(t);case`camera`:_=t;break;case`looks`:v=t.kinds,y=t.rim;break;case`select`:b=t.id;break;case`pick`:return r({type:`picked`,id:F(t.x,t.y),ask:t.ask});case`where`:return I(t.id,t.ask)}P()};