// Numbers, ages and times as people read them. Pure: the clock is an argument.
import type { Text } from '../api/types';

export type Lang = 'en' | 'zh';

export const LOCALES: Record<Lang, string> = { en: 'en-GB', zh: 'zh-CN' };

/** The text in the asked language, else in the other, else the fallback. */
export function say(text: Text | null | undefined, lang: Lang, fallback = ''): string {
  const other = lang === 'en' ? 'zh' : 'en';
  const own = text?.[lang];
  if (own !== undefined && own !== '') return own;
  const second = text?.[other];
  return second !== undefined && second !== '' ? second : fallback;
}

/** What the simulator puts behind every name it makes up. */
export const MADE_UP: readonly string[] = [' (simulated)', '（模拟）'];

/** A made-up name without its mark, for a page that says "simulated" once and for good. */
export function unmarked(name: string): string {
  const mark = MADE_UP.find((one) => name.endsWith(one) && name.length > one.length);
  return mark === undefined ? name : name.slice(0, -mark.length);
}

/** A measured number: three significant places, never an exponent. */
export function number(value: number | null | undefined, lang: Lang): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const places = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4;
  return new Intl.NumberFormat(LOCALES[lang], { maximumFractionDigits: places }).format(value);
}

/** Numbers that stand under each other: all with the places the longest of them needs. */
export function column(values: readonly number[], lang: Lang): string[] {
  const places = Math.max(0, ...values.map(placesOf));
  const form = new Intl.NumberFormat(LOCALES[lang], { minimumFractionDigits: places, maximumFractionDigits: places });
  return values.map((value) => form.format(value));
}

function placesOf(value: number): number {
  const text = String(Number(value.toPrecision(6)));
  const dot = text.indexOf('.');
  return dot < 0 || text.includes('e') ? 0 : Math.min(4, text.length - dot - 1);
}

/** A count that must fit a tile: full up to 999,999, then with a unit (万, m). */
export function count(value: number, lang: Lang): string {
  const options: Intl.NumberFormatOptions =
    Math.abs(value) < 1_000_000 ? { maximumFractionDigits: 0 } : { notation: 'compact', maximumFractionDigits: 1 };
  // Versions of the language data differ in the unit's case.
  return new Intl.NumberFormat(LOCALES[lang], options).format(value).toLowerCase();
}

const AGE_UNITS: readonly [number, keyof typeof UNIT_NAMES][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

const UNIT_NAMES = {
  d: { en: 'd', zh: '天' },
  h: { en: 'h', zh: '小时' },
  min: { en: 'min', zh: '分钟' },
  s: { en: 's', zh: '秒' },
} as const;

/** How old something is, in the largest fitting unit. */
export function age(ms: number, lang: Lang): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  for (const [size, unit] of AGE_UNITS) {
    if (seconds >= size || unit === 's') return `${Math.floor(seconds / size)} ${UNIT_NAMES[unit][lang]}`;
  }
  return '';
}

/** Length of a span of time: 60 → "1 min". */
export function span(seconds: number, lang: Lang): string {
  return age(seconds * 1000, lang);
}

/** Clock time in the city's zone; with the date when it is not today's. */
export function clock(ms: number, now: number, zone: string, lang: Lang, seconds = true): string {
  const day = (at: number) => new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(at);
  const time: Intl.DateTimeFormatOptions = { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  if (seconds) time.second = '2-digit';
  const text = new Intl.DateTimeFormat(LOCALES[lang], time).format(ms);
  return day(ms) === day(now) ? text : `${day(ms)} ${text}`;
}

/** Today's date in the city's zone: "Tue 24 Nov", "11月24日周二". */
export function date(now: number, zone: string, lang: Lang): string {
  const parts: Intl.DateTimeFormatOptions = { timeZone: zone, weekday: 'short', day: 'numeric', month: 'short' };
  return new Intl.DateTimeFormat(LOCALES[lang], parts).format(now).replace(',', '');
}
