import { nameOf } from '../../model/form/argument-validation';
import type { Transport } from '../../model/transport';
import type { JsonValue, ParameterHandle } from '../../model/types';
import type { Uploads } from './uploads';

/** What a control holds: a value to send, or nothing because it was not changed. */
export type Reading = { isGiven: true; value: JsonValue } | { isGiven: false };

export const NOTHING: Reading = { isGiven: false };

export interface Control {
  element: HTMLElement;
  /** The element that gets the focus and that the label names. */
  input: HTMLElement;
  /** Whether it is made of several controls, which a fieldset with a legend names. */
  isGroup?: boolean;
  /** A hint for filling it in. */
  hint?: string | undefined;
  read(): Reading;
  /** What is wrong apart from the argument's type, such as invalid JSON; `isShown` shows it in nested fields too. */
  problem?(isShown: boolean): string | null;
  write(value: JsonValue): void;
  clear(): void;
  focus?(): void;
}

/** What controls need of the form that they are in. */
export interface FormContext {
  transport: Transport;
  groupId: string;
  uploads: Uploads;
  /**
   * Do something that moves elements once no button is held down: a click that leaves a field
   * would otherwise end on another element than it began, and would be lost.
   */
  settled(act: () => void): void;
}

/** What is typed into a field, as text. */
export const textOf = (value: JsonValue): string =>
  typeof value === 'string' ? value : value === null ? '' : (nameOf(value) ?? JSON.stringify(value));

/** Say whether two values are the same, whether typed or declared. */
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

/** Return the default, null if there is none. */
export const presetOf = (parameter: ParameterHandle): JsonValue => parameter.defaultValue ?? null;
