// Colour classes for a map: where to cut the values, and which colour each class has.

export interface ColourScale {
  /** inner borders, ascending; classes = breaks + 1; class i holds values with breaks[i-1] <= value < breaks[i] */
  breaks: number[];
  colours: string[];
  low: number;
  high: number;
}

// Perceptual sequential ramps, safe for colour-blind readers: on light ground more is darker, on dark ground more is
// brighter, so that "more" always stands out of the ground.
export const RAMPS = {
  light: ['#dcebe6', '#b4d9d0', '#84c0bf', '#529fae', '#2f7a98', '#225780', '#1d3461'],
  dark: ['#17323f', '#1b4a59', '#1d6673', '#2a8585', '#51a68c', '#93c795', '#e3e8a8'],
} as const;

export type Ground = keyof typeof RAMPS;

const MOST_CLASSES = 7;

/** A step a person would write on a legend: a small number times a power of ten. */
export function niceStep(rough: number): number {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const ratio = rough / power;
  const nice = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8].find((one) => ratio <= one + 1e-9) ?? 10;
  return nice * power;
}

function clean(value: number): number {
  return Number(value.toPrecision(12));
}

/** Value below which the given share of sorted values lies. */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return NaN;
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}

/** Differences smaller than this share of the values are noise: they get no class of their own. */
const FINEST = 1 / 40;

/** How many classes values deserve: never more than there are different ones. */
function classesFor(sorted: readonly number[]): number {
  let different = 0;
  for (let i = 0; i < sorted.length && different < MOST_CLASSES; i += 1) {
    if (sorted[i] !== sorted[i - 1]) different += 1;
  }
  return different;
}

function evenBreaks(low: number, high: number, classes: number, whole: boolean): number[] {
  const finest = Math.max(Math.abs(low), Math.abs(high)) * FINEST;
  let step = niceStep(Math.max((high - low) / Math.max(1, classes - 1), finest));
  if (whole) step = Math.max(1, Math.ceil(step));
  const breaks: number[] = [];
  for (let at = (Math.floor(low / step) + 1) * step; at < high && breaks.length < classes - 1; at += step) {
    breaks.push(clean(at));
  }
  return breaks;
}

function skewedBreaks(sorted: readonly number[], classes: number, whole: boolean): number[] {
  const breaks: number[] = [];
  for (let i = 1; i < classes; i += 1) {
    const raw = quantile(sorted, i / classes);
    const fine = niceStep(Math.abs(raw) / 8);
    const grain = whole ? Math.max(1, Math.floor(fine)) : fine;
    const at = clean(Math.round(raw / grain) * grain);
    if (at > (breaks.at(-1) ?? sorted[0] ?? -Infinity)) breaks.push(at);
  }
  return breaks;
}

/**
 * Cuts values into at most seven classes. Even steps when the values are spread evenly enough; quantiles when a few
 * large ones would leave everything else in one colour.
 */
export function scaleOf(values: readonly number[], ground: Ground): ColourScale | null {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  const low = sorted[0];
  const high = sorted.at(-1);
  if (low === undefined || high === undefined) return null;
  const whole = sorted.every((value) => Number.isInteger(value));
  const classes = classesFor(sorted);
  const skewed =
    high - low > 4 * (quantile(sorted, 0.9) - quantile(sorted, 0.1)) || quantile(sorted, 0.5) - low < (high - low) / 12;
  let breaks = classes > 2 && skewed ? skewedBreaks(sorted, classes, whole) : [];
  if (breaks.length === 0) breaks = evenBreaks(low, high, classes, whole);
  return { breaks, colours: coloursFor(breaks.length + 1, ground), low, high };
}

/** Places on the ramp for few classes: two values that hardly differ must not look like day and night. */
const FEW: readonly (readonly number[])[] = [[], [3], [2, 4], [1, 3, 5], [0, 2, 4, 6]];

/** Colours for n classes. */
export function coloursFor(classes: number, ground: Ground): string[] {
  const ramp = RAMPS[ground];
  return Array.from({ length: classes }, (_, i) => {
    const place = FEW[classes]?.[i] ?? Math.round((i * (ramp.length - 1)) / (classes - 1));
    return ramp[place] ?? ramp[0];
  });
}

/** Class of a value. */
export function classOf(scale: ColourScale, value: number): number {
  let at = 0;
  while (at < scale.breaks.length && value >= (scale.breaks[at] ?? Infinity)) at += 1;
  return at;
}

/**
 * Whether the scale still suits the values. A scale that followed every tick would make the whole map flicker, so it is
 * kept until the values have clearly left it.
 */
export function stillFits(scale: ColourScale, values: readonly number[]): boolean {
  const fresh = scaleOf(values, 'light');
  if (fresh === null) return true;
  const width = Math.max(scale.high - scale.low, 1e-9);
  const freshWidth = Math.max(fresh.high - fresh.low, 1e-9);
  const moved = Math.max(Math.abs(fresh.high - scale.high), Math.abs(fresh.low - scale.low)) / width;
  const grown = fresh.breaks.length - scale.breaks.length;
  return moved < 0.35 && freshWidth / width > 0.5 && grown <= 2;
}
