import { t } from '../../model/messages';
import type { ParameterHandle } from '../../model/types';
import { h } from '../dom';
import { type Control, NOTHING, presetOf, textOf } from './control';

const TYPES: { [dtype: string]: string } = { date: 'date', datetime: 'datetime-local' };

/** The control of a line of text, which is kept and validated as it is typed. */
export function line(parameter: ParameterHandle, changed: () => void): Control {
  const isNumber = parameter.dtype === 'int' || parameter.dtype === 'float';
  const preset = presetOf(parameter);
  const isLong = typeof preset === 'string' && preset.includes('\n');
  const picker = TYPES[parameter.dtype];
  const input =
    isLong && !parameter.secret
      ? h('textarea', { class: 'rw-input', rows: 4, oninput: changed })
      : h('input', {
          class: 'rw-input',
          type: parameter.secret ? 'password' : (picker ?? 'text'),
          oninput: changed,
          spellcheck: 'false',
          autocomplete: parameter.secret ? 'new-password' : 'off',
          inputmode: isNumber ? (parameter.dtype === 'int' ? 'numeric' : 'decimal') : null,
          step: parameter.dtype === 'datetime' ? 1 : null,
          onblur: changed,
        });
  /** The text that was written, and what the element shows of it: one line has no line ends. */
  let written = { text: '', shown: '' };
  const textNow = (): string => (input.value === written.shown ? written.text : input.value);
  const isHalf = (): boolean => input instanceof HTMLInputElement && input.validity.badInput;
  return {
    element: input,
    input,
    // An emptied field with a default is reported as empty: using the default would be silent.
    read: () =>
      textNow() === '' && (preset === null || preset === '') ? NOTHING : { isGiven: true, value: textNow() },
    problem: () => (isHalf() ? t('halfDate') : null),
    write: (value) => {
      const text = textOf(value);
      if (input instanceof HTMLInputElement && picker) input.type = picker;
      input.value = text;
      if (input instanceof HTMLInputElement && picker && text !== '' && input.value === '') {
        input.type = 'text'; // a date picker would drop what it cannot show, such as a time zone
        input.value = text;
      }
      written = { text, shown: input.value };
    },
    clear: () => {
      written = { text: '', shown: '' };
      if (input instanceof HTMLInputElement && picker) input.type = picker;
      input.value = '';
    },
  };
}
