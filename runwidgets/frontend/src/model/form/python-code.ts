/** The content of a form as a call in Python. */

import type { JsonValue, ParameterHandle, RunConfig } from '../types';
import { nameOf } from './argument-validation';
import { specialOf } from './constraints';
import type { Swept } from './parameter-space';

/** Names of options of `rw.run` and `rw.sweep`; arguments with these names are passed in a mapping. */
const TAKEN = { run: new Set(['api', 'group', 'config']), sweep: new Set(['api', 'group', 'config', 'name']) };
/** Words that name parameters in other languages, and cannot be keywords of a call in Python. */
const KEYWORDS = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from ' +
    'global if import in is lambda nonlocal not or pass raise return try while with yield'
  ).split(' '),
);
const WIDTH = 88;
/** Line ends and characters that change the direction of text: code must not look different from what it does. */
const UNSEEN = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const visible = (text: string): string =>
  text.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Return a text as a Python literal. */
export const literal = (text: string): string => visible(JSON.stringify(text));

/** Return the call that starts the same run or sweep from Python; secrets are named and omitted. */
export function asCode(
  source: string,
  values: [ParameterHandle, JsonValue][],
  options: { group?: string; config?: RunConfig; fileName?: (id: string) => string | undefined; several?: Swept } = {},
): string {
  const several = options.several ?? [];
  const call = several.length ? 'sweep' : 'run';
  const secrets = values.filter(([parameter]) => parameter.secret).map(([parameter]) => parameter.name);
  const shown = values.filter(([parameter]) => !parameter.secret);
  const isMapping = [...shown, ...several].some(
    ([{ name }]) => TAKEN[call].has(name) || KEYWORDS.has(name) || name.includes('.'),
  );
  const named = (name: string, code: string): string => (isMapping ? `${literal(name)}: ${code}` : `${name}=${code}`);
  const given = [
    ...shown.map(([parameter, value]) => {
      const code = python(parameter, value);
      return {
        code: named(parameter.name, call === 'sweep' && Array.isArray(value) ? `[${code}]` : code),
        comment: parameter.dtype === 'file' ? options.fileName?.(fileOf(value)) : undefined,
      };
    }),
    ...several.map(([parameter, each]) => ({
      code: named(parameter.name, severalOf(parameter, each)),
      comment: undefined,
    })),
  ];
  const comments = secrets.map((name) => `# ${name} is secret: give it here`);
  const config = (options.config ?? {}) as { [name: string]: JsonValue };
  const last = [
    ...(options.group === undefined ? [] : [`group=${literal(options.group)}`]),
    ...(Object.keys(config).length ? [`config=${python(undefined, config)}`] : []),
  ].map((code) => ({ code, comment: undefined }));
  const isShort = comments.length === 0 && given.every(({ comment }) => comment === undefined);
  const pieces = given.map(({ code }) => code).join(', ');
  const head = literal(source);
  const inside = isMapping ? [`{${pieces}}`] : pieces ? [pieces] : [];
  const short = `rw.${call}(${[head, ...inside, ...last.map(({ code }) => code)].join(', ')})`;
  if (isShort && short.length <= WIDTH) return short;
  const line =
    (indent: string) =>
    ({ code, comment }: { code: string; comment: string | undefined }): string =>
      `${indent}${code},${comment === undefined ? '' : `  # ${literal(comment).slice(1, -1)}`}`;
  const body = isMapping
    ? ['    {', ...given.map(line('        ')), ...comments.map((each) => `        ${each}`), '    },']
    : [...given.map(line('    ')), ...comments.map((each) => `    ${each}`)];
  return [`rw.${call}(`, `    ${head},`, ...body, ...last.map(line('    ')), ')'].join('\n');
}

const fileOf = (value: JsonValue): string => (value as { value?: { fileId?: string } } | null)?.value?.fileId ?? '';

/** Return a number as Python accepts it, without leading zeros in a whole number. */
const number = (text: string): string =>
  text
    .trim()
    .replace(/^\+/, '')
    .replace(/^(-?)0+(?=\d)/, '$1');

/** Return the values of a sweep: whole numbers a step apart as a range. */
function severalOf(parameter: ParameterHandle, values: JsonValue[]): string {
  const list = `[${values.map((each) => python(parameter, each)).join(', ')}]`;
  const numbers = values.map(Number);
  const [first = 0, second = 0, last = 0] = [numbers[0], numbers[1], numbers.at(-1)];
  const step = second - first;
  const isRange =
    parameter.dtype === 'int' &&
    values.length > 3 &&
    step > 0 &&
    numbers.every((each, at) => Number.isSafeInteger(each) && each === first + at * step);
  return isRange ? `range(${first}, ${last + 1}${step === 1 ? '' : `, ${step}`})` : list;
}

function python(parameter: ParameterHandle | undefined, value: JsonValue): string {
  const dtype = parameter?.dtype;
  const special = typeof value === 'string' && dtype === 'float' ? value.trim() : nameOf(value);
  if (special !== null && specialOf(special) !== null) return `float("${special.replace('Infinity', 'inf')}")`;
  if ((dtype === 'int' || dtype === 'float') && typeof value === 'string') return number(value);
  if (dtype === 'bool' && typeof value === 'string') return value.trim().toLowerCase() === 'true' ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map((item) => python(parameter?.para, item)).join(', ')}]`;
  if (value === null) return 'None';
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(
      ([name, each]) =>
        `${literal(name)}: ${python(
          parameter?.fields?.find((field) => field.name === name),
          each,
        )}`,
    );
    return `{${fields.join(', ')}}`;
  }
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'string' ? literal(value) : String(value);
}
