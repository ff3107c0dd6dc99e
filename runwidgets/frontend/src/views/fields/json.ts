import { inexactIn } from '../../model/json';
import { t } from '../../model/messages';
import type { JsonValue } from '../../model/types';
import { h } from '../dom';
import { type Control, NOTHING } from './control';

const TOKENS = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Return a number of a JSON text that parsing would change, null if there is none. */
export function lostNumber(text: string): string | null {
  for (const [token] of text.matchAll(TOKENS)) {
    if (token.startsWith('"')) continue;
    const value = Number(token);
    const isKept = Number.isFinite(value) && (!/^-?\d+$/.test(token) || BigInt(token) === BigInt(value));
    if (!isKept) return token;
  }
  return null;
}

/** The control of any value, as JSON. */
export function json(changed: () => void): Control {
  const input = h('textarea', { class: 'rw-input rw-mono', rows: 3, oninput: changed, spellcheck: 'false' });
  const parse = (): { value: JsonValue } | { problem: string } => {
    const lost = lostNumber(input.value);
    try {
      const value = JSON.parse(input.value) as JsonValue;
      return lost === null ? { value } : { problem: t('lostNumber', { number: lost }) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return { problem: t('noJson', { problem: error.message }) };
    }
  };
  let written = '';
  let inexact: string | null = null;
  const parsed = () => (input.value.trim() === '' ? null : parse());
  return {
    element: input,
    input,
    hint: t('asJson'),
    read: () => {
      const found = parsed();
      return found && 'value' in found ? { isGiven: true, value: found.value } : NOTHING;
    },
    problem: () => {
      if (inexact !== null && input.value === written) return t('inexactNumber', { number: inexact });
      const found = parsed();
      return found && 'problem' in found ? found.problem : null;
    },
    write: (value) => {
      input.value = JSON.stringify(value, null, 1);
      written = input.value;
      inexact = inexactIn(value);
    },
    clear: () => {
      input.value = '';
    },
  };
}
