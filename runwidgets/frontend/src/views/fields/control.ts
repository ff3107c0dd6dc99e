import type { Transport } from '../../model/transport';
import type { JsonValue, ParameterHandle } from '../../model/types';
import type { Uploads } from './uploads';

/** What a field holds: a value to send, or nothing because it was left as it is. */
export type Reading = { isGiven: true; value: JsonValue } | { isGiven: false };

export const NOTHING: Reading = { isGiven: false };

export interface Control {
  element: HTMLElement;
  /** The element that takes the focus and that the label names. */
  input: HTMLElement;
  /** Whether it is made of several controls, which a fieldset with a legend names. */
  isGroup?: boolean;
  /** What one should know of how to fill it. */
  hint?: string | undefined;
  read(): Reading;
  /** What is wrong beyond the rules, such as text that is no JSON; `isShown` says it to parts too. */
  problem?(isShown: boolean): string | null;
  write(value: JsonValue): void;
  clear(): void;
  focus?(): void;
}

/** Where a form is, for the controls that ask the server. */
export interface FormContext {
  transport: Transport;
  groupId: string;
  uploads: Uploads;
  /**
   * Do something that moves what stands below, once no button is held down: a click that leaves a field
   * would otherwise end somewhere else than it began, and be none.
   */
  settled(act: () => void): void;
}

/** What is typed into a field, as text. */
export const textOf = (value: JsonValue): string =>
  typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);

/** Say whether typed text is still the default. */
export function isSame(value: JsonValue, preset: JsonValue): boolean {
  const text = (each: JsonValue): string => (typeof each === 'string' ? each : JSON.stringify(each));
  if (Array.isArray(value) && Array.isArray(preset)) {
    return value.length === preset.length && value.every((each, at) => isSame(each, preset[at] ?? null));
  }
  const isRecord = (each: JsonValue): each is { [name: string]: JsonValue } =>
    typeof each === 'object' && each !== null && !Array.isArray(each);
  if (isRecord(value) && isRecord(preset)) {
    const names = Object.keys(value);
    return (
      names.length === Object.keys(preset).length &&
      names.every((name) => name in preset && isSame(value[name] ?? null, preset[name] ?? null))
    );
  }
  return text(value) === text(preset);
}

/** Whether "no value" is a value for a parameter, as `ParameterHandle.takes_none` says. */
export const takesNone = (parameter: ParameterHandle): boolean =>
  !parameter.isRequired && (parameter.defaultValue ?? null) === null;

/** The default, null where there is none. */
export const presetOf = (parameter: ParameterHandle): JsonValue => parameter.defaultValue ?? null;
