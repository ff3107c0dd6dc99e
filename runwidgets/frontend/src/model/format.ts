/** Numbers, times and values as people read them. */

/** Return the first characters of an id, for people. */
export const shortId = (id: string): string => id.slice(0, 8);

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Return a number of bytes as people read it. */
export function bytes(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Return the time that something took: 0.4 s, 12 s, 3:07. */
export function took(seconds: number): string {
  return seconds < 10 ? `${Math.max(0, seconds).toFixed(1)} s` : clock(seconds);
}

/** Return seconds as a clock: 7 s, 3:07, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return a metric as people read it: at most six significant digits, text as it is. */
export function value(given: unknown): string {
  if (typeof given === 'number') {
    return Number.isInteger(given) ? given.toLocaleString('en') : String(Number(given.toPrecision(6)));
  }
  return typeof given === 'string' ? given : JSON.stringify(given);
}
