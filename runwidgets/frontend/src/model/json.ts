/** JSON whose whole numbers keep all their digits, and its comparison. */

import type { JsonValue } from './types';

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parse JSON; a whole number that a double cannot hold exactly becomes the text of its digits. */
export function parseJson<Value>(text: string): Value {
  return JSON.parse(/\d{16}/.test(text) ? text.replace(TOKEN, quoteInexact) : text) as Value;
}

/** Return the first text in a value that may be a whole number which `parseJson` could not hold; null if none is. */
export function inexactIn(value: JsonValue): string | null {
  if (typeof value === 'string') return value !== '' && quoteInexact(value) !== value ? value : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const each of Array.isArray(value) ? value : Object.values(value)) {
    const found = inexactIn(each);
    if (found !== null) return found;
  }
  return null;
}

/** Say whether two values are the same JSON, with their keys in the same order. */
export const isEqual = (one: JsonValue, other: JsonValue): boolean => JSON.stringify(one) === JSON.stringify(other);

function quoteInexact(token: string): string {
  return /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token;
}
