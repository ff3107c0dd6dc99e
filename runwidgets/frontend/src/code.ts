/** A form's content as a call in Python. */

import type { Json, Parameter } from './types';

/** Names that `rw.run` takes for itself; arguments of these names go into a mapping. */
const TAKEN = new Set(['api', 'group', 'config']);
const WIDTH = 88;
/** Line ends and signs that turn the direction of text: code must read as it runs. */
const UNSEEN = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const visible = (text: string): string =>
  text.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Return a text as a Python literal. */
export const literal = (text: string): string => visible(JSON.stringify(text));

/** Return the call that starts the same run from Python; secrets are named, and left out. */
export function asCode(
  source: string,
  values: [Parameter, Json][],
  options: { group?: string; fileName?: (id: string) => string | undefined } = {},
): string {
  const secrets = values.filter(([parameter]) => parameter.secret).map(([parameter]) => parameter.name);
  const shown = values.filter(([parameter]) => !parameter.secret);
  const isMapping = shown.some(([parameter]) => TAKEN.has(parameter.name));
  const given = shown.map(([parameter, value]) => ({
    code: isMapping ? `${literal(parameter.name)}: ${python(parameter, value)}` : `${parameter.name}=${python(parameter, value)}`,
    comment: parameter.dtype === 'file' ? options.fileName?.(fileOf(value)) : undefined,
  }));
  const comments = secrets.map((name) => `# ${name} is secret: give it here`);
  const group = options.group === undefined ? [] : [{ code: `group=${literal(options.group)}`, comment: undefined }];
  const isShort = comments.length === 0 && given.every(({ comment }) => comment === undefined);
  const pieces = given.map(({ code }) => code).join(', ');
  const head = literal(source);
  const inside = isMapping ? [`{${pieces}}`] : pieces ? [pieces] : [];
  const short = `rw.run(${[head, ...inside, ...group.map(({ code }) => code)].join(', ')})`;
  if (isShort && short.length <= WIDTH) return short;
  const line = (indent: string) => ({ code, comment }: { code: string; comment: string | undefined }): string =>
    `${indent}${code},${comment === undefined ? '' : `  # ${literal(comment).slice(1, -1)}`}`;
  const body = isMapping
    ? ['    {', ...given.map(line('        ')), ...comments.map((each) => `        ${each}`), '    },']
    : [...given.map(line('    ')), ...comments.map((each) => `    ${each}`)];
  return ['rw.run(', `    ${head},`, ...body, ...group.map(line('    ')), ')'].join('\n');
}

const fileOf = (value: Json): string => (value as { value?: { fileId?: string } } | null)?.value?.fileId ?? '';

/** Return a number as Python takes it, which allows no zeros before a whole one. */
const number = (text: string): string => text.trim().replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1');

function python(parameter: Parameter | undefined, value: Json): string {
  const dtype = parameter?.dtype;
  if ((dtype === 'int' || dtype === 'float') && typeof value === 'string') return number(value);
  if (dtype === 'bool' && typeof value === 'string') return value.trim().toLowerCase() === 'true' ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map((item) => python(parameter?.para, item)).join(', ')}]`;
  if (value === null) return 'None';
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(([name, each]) =>
      `${literal(name)}: ${python(parameter?.fields?.find((field) => field.name === name), each)}`);
    return `{${fields.join(', ')}}`;
  }
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'string' ? literal(value) : String(value);
}
